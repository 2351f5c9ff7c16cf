"""One store at module scope, many event loops, and connections that died in a freeze."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from support.fault_proxy.proxy import DropReply, FaultProxy
from support.patience import until
from support.places import ACME, E1, REMOTE, SERVICES, Place, snapshot
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket import StateStore
    from support.servers import Server
    from support.warnings_guard import Noise

AT_ONCE = 8
everywhere = pytest.mark.parametrize("place", ["memory", *SERVICES], indirect=True)
over_a_network = pytest.mark.parametrize("place", REMOTE, indirect=True)


async def use(store: StateStore, number: int) -> None:
    """What an invocation does: saves, loads, and some at once."""
    acme = store.tenant(ACME)
    await acme.save_snapshot(snapshot(number))
    loaded = await acme.load_snapshot(E1)
    assert loaded is not None
    assert loaded.sequence_number == number
    keys = [f"k{at}" for at in range(AT_ONCE)]
    await asyncio.gather(*(acme.set(key, b"v") for key in keys))
    assert await asyncio.gather(*map(acme.get, keys)) == [b"v"] * AT_ONCE
    assert [key async for key in acme.iter_keys()] == keys


@everywhere
def test_one_store_serves_three_runs(place: Place, noise: Noise) -> None:
    store = place.open()
    for number in range(3):
        asyncio.run(use(store, number))
        if place.service in {"s3", "azure"}:  # whose connections belong to a loop
            _none_left(place.proxy)
    asyncio.run(store.shutdown())
    assert noise == []


@everywhere
def test_one_store_serves_runs_that_shut_it_down(place: Place, noise: Noise) -> None:
    store = place.open()

    async def handler(number: int) -> None:
        async with store:
            await use(store, number)

    for number in range(3):
        asyncio.run(handler(number))
    assert noise == []


@everywhere
def test_a_run_that_ends_in_the_middle_of_calls_leaves_nothing(place: Place, noise: Noise) -> None:
    store = place.open()

    async def failing() -> None:
        acme = store.tenant(ACME)
        await acme.set("k0", b"v")
        calls = [asyncio.create_task(acme.get("k0")) for _ in range(AT_ONCE)]
        await asyncio.sleep(0.002)
        assert calls
        raise ZeroDivisionError

    for number in range(3):
        with pytest.raises(ZeroDivisionError):
            asyncio.run(failing())
        asyncio.run(use(store, number))
    asyncio.run(store.shutdown())
    assert noise == []


@everywhere
def test_one_store_serves_two_threads_at_once(place: Place, noise: Noise) -> None:
    store = place.open()
    together = threading.Barrier(2)
    raised: list[BaseException] = []

    async def handler(who: int, turn: int) -> None:
        acme = store.tenant(ACME)
        for number in range(4):
            key = f"{who}-{turn}-{number}"
            await asyncio.gather(acme.set(key, key.encode()), acme.exists("other"))
            assert await acme.get(key) == key.encode()

    def thread(who: int) -> None:
        try:
            for turn in range(3):
                together.wait(30)
                asyncio.run(handler(who, turn))
        except BaseException as error:  # noqa: BLE001  (reported below)
            raised.append(error)
            together.abort()

    threads = [threading.Thread(target=thread, args=(who,)) for who in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert raised == []
    asyncio.run(store.shutdown())
    assert noise == []


@over_a_network
@pytest.mark.parametrize("how", ["frozen", "closed"])
def test_connections_that_died_in_a_freeze_are_no_error(
    place: Place, noise: Noise, how: str
) -> None:
    # More dead connections than tries fit into the deadline, were they tried one by one.
    store = place.open(deadline=4.0)

    async def handler() -> None:
        acme = store.tenant(ACME)
        await use(store, 1)
        with _dead(place.proxy, how):
            assert await acme.get("k0") == b"v"
            await acme.save_snapshot(snapshot(2))
        with _dead(place.proxy, how):
            await use(store, 3)
        await store.shutdown()

    asyncio.run(handler())
    assert noise == []


@over_a_network
@pytest.mark.parametrize("how", ["frozen", "closed"])
def test_the_blocking_store_survives_a_freeze(place: Place, noise: Noise, how: str) -> None:
    with place.blocking(deadline=4.0) as store:
        acme = store.tenant(ACME)
        threads = [threading.Thread(target=acme.set, args=(f"k{at}", b"v")) for at in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        with _dead(place.proxy, how):
            assert acme.get("k0") == b"v"
            acme.save_snapshot(snapshot(2))
            assert len(list(acme.iter_keys())) == 6
    assert noise == []


@over_a_network
def test_connections_that_died_between_runs_are_no_error(place: Place, noise: Noise) -> None:
    store = place.open(deadline=4.0)
    for number in range(3):
        asyncio.run(use(store, number))
        assert place.proxy is not None
        place.proxy.freeze_idle()
    asyncio.run(store.shutdown())
    assert noise == []


@over_a_network
def test_a_reset_on_thawing_does_not_pass_for_a_write_that_never_was(place: Place) -> None:
    async def handler() -> None:
        assert place.proxy is not None
        async with place.open() as store:
            await use(store, 1)
            place.proxy.always(DropReply(reset=True))
            with pytest.raises(errors.StateBucketError) as raised:
                await store.with_deadline(1).set("k", b"written")
            place.proxy.heal()
            assert await store.get("k") == b"written"
            assert raised.value.outcome == "unknown"

    asyncio.run(handler())


@pytest.mark.parametrize("how", ["left open", "shut down"])
def test_a_run_over_tls_leaves_no_connection_unclosed(
    moto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Noise, how: str
) -> None:
    # Of TLS connections asyncio says in __del__ when they are not closed to the end.
    with FaultProxy(moto.host, moto.port, tls="untrusted") as proxy:
        assert proxy.ca_pem is not None
        issuer = tmp_path / "ca.pem"
        issuer.write_bytes(proxy.ca_pem)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(issuer))
        store = open_store(S3Target(moto, raw_client(moto), proxy).url)

        async def handler(number: int) -> None:
            await use(store, number)
            if how == "shut down":
                await store.shutdown()

        for number in range(3):
            asyncio.run(handler(number))
            _none_left(proxy)
    assert noise == []


@contextmanager
def _dead(proxy: FaultProxy | None, how: str) -> Iterator[None]:
    """Kill the connections that there are, as a freeze does."""
    assert proxy is not None
    killed = proxy.freeze_idle() if how == "frozen" else proxy.close_idle()
    assert killed
    yield


def _none_left(proxy: FaultProxy | None) -> None:
    """Fails if a connection stays open after the proxy has had time to read of their end."""
    assert proxy is not None
    until(lambda: not proxy.connections)

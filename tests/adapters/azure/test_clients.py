"""Event loops, threads, proxies, the caller's clients, and resources left open at the end."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from adapters.azure.test_port import MIB, write
from statebucket.errors import Unavailable
from support.fault_proxy.proxy import DelayReply, DropReply, HangBeforeReply, azure_error, on
from support.targets.azure import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import ContainerClient as RawContainer

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server


pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(autouse=True)
def nothing_left_open(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that leaves a session, connection or task behind."""
    gc.collect()  # leftovers of earlier tests are not counted
    seen: list[str] = []
    previous = sys.unraisablehook
    sys.unraisablehook = lambda found: seen.append(f"{found.exc_value!r} in {found.object!r}")
    caplog.set_level(logging.WARNING, logger="asyncio")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            yield
            gc.collect()
    finally:
        sys.unraisablehook = previous
    seen += [str(found.message) for found in caught if found.category is ResourceWarning]
    seen += [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert seen == []


async def use(bucket: Bucket, name: str = "a") -> bytes | None:
    await asyncio.gather(*(bucket.put(write(f"{name}/{n}", b"1"), None) for n in range(10)))
    await bucket.list(name, after=None, limit=10)
    await bucket.delete_many([f"{name}/9"])
    found = await bucket.get(f"{name}/0")
    return None if found is None else found.body


def test_three_event_loops(azurite: Server, raw: RawContainer) -> None:
    bucket = opened(azurite, raw.container_name)
    for _ in range(3):
        assert asyncio.run(use(bucket)) == b"1"


def test_closing_and_using_again(azurite: Server, raw: RawContainer) -> None:
    bucket = opened(azurite, raw.container_name)

    async def twice() -> None:
        await bucket.close()
        for _ in range(2):
            assert await use(bucket) == b"1"
            await bucket.close()
            await bucket.close()

    asyncio.run(twice())


def test_closing_under_calls_leaves_none_of_their_sessions_open(
    azurite: Server, proxy: FaultProxy, raw: RawContainer
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name)
    proxy.always(DelayReply(0.05))

    async def run() -> None:
        calls = [asyncio.create_task(bucket.get("a")) for _ in range(5)]
        await asyncio.to_thread(proxy.wait_for)
        await bucket.close()
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            assert ended is None or isinstance(ended, Unavailable)
        assert await bucket.get("a") is None
        await bucket.close()

    asyncio.run(run())


def test_two_threads_at_a_time(azurite: Server, raw: RawContainer) -> None:
    bucket = opened(azurite, raw.container_name)
    found: list[bytes | None] = []

    def run(name: str) -> None:
        found.extend(asyncio.run(use(bucket, name)) for _ in range(3))

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"1"] * 6


def test_a_loop_that_is_stopped_in_the_middle_of_calls(
    azurite: Server, proxy: FaultProxy, raw: RawContainer
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name)

    async def leave_calls_behind() -> None:
        calls = [asyncio.create_task(use(bucket, name)) for name in "abc"]
        await asyncio.to_thread(proxy.wait_for)
        assert not all(call.done() for call in calls)

    asyncio.run(leave_calls_behind())
    assert asyncio.run(use(bucket)) == b"1"


def test_large_bodies_leave_no_warning(azurite: Server, raw: RawContainer) -> None:
    bucket = opened(azurite, raw.container_name)

    async def run() -> None:
        await bucket.put(write("a", bytes(5 * MIB)), None)
        found = await bucket.get("a")
        assert found is not None
        assert len(found.body) == 5 * MIB

    asyncio.run(run())


def test_errors_leave_nothing_open(azurite: Server, proxy: FaultProxy, raw: RawContainer) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name)

    async def run() -> None:
        for fault in (DropReply(), azure_error(500, "InternalError")):
            for call in (
                lambda: bucket.get("a"),
                lambda: bucket.put(write("a"), None),
                lambda: bucket.list("", after=None, limit=1),
                lambda: bucket.delete_many(["a"]),
            ):
                proxy.plan(fault)
                with pytest.raises(Unavailable):
                    await call()

    asyncio.run(run())


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
def test_connections_are_bounded_and_kept(
    azurite: Server, proxy: FaultProxy, raw: RawContainer
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, max_in_flight=3)

    async def run() -> None:
        await asyncio.gather(*(bucket.put(write(f"{n}"), None) for n in range(30)))

    asyncio.run(run())
    assert len({request.connection for request in proxy.requests}) == 3


def test_a_proxy_variable_is_followed(
    azurite: Server, raw: RawContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    elsewhere: dict[str, Any] = {
        "endpoint_url": "http://192.0.2.1:9/account1",
        "insecure_endpoint": True,
    }
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        asyncio.run(use(opened(azurite, raw.container_name, **elsewhere)))
    # This machine is reached without one.
    assert asyncio.run(use(opened(azurite, raw.container_name))) == b"1"


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
@pytest.mark.parametrize("kind", [BlobServiceClient, ContainerClient])
def test_a_client_of_the_callers(
    azurite: Server, proxy: FaultProxy, raw: RawContainer, kind: Any
) -> None:
    async def run() -> None:
        more = {"container_name": raw.container_name} if kind is ContainerClient else {}
        async with kind.from_connection_string(
            azurite.via(proxy.url).connection_string, **more
        ) as client:
            bucket = opened(azurite, raw.container_name, client=client)
            assert await use(bucket) == b"1"
            await bucket.put(write("empty", b""), None)
            found = await bucket.get("empty")
            assert found is not None
            assert found.body == b""
            proxy.clear()
            proxy.always(azure_error(500, "InternalError"))
            for call in (  # its own retries wait for 15 s and more
                lambda: bucket.get("a"),
                lambda: bucket.head("a"),
                lambda: bucket.put(write("a"), None),
                lambda: bucket.delete("a"),
                lambda: bucket.delete_many(["a"]),
                lambda: bucket.list("", after=None, limit=1),
                lambda: bucket.list_prefixes("", after=None, limit=1),
            ):
                with pytest.raises(Unavailable):
                    await call()
            assert proxy.count() == 7
            proxy.heal()
            await bucket.close()
            assert await use(bucket) == b"1"  # closed by no one

    asyncio.run(run())


def test_after_a_freeze_one_try_fails_and_the_next_has_a_new_connection(
    azurite: Server, proxy: FaultProxy, raw: RawContainer
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=4.5)

    async def run() -> None:
        await use(bucket)
        assert proxy.freeze_idle() > 5
        proxy.clear()
        with pytest.raises(Unavailable):
            await bucket.get("a/0")
        assert await bucket.get("a/0") is not None
        assert proxy.count() == 2

    asyncio.run(run())


def test_a_lost_connection_does_not_end_the_calls_beside_it(
    azurite: Server, proxy: FaultProxy, raw: RawContainer
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name)

    async def run() -> None:
        await use(bucket)
        proxy.plan(DelayReply(0.5, when=on(contains="/a/1")), DropReply(when=on(contains="/a/2")))
        slow = asyncio.create_task(bucket.get("a/1"))
        await asyncio.to_thread(proxy.wait_for, on("GET", "/a/1"))
        with pytest.raises(Unavailable):
            await bucket.get("a/2")
        assert await bucket.get("a/2") is not None
        found = await slow
        assert found is not None
        assert found.body == b"1"

    asyncio.run(run())


@pytest.mark.asyncio
async def test_a_cancelled_call_leaves_the_next_one_whole(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    for fault, call in (
        (HangBeforeReply(), lambda: bucket.put(write("a", b"new"), None)),
        (HangBeforeReply(), lambda: bucket.get("a")),
        (HangBeforeReply(), lambda: bucket.list("", after=None, limit=1)),
        (HangBeforeReply(), lambda: bucket.delete_many(["b"])),
    ):
        proxy.clear()
        proxy.plan(fault)
        task = asyncio.create_task(call())
        await asyncio.to_thread(proxy.wait_for, on())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await bucket.get("a")
        assert found is not None
        assert found.body == b"new"

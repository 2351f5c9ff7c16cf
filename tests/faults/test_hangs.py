"""No matter what hangs, the caller has an answer by the deadline."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from faults.clouds import listing, of, removal, write
from faults.server_marks import every_cloud, timed
from statebucket import errors, open_store
from support.fault_proxy.proxy import BlackHole, DripBody, FaultProxy, HangBeforeReply, StallBody
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from faults.clouds import Cloud
    from statebucket import StateStore
    from support.fault_proxy.proxy import Fault
    from support.warnings_guard import Noise

pytestmark = [pytest.mark.asyncio, every_cloud]

DEADLINE = 0.6
LONG = 10.0  # for what comes before and after the fault
VERY_LONG = 60.0  # for what does not take its time: no deadline falls into making a client
LATEST = DEADLINE + 0.4
OF_A_REMOVAL = 2.0  # for each of its requests, of which the first must get through
NO_ANSWER = (errors.Unavailable, errors.DeadlineExceeded)

HANGS: dict[str, Fault] = {
    "a request that is swallowed": BlackHole(),
    "a reply that never comes": HangBeforeReply(),
    "a body that stops": StallBody(after_bytes=3),
    "a body that drips": DripBody(every=0.05),
}
CALLS: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "save_snapshot": lambda store: store.save_snapshot(snapshot(2)),
    "load_snapshot": lambda store: store.load_snapshot(E1),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "delete": lambda store: store.delete("k"),
}


@pytest.mark.parametrize(
    ("call", "hang"),
    [
        *((call, hang) for call in ("save_snapshot", "load_snapshot") for hang in HANGS),
        ("list_snapshots", "a body that drips"),
        ("delete", "a reply that never comes"),
    ],
)
async def test_a_call_ends_by_its_deadline(
    cloud: Cloud, call: str, hang: str, noise: Noise
) -> None:
    async with cloud.open(deadline=DEADLINE) as store:
        await store.with_deadline(LONG).save_snapshot(snapshot(1))
        cloud.proxy.always(HANGS[hang])
        seconds, error = await timed(CALLS[call](store))
        if error is not None:  # an answer of a few bytes drips in in time
            assert isinstance(error, NO_ANSWER)
            assert error.outcome == ("unknown" if call in {"save_snapshot", "delete"} else "none")
        else:
            assert hang in {"a body that drips", "a body that stops"}
        assert seconds <= LATEST
        cloud.proxy.heal()
        healed = store.with_deadline(LONG)
        await healed.set("k", b"v")
        assert await healed.get("k") == b"v"
    assert noise == []


@pytest.mark.parametrize("what", ["listing", "batch"])
async def test_a_removal_that_hangs_half_way_ends_by_its_deadline(cloud: Cloud, what: str) -> None:
    async with cloud.open(deadline=DEADLINE) as store:
        acme = store.tenant(ACME)
        await acme.with_deadline(LONG).save_snapshot(snapshot(1))
        await acme.with_deadline(LONG).set("exec:e1:k", b"v")
        cloud.proxy.always(BlackHole(when=listing if what == "listing" else removal))
        began = time.monotonic()
        seconds, error = await timed(acme.with_deadline(OF_A_REMOVAL).delete_execution_state(E1))
        assert error is not None
        # Each of its requests has a deadline of its own; one hung, and nothing came after it.
        first = next(one for one in cloud.proxy.requests if "BlackHole" in one.fault)
        assert seconds - (first.started - began) <= OF_A_REMOVAL + 0.7
        cloud.proxy.heal()
        await acme.with_deadline(LONG).delete_execution_state(E1)
        assert cloud.target.raw_names() == []


async def test_a_hang_in_the_first_of_two_requests_leaves_no_more_time_for_the_second(
    cloud: Cloud,
) -> None:
    # The owner record takes up a part of the deadline, which is the whole call's.
    async with cloud.open(deadline=DEADLINE) as store:
        await store.with_deadline(LONG).exists("warm")
        cloud.proxy.plan(HangBeforeReply(when=of("owners/e1/acme", write)))
        cloud.proxy.always(BlackHole(when=of("snapshots/e1", write)))
        seconds, error = await timed(store.save_snapshot(snapshot(1)))
        assert isinstance(error, NO_ANSWER)
        assert error.outcome == "unknown"
        assert seconds <= LATEST
    assert cloud.target.raw_names() == ["owners/e1/acme"]


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that answers no SYN: its queue of connections is full, and no one accepts any."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections, and never says a word: TLS never gets to its end."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def elsewhere(cloud: Cloud, endpoint: str, deadline: float = DEADLINE) -> StateStore:
    """A store of the same service at another endpoint."""
    # Azure's account stands in the path, as on the emulator.
    url = cloud.url.replace(cloud.proxy.url, endpoint)
    assert endpoint in url
    return open_store(url, deadline=deadline, insecure_endpoint=True, **cloud.options)


@pytest.mark.parametrize("call", ["set", "get"])
async def test_a_connect_that_hangs(cloud: Cloud, call: str, noise: Noise) -> None:
    with full_backlog() as port:
        async with elsewhere(cloud, f"http://127.0.0.1:{port}") as store:
            seconds, error = await timed(store.set("k", b"v") if call == "set" else store.get("k"))
            assert isinstance(error, NO_ANSWER)
            assert seconds <= LATEST
    assert noise == []


async def test_a_handshake_that_hangs(cloud: Cloud) -> None:
    # What is left of it is not looked at: urllib3 leaves a socket whose peer goes away in the
    # handshake to the garbage collector.
    with silent_server() as port:
        async with elsewhere(cloud, f"https://127.0.0.1:{port}") as store:
            seconds, error = await timed(store.set("k", b"v"))
            assert isinstance(error, NO_ANSWER)
            assert seconds <= LATEST


async def test_a_name_server_that_hangs(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    look_up = socket.getaddrinfo

    def hung(host: Any, *rest: Any, **more: Any) -> Any:
        if "storage.invalid" not in str(host):
            return look_up(host, *rest, **more)
        answered.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hung)
    try:
        async with elsewhere(cloud, "http://storage.invalid") as store:
            seconds, error = await timed(store.set("k", b"v"))
            assert isinstance(error, NO_ANSWER)
            assert seconds <= LATEST
            answered.set()
    finally:
        answered.set()


async def test_a_name_that_no_one_knows(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(os, "urandom", bytes)  # no chance: no wait before the next try
    async with elsewhere(cloud, "http://storage.invalid", VERY_LONG) as store:
        seconds, error = await timed(store.set("k", b"v"))
        _never_sent(error)
        assert seconds <= VERY_LONG / 2


async def test_a_certificate_that_no_one_vouches_for(cloud: Cloud) -> None:
    with FaultProxy(cloud.server.host, cloud.server.port, tls="untrusted") as proxy:
        async with elsewhere(cloud, proxy.url, VERY_LONG) as store:
            seconds, error = await timed(store.set("k", b"secret"))
            _never_sent(error)
            assert seconds <= VERY_LONG / 2
        assert proxy.requests == []


def _never_sent(error: errors.StateBucketError | None) -> None:
    """Fail unless that is what is said."""
    assert isinstance(error, errors.Unavailable)
    assert error.outcome == "none"

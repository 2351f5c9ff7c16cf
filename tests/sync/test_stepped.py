"""The blocking store without an event loop: it runs in the caller's thread only."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.sync import open_store
from support.fault_proxy.kinds import DelayReply, DropReply, HangBeforeReply
from support.fault_proxy.proxy import FaultProxy, HoldReplyUntil
from support.targets.deployments import deployment_on
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statebucket.sync import BlockingStateStore
    from support.servers import Server
    from support.targets.deployments import Deployment

CALLS = """
import sys, threading
started = []
start = threading.Thread.start
threading.Thread.start = lambda self: (started.append(self.name), start(self))
from statebucket import ExecutionSnapshot, Version, errors
from statebucket.sync import open_store

with open_store(sys.argv[1]) as store:
    acme = store.tenant("acme")
    acme.save_snapshot(acme.snapshot("e1"))
    assert acme.load_snapshot("e1") == store.load_stored("e1").value
    version = acme.set("exec:e1:k", b"v", ttl=60)
    acme.set_json("n", [1], if_version=Version.ABSENT)
    try:
        acme.set("n", b"", if_version=version)
    except errors.VersionConflict:
        assert acme.get_json("n") == [1]
    assert list(acme.iter_keys("e1")) == ["exec:e1:k"] and acme.exists("n")
    assert list(store.iter_tenants()) == ["acme"] and acme.list_snapshots("acme", 9) == ["e1"]
    assert acme.delete_execution_state("e1").keys == 1
    store.health_check()
print(started, "asyncio" in sys.modules)
"""


@pytest.fixture(params=["memory", "sqlite", "s3", "gcs", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Where a store that needs no loop can be opened."""
    fixture = {"s3": "moto", "gcs": "fake", "azure": "azurite"}.get(request.param)
    server = None if fixture is None else request.getfixturevalue(fixture)
    with deployment_on(request.param, server, tmp_path, "http") as made:
        yield made


def test_no_thread_is_started_and_asyncio_is_not_imported(place: Deployment) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CALLS, place.url],
        env={**os.environ, **place.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[] False\n", "")


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    with FaultProxy(moto.host, moto.port) as running:
        yield running


@pytest.fixture
def store(moto: Server, proxy: FaultProxy) -> Iterator[BlockingStateStore]:
    # So long a deadline that no try is given up after a third of it, as on a busy machine.
    with open_store(S3Target(moto, raw_client(moto), proxy, "http").url, deadline=60) as opened:
        yield opened


def test_a_lost_reply_is_tried_again(store: BlockingStateStore, proxy: FaultProxy) -> None:
    proxy.plan(DropReply())
    store.set("k", b"v")
    assert store.get("k") == b"v"
    assert store.stats().retries == 1


def test_a_service_that_hangs_ends_by_the_deadline(
    store: BlockingStateStore, proxy: FaultProxy
) -> None:
    store.exists("warm")  # what a first call imports takes a part of its deadline
    proxy.always(HangBeforeReply())
    started = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded) as caught:
        store.with_deadline(1.0).set("k", b"v")
    assert time.monotonic() - started < 15  # not when the try ends, after a third of a minute
    assert caught.value.outcome == "unknown"


def in_threads(work: Callable[[int], object], count: int) -> list[object]:
    """What the work returns in each of so many threads."""
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda at=at: results.append(work(at))) for at in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_the_bound_on_requests_holds_for_all_threads(moto: Server, proxy: FaultProxy) -> None:
    target = S3Target(moto, raw_client(moto), proxy, "http")
    with open_store(target.url, max_in_flight=2, deadline=60) as store:
        proxy.always(DelayReply(0.1))
        in_threads(lambda at: store.set(f"k{at}", b"v"), 8)
        assert proxy.connections <= 2
        assert len(list(store.iter_keys())) == 8


@pytest.mark.parametrize("call", ["iter_snapshots", "scan_snapshots"])
def test_a_live_listing_looks_at_many_snapshots_at_the_same_time(
    store: BlockingStateStore, proxy: FaultProxy, call: str
) -> None:
    acme = store.tenant("acme")
    for at in range(8):
        acme.save_snapshot(acme.snapshot(f"e{at}"))
    proxy.always(DelayReply(0.1))
    assert len(list(getattr(acme, call)(live=True))) == 8
    assert proxy.connections > 1


def test_who_waits_for_its_turn_ends_by_its_deadline(moto: Server, proxy: FaultProxy) -> None:
    target = S3Target(moto, raw_client(moto), proxy, "http")
    with open_store(target.url, max_in_flight=1, deadline=60) as store:
        given_up = threading.Event()
        proxy.always(HoldReplyUntil(given_up.is_set))

        def work(at: int) -> object:
            if at == 0:  # has its turn, and keeps it until the other has given up
                store.set("k", b"v")
                return "written"
            proxy.wait_for()
            try:
                with pytest.raises(errors.DeadlineExceeded) as caught:
                    store.with_deadline(0.3).set("k", b"v")
            finally:
                given_up.set()
            return caught.value.outcome

        assert sorted(map(str, in_threads(work, 2))) == ["none", "written"]
        assert proxy.count() == 1


def test_inside_a_running_loop_which_stands_still_meanwhile(place: Deployment) -> None:
    async def work(opened: BlockingStateStore) -> bytes | None:
        opened.set("k", b"v")
        return opened.get("k")

    with open_store(place.url, **place.options) as opened:
        assert asyncio.run(work(opened)) == b"v"
        assert opened.get("k") == b"v"


def test_a_lease_starts_the_loop_and_the_rest_goes_on_beside_it(place: Deployment) -> None:
    with open_store(place.url, **place.options) as store:
        acme = store.tenant("acme")
        with acme.lease("e1", ttl=30) as lease:
            acme.save_snapshot(acme.snapshot("e1"), lease=lease)
            loaded = acme.load_snapshot("e1")
            assert loaded is not None
            acme.save_snapshot(loaded.advance(), lease=lease)
            with pytest.raises(errors.LeaseHeld), acme.lease("e1", ttl=30):
                pass
        acme.delete_tenant("acme")
        assert list(store.iter_tenants()) == []

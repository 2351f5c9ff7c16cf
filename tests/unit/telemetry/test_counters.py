"""``store.stats()``."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import Version, errors, open_store
from statebucket.contract.stats import Stats
from statebucket.sync import open_store as open_blocking
from statebucket.telemetry.counters import Counter
from support.virtual_time import run

if TYPE_CHECKING:
    from statebucket.store.store import ObjectStateStore
    from statebucket.testing import Clock


def test_a_new_store_has_done_nothing(store: ObjectStateStore) -> None:
    assert store.stats() == Stats()


@pytest.mark.asyncio
async def test_calls_requests_and_bytes_are_counted(store: ObjectStateStore) -> None:
    await store.set("k", b"12345")
    await store.get("k")
    await store.exists("k")
    assert store.stats() == Stats(calls=3, requests=3, bytes_sent=5, bytes_received=5)


@pytest.mark.asyncio
async def test_views_count_with_their_store(store: ObjectStateStore) -> None:
    await store.tenant("acme").set("k", b"1")
    assert store.stats().calls == 1
    assert store.tenant("acme").with_deadline(3).stats() == store.stats()


@pytest.mark.asyncio
async def test_a_retry_is_a_request_and_its_body_is_sent_again(
    store: ObjectStateStore, flaky: Any
) -> None:
    flaky.failures = [errors.Throttled("slow"), errors.Unavailable("gone")]
    await store.set("k", b"12345")
    stats = store.stats()
    assert (stats.requests, stats.retries, stats.throttles) == (3, 2, 1)
    assert (stats.calls, stats.bytes_sent) == (1, 15)


@pytest.mark.asyncio
async def test_a_lost_race_is_a_conflict(store: ObjectStateStore) -> None:
    await store.set("k", b"1")
    with pytest.raises(errors.VersionConflict):
        await store.set("k", b"2", if_version=Version.ABSENT)
    assert store.stats().conflicts == 1


@pytest.mark.asyncio
async def test_reading_what_has_expired_is_counted(store: ObjectStateStore, clock: Clock) -> None:
    await store.set("k", b"1", timedelta(seconds=1))
    clock.advance(2)
    assert await store.get("k") is None
    assert not await store.exists("k")
    assert store.stats().expired_reads == 2


@pytest.mark.asyncio
async def test_each_call_on_one_execution_is_a_call(store: ObjectStateStore) -> None:
    execution = store.tenant("acme").execution("e1")
    await execution.set("k", b"")
    await execution.delete_keys()
    await execution.delete()
    assert store.stats().calls == 3


@pytest.mark.asyncio
async def test_an_iterator_is_one_call(store: ObjectStateStore) -> None:
    for number in range(3):
        await store.set(f"k{number}", b"")
    before = store.stats()
    assert len([key async for key in store.iter_keys()]) == 3
    after = store.stats()
    assert (after.calls - before.calls, after.requests - before.requests) == (1, 1)


def test_renewals_of_a_lease_count_as_requests(store: ObjectStateStore) -> None:
    async def work() -> None:
        acme = store.tenant("acme")
        async with acme.lease("e1", ttl=timedelta(seconds=90)):
            taken = store.stats()
            await asyncio.sleep(31)  # it is renewed after a third
            assert store.stats().requests == taken.requests + 1
        assert store.stats().calls == 1

    run(work())


def test_threads_lose_no_count() -> None:
    counter = Counter()

    def count() -> None:
        for _ in range(20_000):
            counter.add("requests")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.stats().requests == 80_000


def test_the_blocking_store_has_stats_too() -> None:
    with open_blocking("memory://") as store:
        store.set("k", b"1")
        assert store.stats().calls == 1


@pytest.mark.asyncio
async def test_stores_do_not_share_counts() -> None:
    one, other = open_store("memory://"), open_store("memory://")
    await one.set("k", b"")
    assert (one.stats().calls, other.stats().calls) == (1, 0)

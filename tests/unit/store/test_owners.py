"""Owner records: what a process has seen of them, and how long they stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from statebucket import StateStore, Version, errors
from statebucket.port.bucket import JSON, Object, Page, Write
from statebucket.store.envelope import expires_ms
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.scripted_bucket import ScriptedBucket, opened
from support.targets.local import MemoryTarget
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket.testing import Clock
    from support.scripted_bucket import Send

RECORD = "owners/e1/acme"
DAY = timedelta(days=1)


@pytest.fixture
def target() -> MemoryTarget:
    return MemoryTarget()


@pytest.fixture
def clock(target: MemoryTarget) -> Clock:
    return target.clock


@pytest.fixture
def one(target: MemoryTarget) -> StateStore:
    return target.open()


@pytest_asyncio.fixture
async def other(target: MemoryTarget, one: StateStore) -> AsyncIterator[StateStore]:
    """Another process's store, which has seen "globex" have e1; it is acme's now."""
    other = target.open()
    await one.save_snapshot(snapshot(E1, "globex"))
    assert await other.load_snapshot(E1) is not None
    await one.delete_execution_state(E1)
    await one.save_snapshot(snapshot(E1, ACME, 7))
    await one.tenant(ACME).set("exec:e1:k", b"v")
    yield other


@pytest.mark.asyncio
async def test_a_load_finds_the_new_tenants_snapshot(other: StateStore) -> None:
    loaded = await other.load_snapshot(E1)
    assert loaded is not None
    assert (loaded.tenant_id, loaded.sequence_number) == (ACME, 7)


@pytest.mark.asyncio
async def test_a_removal_in_the_new_tenants_view_removes_the_record_too(
    other: StateStore, target: MemoryTarget
) -> None:
    report = await other.tenant(ACME).delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (1, 1, 1)
    assert target.raw_names() == []


@pytest.mark.asyncio
async def test_a_record_that_another_process_has_written_again_is_looked_at_once(
    one: StateStore, target: MemoryTarget
) -> None:
    await one.save_snapshot(snapshot(E1, ACME))
    other = target.open()
    await other.tenant(ACME).delete_execution_state(E1)
    await other.save_snapshot(snapshot(E1, ACME, 2))
    before = one.stats().requests
    report = await one.tenant(ACME).delete_execution_state(E1)
    assert (report.snapshots, report.owners) == (1, 1)
    # The listing, the snapshot, and for the record a condition that fails, a look and the removal.
    assert one.stats().requests - before == 5
    assert target.raw_names() == []


@pytest.mark.asyncio
async def test_what_another_process_removes_of_the_tenant_that_was_seen_is_missing(
    one: StateStore, other: StateStore
) -> None:
    assert await other.load_snapshot(E1) is not None
    await one.tenant(ACME).delete_execution_state(E1)
    assert await other.load_snapshot(E1) is None


@pytest.mark.asyncio
async def test_what_a_process_has_seen_costs_no_request_for_a_minute(
    one: StateStore, target: MemoryTarget, clock: Clock
) -> None:
    counted = one.stats
    await one.save_snapshot(snapshot(), ttl=DAY)
    assert counted().requests == 2
    await one.save_snapshot(snapshot(), ttl=DAY)
    assert await one.load_snapshot(E1) is not None
    assert counted().requests == 4
    await one.save_snapshot(snapshot(), ttl=9 * DAY)  # its record is written again, unlooked at
    assert counted().requests == 6
    assert await one.load_snapshot(E1) is not None  # of the only tenant that has it, yet
    assert counted().requests == 7
    view = target.open().tenant(ACME)
    await view.load_snapshot(E1)
    await view.save_snapshot(snapshot(), ttl=DAY)  # the record was written for a longer one
    assert view.stats().requests == 2
    other = target.open()
    await other.load_snapshot(E1)  # a listing, and the snapshot
    await other.save_snapshot(snapshot(), ttl=DAY)
    assert other.stats().requests == 4  # the listing does not say for how long the record stays
    await other.save_snapshot(snapshot(), ttl=DAY)
    clock.advance(60)
    await other.save_snapshot(snapshot(), ttl=DAY)
    assert other.stats().requests == 6
    clock.advance(61)
    await other.save_snapshot(snapshot(), ttl=DAY)
    assert other.stats().requests == 8
    await other.save_snapshot(snapshot(), ttl=DAY)
    assert other.stats().requests == 9
    await other.delete_execution_state(E1)
    before = other.stats().requests
    assert await other.load_snapshot(E1) is None
    assert other.stats().requests - before == 1


@pytest.mark.asyncio
async def test_a_record_that_a_listing_has_shown_is_seen(one: StateStore, clock: Clock) -> None:
    await one.save_snapshot(snapshot(E1, ACME))
    clock.advance(61)
    assert await one.load_snapshot(E1) is not None  # by a listing of its records
    before = one.stats().requests
    await one.save_snapshot(snapshot(E1, ACME, 2))
    assert one.stats().requests - before == 1


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_makes_nothing_known_for_longer(
    one: StateStore, target: MemoryTarget, clock: Clock
) -> None:
    await one.save_snapshot(snapshot(E1, ACME))
    await target.open().delete_execution_state(E1)
    clock.advance(-3600)
    await one.save_snapshot(snapshot(E1, ACME, 2))
    assert RECORD in target.raw_names()


@pytest.mark.asyncio
async def test_a_removal_in_the_old_tenants_view_leaves_the_new_ones(
    other: StateStore, target: MemoryTarget
) -> None:
    before = target.raw_names()
    report = await other.tenant("globex").delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (0, 0, 0)
    assert target.raw_names() == before


@pytest.mark.asyncio
async def test_a_removal_through_the_store_removes_the_new_tenants(
    other: StateStore, target: MemoryTarget
) -> None:
    report = await other.delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (1, 1, 1)
    assert target.raw_names() == []


@pytest.mark.asyncio
async def test_after_a_minute_a_removal_spares_the_old_tenants_keys(
    other: StateStore, one: StateStore, clock: Clock
) -> None:
    await one.tenant("globex").set("exec:e1:mine", b"v")
    clock.advance(61)
    assert (await other.delete_execution_state(E1)).snapshots == 1
    assert await one.tenant("globex").get("exec:e1:mine") == b"v"


@pytest.mark.asyncio
@pytest.mark.parametrize("tenant", [ACME, "globex"])
async def test_the_new_and_the_old_tenant_can_save(
    other: StateStore, clock: Clock, tenant: str
) -> None:
    for number in (8, 9):
        await other.save_snapshot(snapshot(E1, tenant, number))
        clock.advance(61)


@pytest.mark.asyncio
async def test_an_id_is_ambiguous_only_as_long_as_two_tenants_have_it(one: StateStore) -> None:
    for tenant in (ACME, "globex"):
        await one.save_snapshot(snapshot(E1, tenant))
    with pytest.raises(errors.AmbiguousExecution):
        await one.load_snapshot(E1)
    await one.tenant(ACME).delete_execution_state(E1)
    await one.save_snapshot(snapshot(E1, ACME, 2))  # removed, and saved again: still two
    with pytest.raises(errors.AmbiguousExecution):
        await one.load_snapshot(E1)
    await one.tenant("globex").delete_execution_state(E1)
    loaded = await one.load_snapshot(E1)
    assert loaded is not None
    assert (loaded.tenant_id, loaded.sequence_number) == (ACME, 2)


class ShortPages(ScriptedBucket):
    """A service whose pages hold one object each."""

    async def list(
        self,
        prefix: str,
        *,
        after: str | None,
        limit: int,  # noqa: ARG002  (as a service may)
        start_after: str | None = None,
    ) -> Page:
        return await super().list(prefix, after=after, limit=1, start_after=start_after)


@pytest.mark.usefixtures("_scripted")
@pytest.mark.parametrize("call", ["load_snapshot", "delete_execution_state"])
def test_an_id_is_ambiguous_as_soon_as_two_tenants_are_listed(call: str) -> None:
    bucket = ShortPages()

    async def work() -> None:
        for tenant in ("a", "b", "c"):
            await opened(bucket).tenant(tenant).save_snapshot(snapshot(E1, tenant))
        await bucket.inner.put(Write("p/owners/e1/a.foreign/name", b"", JSON, {}, None), None)
        bucket.requests.clear()
        with pytest.raises(errors.AmbiguousExecution) as caught:
            await getattr(opened(bucket), call)(E1)
        error = caught.value
        assert (error.execution_id, error.tenants) == (E1, ("a", "b"))
        assert (error.object_name, error.outcome) == ("p/owners/e1/", "none")
        assert ("delete_keys()" in error.message) == (call == "delete_execution_state")

    run(work())
    assert bucket.operations == ["list"] * 3  # a page with a name that no store writes, too


def until(target: MemoryTarget) -> int | None:
    """When the owner record expires."""
    raw = target.raw_get(RECORD)
    assert raw is not None
    at = raw.metadata.get("expiresat")
    return None if at is None else int(at)


@pytest.mark.asyncio
async def test_a_process_that_has_not_seen_a_record_does_not_shorten_it(
    one: StateStore, target: MemoryTarget
) -> None:
    await one.save_snapshot(snapshot(), ttl=9 * DAY)
    before = until(target)
    async with target.open() as cold:
        await cold.save_snapshot(snapshot(number=2), ttl=DAY)
    assert until(target) == before
    await one.save_snapshot(snapshot(number=3))  # forever, which the record outlives
    assert until(target) is None
    async with target.open() as cold:
        with pytest.raises(errors.VersionConflict):
            await cold.save_snapshot(snapshot(number=4), ttl=DAY, if_version=Version.ABSENT)
        await cold.tenant(ACME).load_snapshot(E1)
        await cold.save_snapshot(snapshot(number=4), ttl=DAY)
    assert until(target) is None


@pytest.mark.asyncio
async def test_a_record_is_written_again_only_to_live_longer(
    one: StateStore, target: MemoryTarget, clock: Clock
) -> None:
    await one.save_snapshot(snapshot(), ttl=DAY)
    first = until(target)
    clock.advance(DAY / 2)
    await one.save_snapshot(snapshot(), ttl=DAY)
    assert until(target) == first
    await one.save_snapshot(snapshot(), ttl=3 * DAY)
    assert until(target) == round((clock() + 8 * 86_400) * 1000)


@pytest.mark.asyncio
async def test_a_record_that_a_listing_shows_to_be_another_is_not_taken_for_the_one_before(
    one: StateStore, target: MemoryTarget, clock: Clock
) -> None:
    await one.save_snapshot(snapshot(), ttl=9 * DAY)
    async with target.open() as other:
        await other.delete_execution_state(E1)
        await other.save_snapshot(snapshot(), ttl=DAY)
    clock.advance(61)
    assert await one.load_snapshot(E1) is not None
    await one.save_snapshot(snapshot(), ttl=9 * DAY)
    record, expires = until(target), (clock() + 9 * 86_400) * 1000
    assert record is not None
    assert record > expires


@pytest.mark.asyncio
async def test_a_save_after_a_sweep_has_removed_the_record_writes_it_again(
    one: StateStore, clock: Clock, target: MemoryTarget
) -> None:
    await one.save_snapshot(snapshot(), ttl=1)
    clock.advance(2)
    assert (await one.sweep(margin=0)).owners == 1
    await one.save_snapshot(snapshot(), ttl=1)  # the record was seen less than a minute ago
    assert await target.open().load_snapshot(E1) is not None


@pytest.mark.usefixtures("_scripted")
def test_a_record_that_another_made_stay_longer_meanwhile_is_left() -> None:
    bucket = ScriptedBucket()
    name = f"p/{RECORD}"

    async def work() -> None:
        store = opened(bucket)
        await store.save_snapshot(snapshot(), ttl=DAY)

        async def overtaken(send: Send) -> object:
            if bucket.requests[-1].about == name and bucket.requests[-1].operation == "put":
                bucket.always = None
                await opened(bucket).save_snapshot(snapshot())
            return await send()

        bucket.always = overtaken
        await store.save_snapshot(snapshot(), ttl=9 * DAY)
        stored = bucket.inner._objects[name]
        assert isinstance(stored, Object)
        assert expires_ms(stored.info) is None

    run(work())


@pytest.mark.usefixtures("_scripted")
def test_a_record_that_this_process_wrote_during_its_removal_is_not_remembered() -> None:
    bucket = ScriptedBucket()
    name = f"p/{RECORD}"

    async def work() -> None:
        store = opened(bucket)
        await store.save_snapshot(snapshot(E1, ACME))

        async def overtaken(send: Send) -> object:
            if bucket.requests[-1].about == name and bucket.requests[-1].operation == "delete":
                bucket.always = None
                await store.save_snapshot(snapshot(E1, ACME, 2))
            return await send()

        bucket.always = overtaken
        await store.tenant(ACME).delete_execution_state(E1)
        assert name not in bucket.inner._objects
        await store.save_snapshot(snapshot(E1, ACME, 3))
        assert name in bucket.inner._objects

    run(work())

"""Keys without a snapshot: which ones count as orphans in a sweep, and which it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from statebucket import errors
from statebucket.port.bucket import Limits, Object, Page
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.scripted_bucket import ScriptedBucket, opened
from support.virtual_time import run

if TYPE_CHECKING:
    from statebucket import StateStore, Version

pytestmark = pytest.mark.usefixtures("_scripted")

HOUR = timedelta(hours=1)
KEYS = "p/tenants/acme/executions/e1/"


def written(bucket: ScriptedBucket, name: str, at: datetime | None) -> None:
    """Has a service show another time for an object."""
    found = bucket.inner._objects[name]
    info = msgspec.structs.replace(found.info, modified_at=at)
    bucket.inner._objects[name] = Object(info, found.body)


async def with_keys(bucket: ScriptedBucket, clock: Clock, *keys: str) -> StateStore:
    """A store on it, an hour after some keys of an execution were written."""
    store = opened(bucket, clock=clock)
    for key in keys:
        await store.tenant(ACME).set(f"exec:e1:{key}", b"v")
    clock.advance(HOUR)
    bucket.requests.clear()
    return store


def left(bucket: ScriptedBucket) -> list[str]:
    return [name.removeprefix(KEYS) for name in bucket.inner._names if name.startswith(KEYS)]


class ShortPages(ScriptedBucket):
    """A service whose pages hold one object each."""

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        return await super().list(prefix, after=after, limit=min(limit, 1), start_after=start_after)


@pytest.mark.parametrize("kind", [ScriptedBucket, ShortPages])
@pytest.mark.parametrize("just_now", [True, False])
def test_a_key_that_is_young_or_of_no_known_age_keeps_the_others(
    kind: type[ScriptedBucket], *, just_now: bool
) -> None:
    bucket, clock = kind(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a", "b", "c")
        now = datetime.fromtimestamp(clock(), UTC)
        written(bucket, f"{KEYS}c", now - timedelta(seconds=59) if just_now else None)
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys) == (1, 0)
        written(bucket, f"{KEYS}c", now - timedelta(seconds=61))
        assert (await store.sweep(orphans=True, margin=HOUR)).orphan_keys == 0
        assert left(bucket) == ["a", "b", "c"]
        assert (await store.sweep(orphans=True)).orphan_keys == 3
        assert left(bucket) == []

    run(work())


class Overtaken(ScriptedBucket):
    """A service where each key is written again just before it is deleted."""

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        await opened(self).tenant(ACME).set("exec:e1:a", b"fresh")
        return await super().delete(name, condition)


def test_a_fresh_write_survives() -> None:
    bucket, clock = Overtaken(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a")
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys, report.raced) == (1, 0, 1)
        assert await store.tenant(ACME).get("exec:e1:a") == b"fresh"

    run(work())


def test_once_a_key_is_written_again_the_next_pages_stay() -> None:
    class OvertakenPages(Overtaken, ShortPages):
        pass

    bucket, clock = OvertakenPages(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a", "b", "c")
        assert (await store.sweep(orphans=True)).raced == 1
        assert left(bucket) == ["a", "b", "c"]

    run(work())


def test_a_snapshot_that_has_expired_within_the_margin_counts() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a")
        await store.save_snapshot(snapshot(), ttl=HOUR)
        clock.advance(HOUR + timedelta(seconds=59))
        assert (await store.sweep(orphans=True)).orphans == 0
        clock.advance(1)
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys, report.owners) == (1, 1, 1)
        assert bucket.inner._names == []

    run(work())


def test_a_snapshot_that_cannot_be_read_is_one() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a")
        await store.save_snapshot(snapshot())
        name = "p/tenants/acme/snapshots/e1"
        found = bucket.inner._objects[name]
        info = msgspec.structs.replace(found.info, metadata={"expiresat": "soon"})
        bucket.inner._objects[name] = Object(info, b"junk")
        assert (await store.sweep(orphans=True)).orphans == 0
        assert left(bucket) == ["a"]

    run(work())


def test_where_listings_are_in_no_order_an_execution_is_examined_once() -> None:
    class InNoOrder(ScriptedBucket):
        async def list(
            self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
        ) -> Page:
            page = await super().list(
                prefix, after=after, limit=min(limit, 3), start_after=start_after
            )
            return Page(page.objects[::-1], page.following)

    bucket, clock = InNoOrder(limits=Limits(lists_in_order=False)), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a", "b", "c", "d")
        assert (await store.sweep(dry_run=True)).orphans == 1
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys) == (1, 4)

    run(work())


def test_an_execution_is_looked_at_once_for_all_its_keys() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a", "b", "c")
        view = store.tenant(ACME)
        await view.sweep()
        assert bucket.operations == ["list", "head"]
        bucket.requests.clear()
        await view.sweep(orphans=True)
        assert bucket.operations == ["list", "head", "list", "list", "delete", "delete", "delete"]

    run(work())


def test_what_may_not_be_looked_at_is_told_at_the_end() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_keys(bucket, clock, "a")
        await store.set("gone", b"v", timedelta(seconds=1))
        clock.advance(HOUR)
        bucket.refuse("head", after=0, kind=errors.AccessDenied)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep(orphans=True)
        assert list(caught.value.failures) == [KEYS]
        assert (caught.value.report.removed, caught.value.report.orphans) == (1, 0)
        assert left(bucket) == ["a"]

    run(work())


def test_keys_of_an_execution_of_several_tenants_are_no_orphans_while_one_has_a_snapshot() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.set("exec:e1:k", b"v")
        for tenant in ("aaa", "zzz"):
            await store.tenant(tenant).save_snapshot(snapshot(E1, tenant))
        clock.advance(HOUR)
        await store.tenant("aaa").delete_snapshot(E1)
        assert (await store.sweep(orphans=True)).orphans == 0
        await store.tenant("zzz").delete_snapshot(E1)
        report = await store.sweep(orphans=True)
        assert (report.orphan_keys, report.owners) == (1, 1)
        assert bucket.inner._names == []

    run(work())


async def with_lost_record(bucket: ScriptedBucket, clock: Clock) -> StateStore:
    """A store with a live execution that has keys without a tenant, and no owner record."""
    store = opened(bucket, clock=clock)
    for at in range(9):
        await store.tenant(ACME).set(f"k{at}", b"v")
        await store.set(f"k{at}", b"v")
    await store.set("exec:e1:k", b"v")
    await store.save_snapshot(snapshot())
    await bucket.inner.delete("p/owners/e1/acme")
    clock.advance(HOUR)
    return store


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_no_order_of_parts_takes_a_live_execution_for_an_orphan(n: int) -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_lost_record(bucket, clock)
        for part in reversed(await store.partitions(n)):
            assert (await store.sweep(orphans=True, partition=part)).orphan_keys == 0
        assert await store.get("exec:e1:k") == b"v"

    run(work())


def test_a_part_counts_an_orphans_keys_without_a_tenant_and_the_whole_removes_them() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.set("exec:e1:k", b"v")
        for at in range(9):
            await store.tenant(ACME).set(f"k{at}", b"v")
        clock.advance(HOUR)
        parts = [
            await store.sweep(orphans=True, partition=part) for part in await store.partitions(4)
        ]
        assert len(parts) > 1
        assert sum(report.orphans for report in parts) == 1
        assert sum(report.orphan_keys for report in parts) == 0
        assert (await store.sweep(orphans=True)).orphan_keys == 1

    run(work())


def test_without_having_written_a_lost_record_again_a_sweep_leaves_the_execution() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_lost_record(bucket, clock)
        report = await store.sweep(orphans=True, dry_run=True)
        assert (report.repaired, report.orphans, report.orphan_keys) == (1, 0, 0)
        await store.tenant("other").set("exec:e1:k", b"v")  # the other tenant's e1 has no snapshot
        assert (await store.sweep(orphans=True, dry_run=True)).orphans == 1
        await store.tenant("other").delete("exec:e1:k")
        bucket.refuse("put", after=0, kind=errors.AccessDenied)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep(orphans=True)
        assert caught.value.report.orphan_keys == 0
        assert await store.get("exec:e1:k") == b"v"

    run(work())


def test_the_keys_of_a_snapshot_whose_expiry_cannot_be_read_stay_without_its_record() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        store = await with_lost_record(bucket, clock)
        name = "p/tenants/acme/snapshots/e1"
        found = bucket.inner._objects[name]
        info = msgspec.structs.replace(found.info, metadata={"expiresat": "soon"})
        bucket.inner._objects[name] = Object(info, found.body)
        report = await store.sweep(orphans=True)
        assert (report.corrupt, report.orphan_keys) == (1, 0)
        assert await store.get("exec:e1:k") == b"v"

    run(work())

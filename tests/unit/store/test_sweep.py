"""Sweeps: what they must not remove, must not lose, and must leave."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from statebucket import errors
from statebucket.port.bucket import Object
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.foreign_objects import FOREIGN, place_beside
from support.scripted_bucket import ScriptedBucket, fail, opened, slowly, through
from support.virtual_time import run

if TYPE_CHECKING:
    from statebucket import Version
    from support.scripted_bucket import Send

pytestmark = pytest.mark.usefixtures("_scripted")

RECORD = "p/owners/e1/acme"


def test_a_sweep_goes_on_behind_an_object_that_it_may_not_remove_and_tells_at_the_end() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        for n in range(4):
            await store.tenant(ACME).set(f"k{n}", b"v", timedelta(minutes=1))
        await store.set("k", b"v", timedelta(minutes=1))
        clock.advance(3600)
        bucket.script.extend([through, fail(errors.AccessDenied)])
        with pytest.raises(errors.SweepIncomplete, match="1 failures") as caught:
            await store.sweep()
        assert len(caught.value.failures) == 1
        assert (caught.value.report.scanned, caught.value.report.removed) == (5, 4)
        assert (await store.sweep()).removed == 1

    run(work())


class Locked(ScriptedBucket):
    """A service that refuses to delete what is locked, as a legal hold has it."""

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        if "/locked" in name:
            raise errors.AccessDenied("it is locked", object_name=name)
        return await super().delete(name, condition)


def test_a_sweep_counts_all_that_is_refused_keeps_some_and_removes_what_lies_behind() -> None:
    clock = Clock()
    bucket = Locked()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        for n in range(150):
            await store.tenant(ACME).set(f"locked{n}", b"v", timedelta(minutes=1))
        await store.tenant(ACME).set("z", b"v", timedelta(minutes=1))
        clock.advance(3600)
        with pytest.raises(errors.SweepIncomplete, match="150 failures") as caught:
            await store.sweep()
        assert (caught.value.failed, len(caught.value.failures)) == (150, 100)
        assert (caught.value.report.expired, caught.value.report.removed) == (151, 1)
        assert "may have happened" not in str(caught.value)

    run(work())


def test_a_sweep_that_loses_the_service_says_what_it_did() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock, deadline=1)
        for n in range(4):
            await store.tenant(ACME).set(f"k{n}", b"v", timedelta(minutes=1))
        clock.advance(3600)
        bucket.refuse("delete", after=2, kind=errors.Unavailable)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep()
        assert caught.value.report.removed == 2
        bucket.refuse("list", after=0, kind=errors.AccessDenied)
        with pytest.raises(errors.AccessDenied):
            await store.sweep()

    run(work())


class Lost(ScriptedBucket):
    """A service that has lost the drives of some objects, and will never read or delete them."""

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        if "/lost" in name:
            raise errors.Unavailable("SlowDownWrite", object_name=name, outcome="unknown")
        return await super().delete(name, condition)


@pytest.mark.parametrize("lost", [1, 8])
def test_a_sweep_goes_on_behind_a_few_objects_that_fail_each_time(lost: int) -> None:
    clock = Clock()
    bucket = Lost()

    async def work() -> None:
        store = opened(bucket, clock=clock, deadline=1)
        for number in range(lost):
            await store.tenant(ACME).set(f"lost{number}", b"v", timedelta(minutes=1))
        await store.tenant(ACME).set("z", b"v", timedelta(minutes=1))
        await store.set("z", b"v", timedelta(minutes=1))  # in another listing
        clock.advance(3600)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep()
        assert (caught.value.failed, caught.value.report.removed) == (lost, 2)

    run(work())


def test_a_sweep_ends_where_nothing_succeeds_though_it_passes_live_keys() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock, deadline=1)
        for number in range(200):
            await store.set(f"k{number:03}", b"v", timedelta(minutes=1) if number % 2 else None)
        clock.advance(3600)
        bucket.refuse("delete", after=0, kind=errors.Unavailable)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep()
        assert caught.value.failed <= 9

    run(work())


def test_a_sweep_ends_where_nothing_succeeds_any_longer() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock, deadline=1)
        for number in range(100):
            await store.set(f"k{number}", b"v", timedelta(minutes=1))
        clock.advance(3600)
        bucket.refuse("delete", after=5, kind=errors.Unavailable)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep()
        assert (caught.value.failed, caught.value.report.removed) == (9, 5)

    run(work())


def test_a_dry_run_counts_the_record_of_what_is_gone_and_leaves_it() -> None:
    clock, bucket = Clock(), ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.save_snapshot(snapshot())
        await store.delete_snapshot(E1)
        clock.advance(3600)
        for _ in range(2):
            assert (await store.sweep(dry_run=True)).owners == 1
        assert list(bucket.inner._objects) == [RECORD]
        assert (await store.sweep()).owners == 1
        assert bucket.inner._objects == {}

    run(work())


def test_a_record_that_goes_while_a_sweep_looks_at_it_is_not_counted() -> None:
    clock, bucket = Clock(), ScriptedBucket()

    async def gone(send: Send) -> object:
        await bucket.inner.delete(RECORD)
        return await send()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.save_snapshot(snapshot())
        await store.delete_snapshot(E1)
        clock.advance(3600)
        bucket.script.extend([*[through] * 3, gone])  # the areas are listed
        assert (await store.sweep()).owners == 0
        assert bucket.operations[-1] == "get"

    run(work())


def test_a_record_that_a_sweep_writes_again_outlives_its_snapshot() -> None:
    clock, bucket = Clock(), ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.save_snapshot(snapshot(), ttl=timedelta(days=9))
        await bucket.inner.delete(RECORD)
        clock.advance(timedelta(days=1))
        assert (await store.sweep()).repaired == 1
        record, stored = bucket.inner._objects[RECORD], await store.load_stored(E1)
        assert stored is not None
        assert stored.expires_at is not None
        assert int(record.info.metadata["expiresat"]) > stored.expires_at.timestamp() * 1000

    run(work())


def test_a_sweep_that_can_no_longer_list_says_so_once_and_ends() -> None:
    clock, bucket = Clock(), ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.tenant(ACME).set("k", b"v", timedelta(minutes=1))
        clock.advance(3600)
        bucket.requests.clear()
        bucket.refuse("list", after=1, kind=errors.AccessDenied)
        with pytest.raises(errors.SweepIncomplete) as caught:
            await store.sweep()
        assert list(caught.value.failures) == ["p/shared/"]
        assert (caught.value.failed, caught.value.report.removed) == (1, 1)
        assert bucket.operations == ["list", "delete", "list"]

    run(work())


def test_a_sweep_leaves_an_owner_record_that_was_written_since_it_looked() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.save_snapshot(snapshot(), ttl=timedelta(hours=1))
        await store.delete_snapshot(E1)
        clock.advance(120)

        async def overtaken(send: Send) -> object:
            if bucket.requests[-1].operation == "delete":
                bucket.always = None
                # It outlives the record, which is written again for it.
                await opened(bucket, clock=clock).save_snapshot(snapshot(), ttl=timedelta(days=9))
            return await send()

        bucket.always = overtaken
        assert (await opened(bucket, clock=clock).sweep()).owners == 0
        assert await opened(bucket, clock=clock).load_snapshot(E1) is not None

    run(work())


def test_a_key_that_was_written_again_and_has_expired_again_counts_as_raced() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.set("k", b"v", timedelta(minutes=1))
        clock.advance(3600)

        async def overtaken(send: Send) -> object:
            if bucket.requests[-1].operation == "delete":
                bucket.always = None
                await opened(bucket, clock=clock).set("k", b"w", timedelta(minutes=1))
                clock.advance(3600)
            return await send()

        bucket.always = overtaken
        report = await store.sweep()
        assert (report.expired, report.removed, report.raced) == (1, 0, 1)
        assert (await store.sweep()).removed == 1

    run(work())


def test_a_sweep_leaves_what_no_store_wrote() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.tenant(ACME).set("k", b"v", ttl=timedelta(seconds=1))
        some = bucket.inner._objects["p/tenants/acme/keys/k"]
        place_beside(bucket, some)
        clock.advance(3600)
        report = await store.sweep()
        assert (report.expired, report.removed) == (1, 1)
        assert sorted(bucket.inner._objects) == sorted(FOREIGN)

    run(work())


@pytest.mark.parametrize("area", ["p/tenants/", "p/shared/", "p/owners/", "p/tenants/acme/"])
def test_a_sweep_removes_what_an_interrupted_examination_left(area: str) -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        await store.set("k", b"v", ttl=timedelta(days=1))
        some = bucket.inner._objects.pop("p/shared/keys/k")
        name = f"{area}statebucket-doctor-0badf00d"
        bucket.inner._objects[name] = Object(msgspec.structs.replace(some.info, name=name), b"")
        bucket.inner._names = [name]
        assert (await store.sweep()).removed == 0
        assert list(bucket.inner._objects) == [name]
        clock.advance(2 * 86_400)
        assert (await store.sweep()).removed == 1
        assert bucket.inner._objects == {}

    run(work())


def test_what_two_sweeps_at_once_remove_counts_once() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        acme = store.tenant(ACME)
        for n in range(50):
            await acme.set(f"k{n}", b"v", timedelta(minutes=1))
            await acme.save_snapshot(acme.snapshot(f"e{n}"), ttl=timedelta(minutes=1))
        clock.advance(3600)
        page = await bucket.list("p/tenants/", after=None, limit=1000)
        bucket.always = slowly
        both = await asyncio.gather(store.sweep(), opened(bucket, clock=clock).sweep())
        total = both[0] + both[1]
        assert (total.removed, total.owners, total.raced) == (100, 50, 0)
        assert total.bytes == sum(info.size for info in page.objects)

    run(work())


def test_what_two_sweeps_at_once_remove_of_orphans_counts_once() -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock)
        for n in range(50):
            await store.tenant(ACME).set(f"exec:e{n}:k", b"v")
        clock.advance(3600)
        bucket.always = slowly
        other = opened(bucket, clock=clock)
        both = await asyncio.gather(store.sweep(orphans=True), other.sweep(orphans=True))
        assert both[0].orphan_keys + both[1].orphan_keys == 50

    run(work())

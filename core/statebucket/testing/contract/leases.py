"""``lease`` and ``writer``."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import Version, errors
from statebucket.contract.lease import SKEW_MS
from statebucket.testing.contract.base import E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import RawObject, Target

HOUR = timedelta(hours=1)
SKEW = timedelta(milliseconds=SKEW_MS)
NAME = "tenants/acme/leases/e1"


def _ends_ms(found: RawObject | None) -> int:
    """When a stored lease ends, in milliseconds since the epoch."""
    assert found is not None
    return int(json.loads(found.body)["expires_ms"])


class LeaseContract(Contract):
    """One worker at a time."""

    async def test_after_its_snapshot_was_deleted_the_holder_saves_a_new_one(
        self, acme: StateStore
    ) -> None:
        await acme.save_snapshot(snapshot())
        async with acme.lease(E1, ttl=HOUR) as lease:
            await acme.save_snapshot(snapshot(number=2), lease=lease)
            await acme.delete_snapshot(E1)
            await acme.save_snapshot(snapshot(number=3), lease=lease)
            await acme.update_snapshot(E1, lambda current: current and current.advance())
            await acme.save_snapshot(snapshot(number=5), lease=lease)

    async def test_after_its_execution_was_deleted_the_holder_saves_a_new_one(
        self, acme: StateStore
    ) -> None:
        async with acme.lease(E1, ttl=HOUR) as lease:
            await acme.save_snapshot(snapshot(), lease=lease)
            await acme.delete_execution_state(E1)
            await acme.save_snapshot(snapshot(number=2), lease=lease)

    async def test_only_one_holder_at_a_time(self, acme: StateStore, target: Target) -> None:
        async with acme.lease(E1, ttl=HOUR) as lease:
            lease.check()
            async with target.open() as other:
                with pytest.raises(errors.LeaseHeld):
                    async with other.tenant("acme").lease(E1, ttl=HOUR):
                        pass
                async with other.tenant("acme").lease("e2", ttl=HOUR):
                    pass
        assert not lease.held
        async with target.open() as other, other.tenant("acme").lease(E1, ttl=HOUR) as second:
            assert second.fence > lease.fence

    async def test_fences_only_grow_and_the_object_stays(
        self, acme: StateStore, target: Target
    ) -> None:
        fences = []
        for _ in range(3):
            async with acme.lease(E1, ttl=HOUR) as lease:
                fences.append(lease.fence)
        assert fences == sorted(set(fences))
        assert target.raw_names() == [NAME]
        await acme.save_snapshot(snapshot())
        await acme.delete_execution_state(E1)
        assert target.raw_names() == [NAME]

    async def test_a_lease_that_ran_out_is_taken_over_with_room_for_skew(
        self, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        async with acme.lease(E1, ttl=HOUR) as late:
            clock.advance(HOUR + SKEW - timedelta(milliseconds=1))
            assert not late.held
            other = target.open().tenant("acme")
            with pytest.raises(errors.LeaseHeld):
                async with other.lease(E1, ttl=HOUR):
                    pass
            clock.advance(timedelta(milliseconds=1))
            async with other.lease(E1, ttl=HOUR) as lease:
                assert lease.fence > late.fence
            await other.shutdown()

    @pytest.mark.parametrize("wait", [timedelta(seconds=9), 9, 9.5])
    async def test_one_waits_for_another(
        self, acme: StateStore, target: Target, wait: timedelta | float
    ) -> None:
        order = []
        entered = asyncio.Event()

        async def first() -> None:
            async with acme.lease(E1, ttl=HOUR):
                order.append("first in")
                entered.set()
                await asyncio.sleep(0.2)
                order.append("first out")

        async def second() -> None:
            await entered.wait()
            other = target.open()
            async with other.tenant("acme").lease(E1, ttl=HOUR, wait=wait):
                order.append("second in")
            await other.shutdown()

        await asyncio.gather(first(), second())
        assert order == ["first in", "first out", "second in"]

    async def test_saves_under_a_lease_go_on_from_each_other(self, acme: StateStore) -> None:
        await acme.save_snapshot(snapshot(number=1))
        async with acme.lease(E1, ttl=HOUR) as lease:
            for number in (2, 3):
                await acme.save_snapshot(snapshot(number=number), lease=lease)
            assert (await _loaded(acme)) == 3
            await acme.save_snapshot(snapshot(number=4), lease=lease, only_newer=True)
            with pytest.raises(errors.StaleSnapshot):
                await acme.save_snapshot(snapshot(number=1), lease=lease, only_newer=True)
        with pytest.raises(errors.LeaseLost):
            await acme.save_snapshot(snapshot(number=5), lease=lease)
        assert (await _loaded(acme)) == 4

    async def test_a_late_holder_cannot_overwrite_its_successor(
        self, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        async with acme.lease(E1, ttl=HOUR) as late:
            await acme.save_snapshot(snapshot(number=1), lease=late)
            clock.advance(HOUR + SKEW)
            other = target.open().tenant("acme")
            async with other.lease(E1, ttl=HOUR) as lease:
                await other.load_snapshot(E1)
                await other.save_snapshot(snapshot(number=2), lease=lease)
                # By its own clock, which was stopped with it, the late one still holds the lease.
                clock.advance(-(HOUR + SKEW))
                assert late.held
                with pytest.raises(errors.LeaseLost):
                    await acme.save_snapshot(snapshot(number=9), lease=late)
                clock.advance(HOUR + SKEW)
            await other.shutdown()
        assert (await _loaded(acme)) == 2

    async def test_a_save_without_the_lease_is_a_conflict_for_its_holder(
        self, acme: StateStore, target: Target
    ) -> None:
        async with acme.lease(E1, ttl=HOUR) as lease:
            await acme.save_snapshot(snapshot(number=1), lease=lease)
            async with target.open() as other:
                await other.save_snapshot(snapshot(number=2))
            with pytest.raises(errors.VersionConflict):
                await acme.save_snapshot(snapshot(number=3), lease=lease)
            await acme.load_snapshot(E1)  # what was loaded under the lease may be replaced
            await acme.save_snapshot(snapshot(number=3), lease=lease)

    async def test_a_lease_is_renewed_while_it_is_held(self, target: Target) -> None:
        store = target.open(clock=None)  # the real time, in which renewals happen
        ttl = timedelta(seconds=3)  # its renewals have time on a slow machine
        await store.exists("warm")  # making the client is no part of the lease's time
        async with store.tenant("acme").lease(E1, ttl=ttl) as lease:
            # In threads: no renewal would run while a client waits for its answer in this one.
            taken = await asyncio.to_thread(target.raw_get, NAME)
            await asyncio.sleep(1.5)  # a renewal is due after a third
            renewed = await asyncio.to_thread(target.raw_get, NAME)
            assert lease.held
            assert _ends_ms(renewed) > _ends_ms(taken)
        await store.shutdown()

    async def test_through_the_store_the_owner_is_found(self, store: StateStore) -> None:
        with pytest.raises(errors.UnsupportedOperation):
            async with store.lease(E1, ttl=HOUR):
                pass
        await store.save_snapshot(snapshot(number=1))
        async with store.lease(E1, ttl=HOUR) as lease:
            await store.save_snapshot(snapshot(number=2), lease=lease)

    async def test_bad_leases_are_refused(self, acme: StateStore) -> None:
        for ttl in (0, -1, None, math.inf, True, 86_401, timedelta(0), timedelta(seconds=-1)):
            with pytest.raises(errors.InvalidTTL):
                async with acme.lease(E1, ttl=ttl):  # type: ignore[arg-type]  # that is the point
                    pass
        for wait in (timedelta(seconds=-1), -1, math.nan, True, "9"):
            with pytest.raises(errors.InvalidArgument, match="wait"):
                async with acme.lease(E1, ttl=HOUR, wait=wait):  # type: ignore[arg-type]  # likewise
                    pass
        async with acme.lease(E1, ttl=3600, wait=0) as lease:
            with pytest.raises(errors.InvalidArgument):
                await acme.save_snapshot(snapshot("e2"), lease=lease)
            with pytest.raises(errors.InvalidArgument):
                await acme.save_snapshot(snapshot(), lease=lease, if_version=Version.ABSENT)
            with pytest.raises(errors.InvalidArgument):
                await acme.save_snapshot(snapshot(), lease="mine")  # type: ignore[arg-type]


class WriterContract(Contract):
    """Many saves, few writes."""

    async def test_the_latest_of_many_is_written(self, acme: StateStore) -> None:
        async with acme.writer(E1) as writer:
            for number in range(50):
                writer.save(snapshot(number=number))
        assert (await _loaded(acme)) == 49
        assert writer.saved + writer.dropped == 50
        assert writer.saved >= 1
        stored = await acme.load_stored(E1)
        assert stored is not None
        assert stored.version == writer.version

    async def test_flush_waits_for_what_was_handed_over(self, acme: StateStore) -> None:
        async with acme.writer(E1) as writer:
            writer.save(snapshot(number=1))
            version = await writer.flush()
            assert (await _loaded(acme)) == 1
            stored = await acme.load_stored(E1)
            assert stored is not None
            assert stored.version == version

    async def test_an_error_is_told(self, acme: StateStore, target: Target) -> None:
        async with target.open() as other:
            await other.save_snapshot(snapshot(number=9))
        async with acme.writer(E1, only_newer=True) as writer:
            writer.save(snapshot(number=1))
            with pytest.raises(errors.StaleSnapshot):
                await writer.flush()
            await writer.flush()  # told once
        assert (await _loaded(acme)) == 9

    async def test_it_is_for_one_execution(self, acme: StateStore) -> None:
        async with acme.writer(E1) as writer:
            with pytest.raises(errors.InvalidSnapshot):
                writer.save(snapshot("e2"))
            with pytest.raises(errors.InvalidSnapshot):
                writer.save({})  # type: ignore[arg-type]  # that is the point

    async def test_it_is_used_in_its_block(self, acme: StateStore, target: Target) -> None:
        writer = acme.writer(E1)
        with pytest.raises(errors.UnsupportedOperation, match=r"async with store\.writer"):
            writer.save(snapshot())
        async with writer:
            pass
        with pytest.raises(errors.UnsupportedOperation, match="closed"):
            writer.save(snapshot())
        assert target.raw_names() == []

    async def test_what_was_handed_over_is_written_when_the_block_fails(
        self, acme: StateStore
    ) -> None:
        async def failing() -> None:
            async with acme.writer(E1) as writer:
                writer.save(snapshot(number=3))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await failing()
        assert (await _loaded(acme)) == 3


async def _loaded(store: StateStore) -> int:
    loaded = await store.load_snapshot(E1)
    assert loaded is not None
    return loaded.sequence_number

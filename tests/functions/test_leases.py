"""Leases whose holders are killed, race, have wrong clocks or lose the network."""

from __future__ import annotations

import asyncio
import itertools
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.contract.lease import SKEW_MS
from statebucket.testing import Clock
from support.competing_processes import line, rest, started
from support.fault_proxy.proxy import (
    BlackHole,
    DropReply,
    FaultProxy,
    HangBeforeReply,
    HoldReplyUntil,
    on,
    s3_error,
)
from support.patience import happened
from support.places import ACME, E1, REMOTE, SERVICES, Place, snapshot
from support.selection import examples

if TYPE_CHECKING:
    from statebucket import StateStore
    from support.fault_proxy.proxy import Recorded

pytestmark = pytest.mark.asyncio
on_each = pytest.mark.parametrize("place", SERVICES, indirect=True)
everywhere = pytest.mark.parametrize("place", ["memory", *SERVICES], indirect=True)
over_a_network = pytest.mark.parametrize("place", REMOTE, indirect=True)
on_s3 = pytest.mark.parametrize("place", ["s3"], indirect=True)

# Where a lease is renewed, each third of this, its holder's clock stands still: it lasts however
# long the machine lets the holder wait.
TTL = timedelta(seconds=3)
STARTED = timedelta(minutes=10)  # a process has taken its lease by then
HOUR = timedelta(hours=1)
SKEW = SKEW_MS / 1000
RECORD = "leases"


@on_each
async def test_the_lease_of_a_killed_holder_is_taken_over(place: Place) -> None:
    clock = Clock()
    async with place.open(clock=clock) as store:
        acme = store.tenant(ACME)
        with started(place, "hold", HOUR.total_seconds()) as holder:
            dead = line(holder)
            holder.kill()
            holder.wait()
        for passed in (timedelta(), HOUR):  # after an hour, the seconds for clocks that differ
            clock.advance(passed)
            with pytest.raises(errors.LeaseHeld):
                async with acme.lease(E1, ttl=HOUR):
                    pass
        clock.advance(STARTED)
        async with acme.lease(E1, ttl=HOUR) as lease:
            assert lease.fence > dead["fence"]
            found = await acme.load_snapshot(E1)
            assert found is not None
            assert found.sequence_number == 1
            await acme.save_snapshot(snapshot(2), lease=lease)


@pytest.mark.slow
@on_each
async def test_two_processes_that_race_lose_no_update(place: Place) -> None:
    seconds = examples(2.0, 3.0)
    with started(place, "increment", seconds) as one, started(place, "increment", seconds) as two:
        turns = [rest(one), rest(two)]
    assert all(turns), "each had its turn"
    done = sorted(itertools.chain(*turns), key=lambda turn: turn["number"])
    assert [turn["number"] for turn in done] == list(range(1, len(done) + 1))
    fences = [turn["fence"] for turn in done]
    assert fences == sorted(set(fences))
    for earlier, later in itertools.pairwise(done):
        assert earlier["left"] <= later["entered"], "two held it at the same time"
    async with place.open() as store:
        found = await store.tenant(ACME).load_snapshot(E1)
        assert found is not None
        assert found.sequence_number == len(done)


@everywhere
@pytest.mark.parametrize("skew", [-SKEW, -1.0, 0.0, 1.0, SKEW])
async def test_clocks_within_the_bound_never_give_two_holders(place: Place, skew: float) -> None:
    clock = Clock()
    started_at = clock()
    ttl = 600  # renewed each 200 s that really pass: not while this runs
    async with (
        place.open(clock=clock) as first,
        place.open(clock=lambda: clock() + skew) as second,
        first.tenant(ACME).lease(E1, ttl=ttl) as early,
    ):
        clock.advance(ttl - SKEW)
        while True:  # the holder is paused, and its time goes by
            try:
                async with second.tenant(ACME).lease(E1, ttl=HOUR) as late:
                    assert late.held
                    assert not early.held
                    assert late.fence > early.fence
                    break
            except errors.LeaseHeld:
                clock.advance(0.5)
        assert clock() - started_at <= ttl + 2 * SKEW + 0.5


@everywhere
async def test_fences_grow_whatever_the_clocks_say(place: Place) -> None:
    clock = Clock()
    fences = []
    for skew in (0, 3600, -3600, -7200, 0):
        async with (
            place.open(clock=lambda ahead=skew: clock() + ahead) as store,
            store.tenant(ACME).lease(E1, ttl=TTL) as lease,
        ):
            fences.append(lease.fence)
    assert fences == sorted(set(fences))


@everywhere
@pytest.mark.parametrize("quicker", ["holder", "successor"])
async def test_beyond_the_bound_the_condition_of_the_save_protects(
    place: Place, quicker: str
) -> None:
    clock = Clock()
    async with (
        place.open(clock=clock) as first,
        place.open(clock=lambda: clock() + 60) as second,
    ):
        holder, successor = first.tenant(ACME), second.tenant(ACME)
        await holder.save_snapshot(snapshot(1))
        async with holder.lease(E1, ttl=timedelta(seconds=10)) as early:
            await holder.load_snapshot(E1)
            async with successor.lease(E1, ttl=HOUR) as late:
                assert early.held
                assert late.held
                await successor.load_snapshot(E1)
                if quicker == "holder":
                    await holder.save_snapshot(snapshot(2, variables={"by": 1}), lease=early)
                    with pytest.raises(errors.VersionConflict):
                        await successor.save_snapshot(snapshot(2), lease=late)
                    assert await _number(successor) == 2  # loads, and may go on from there
                    await successor.save_snapshot(snapshot(3), lease=late)
                else:
                    await successor.save_snapshot(snapshot(3), lease=late)
                    with pytest.raises(errors.LeaseLost):
                        await holder.save_snapshot(snapshot(9), lease=early)
                    with pytest.raises(errors.LeaseLost):
                        early.check()
        assert await _number(holder) == 3


@over_a_network
async def test_a_lease_that_cannot_be_renewed_is_lost(place: Place) -> None:
    proxy, clock = _proxy(place), Clock()
    async with place.open(clock=clock) as store:
        acme = store.tenant(ACME)
        async with acme.lease(E1, ttl=TTL) as lease:
            await acme.save_snapshot(snapshot(1), lease=lease)
            proxy.clear()
            proxy.always(BlackHole())
            await asyncio.to_thread(proxy.wait_for, _writes)
            lease.check()
            clock.advance(TTL)
            assert not lease.held
            with pytest.raises(errors.LeaseLost):
                lease.check()
            proxy.heal()
            with pytest.raises(errors.LeaseLost):
                await acme.save_snapshot(snapshot(2), lease=lease)
        assert await _number(acme) == 1


@over_a_network
@pytest.mark.parametrize("fault", [DropReply, HangBeforeReply])
async def test_a_renewal_whose_reply_is_lost_is_not_taken_for_another_holder(
    place: Place, fault: type[DropReply | HangBeforeReply]
) -> None:
    proxy = _proxy(place)
    async with place.open(clock=Clock()) as store:
        acme = store.tenant(ACME)
        async with acme.lease(E1, ttl=TTL) as lease:
            proxy.clear()
            proxy.plan(fault(when=_writes))
            # The renewal after 1 s and, since that one counts, the next after 2.
            await happened(lambda: sum(map(_writes, proxy.requests)) >= 3 or not lease.held)
            lease.check()
            assert not proxy.pending
            await acme.save_snapshot(snapshot(1), lease=lease)


@over_a_network
async def test_a_lease_given_up_in_the_middle_of_a_renewal_is_free(place: Place) -> None:
    proxy = _proxy(place)
    async with place.open(clock=Clock()) as store:
        acme = store.tenant(ACME)
        async with acme.lease(E1, ttl=TTL):
            proxy.clear()
            proxy.plan(HangBeforeReply(when=_writes))
            renewal = await asyncio.to_thread(proxy.wait_for, _writes)
            await happened(lambda: renewal.server_status)
        async with acme.lease(E1, ttl=TTL):
            pass


@on_s3
async def test_a_lease_that_is_taken_but_not_entered_is_given_back(place: Place) -> None:
    proxy = _proxy(place)
    async with place.open() as store:
        acme = store.tenant(ACME)
        proxy.plan(s3_error(403, "AccessDenied", when=on("HEAD")))
        with pytest.raises(errors.AccessDenied):
            async with acme.lease(E1, ttl=HOUR):
                pass
        async with acme.lease(E1, ttl=HOUR, wait=timedelta(seconds=60)):
            pass


@pytest.mark.slow
@on_each
async def test_interleaved_saves_of_two_workers_never_go_backwards(place: Place) -> None:
    seen = [0]
    async with place.open() as store:
        acme = store.tenant(ACME)
        seconds = examples(2.0, 3.0)
        with (
            started(place, "newer", seconds, 1) as one,
            started(place, "newer", seconds, 2) as two,
        ):
            while one.poll() is None or two.poll() is None:
                seen.append(await _number(acme))
                await asyncio.sleep(0.02)
            workers = [*rest(one), *rest(two)]
        seen.append(await _number(acme))
    assert seen == sorted(seen)
    assert seen[-1] == max(worker["last"] for worker in workers)
    assert all(worker["stale"] and worker["last"] for worker in workers)
    assert len(set(seen)) > 5


def _writes(request: Recorded) -> bool:
    """Whether a request writes a lease's record, on any of the services."""
    about = RECORD in request.target or RECORD.encode() in request.body[:1000]
    return about and request.method in {"PUT", "POST"}


def _proxy(place: Place) -> FaultProxy:
    assert place.proxy is not None
    return place.proxy


async def _number(store: StateStore) -> int:
    found = await store.load_snapshot(E1)
    return 0 if found is None else found.sequence_number


@over_a_network
async def test_a_load_that_ends_after_a_save_does_not_take_the_lease_back(place: Place) -> None:
    proxy, reads = _proxy(place), on("GET", contains="snapshots")
    async with place.open(deadline=60) as store:  # the load is held, and must not be tried again
        acme = store.tenant(ACME)
        await acme.save_snapshot(snapshot(1))
        async with acme.lease(E1, ttl=HOUR) as lease:
            proxy.clear()
            saved = threading.Event()
            proxy.plan(HoldReplyUntil(saved.is_set, when=reads))
            load = asyncio.create_task(acme.load_snapshot(E1))
            read = await asyncio.to_thread(proxy.wait_for, reads)
            await happened(lambda: read.server_status)
            await acme.save_snapshot(snapshot(2), lease=lease)
            saved.set()
            loaded = await load
            assert loaded is not None
            assert loaded.sequence_number == 1
            await acme.save_snapshot(snapshot(3), lease=lease)

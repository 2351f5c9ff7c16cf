"""A lease is released, no matter what happens to its holder."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from statebucket import StateStore, errors
from statebucket.port.bucket import Object
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.scripted_bucket import (
    ScriptedBucket,
    done_but_no_answer,
    fail,
    lose,
    opened,
    take,
    through,
)
from support.virtual_time import now, run

if TYPE_CHECKING:
    from support.scripted_bucket import Send

pytestmark = pytest.mark.usefixtures("_scripted")

TTL = timedelta(hours=1)


async def is_free(bucket: ScriptedBucket) -> bool:
    bucket.script.clear()
    await asyncio.sleep(1)  # for what no one waits for
    try:
        async with opened(bucket).tenant(ACME).lease(E1, ttl=TTL):
            return True
    except errors.LeaseHeld:
        return False


async def hold(store: StateStore) -> None:
    async with store.tenant(ACME).lease(E1, ttl=TTL):
        await asyncio.sleep(100)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_holder_cancelled_while_it_takes_the_lease_leaves_it_free(at: int) -> None:
    bucket = ScriptedBucket(*[through] * at, done_but_no_answer)

    async def work() -> None:
        task = asyncio.create_task(hold(opened(bucket)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await is_free(bucket)

    run(work())


def test_a_lease_whose_answer_never_came_is_given_back_after_the_deadline() -> None:
    bucket = ScriptedBucket(through, done_but_no_answer)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(errors.DeadlineExceeded, match=r"^lease: ") as caught:
            await hold(opened(bucket, deadline=2))
        assert loop.time() == pytest.approx(2)
        assert caught.value.outcome == "unknown"
        assert await is_free(bucket)

    run(work())


def test_of_two_who_take_a_free_lease_at_once_one_is_refused_and_leaves_the_other_s() -> None:
    bucket, other = ScriptedBucket(), ScriptedBucket()
    other.inner = bucket.inner

    async def work() -> None:
        async with AsyncExitStack() as held:

            async def too_late(send: Send) -> Any:
                quicker = opened(other).tenant(ACME).lease(E1, ttl=TTL)
                lease = await held.enter_async_context(quicker)
                held.callback(lease.check)
                return await send()

            bucket.script.extend([through, too_late])
            with pytest.raises(errors.LeaseHeld, match="another worker took the lease first"):
                await hold(opened(bucket))
            await asyncio.sleep(1)
            assert bucket.operations == ["get", "put", "head"]

    run(work())


def test_a_lease_that_was_refused_is_not_written_once_more() -> None:
    bucket = ScriptedBucket(through, fail(errors.AccessDenied))

    async def work() -> None:
        with pytest.raises(errors.AccessDenied):
            await hold(opened(bucket))
        await asyncio.sleep(1)
        assert bucket.operations == ["get", "put"]

    run(work())


def test_a_holder_cancelled_twice_on_its_way_out_leaves_it_free() -> None:
    bucket = ScriptedBucket(through, through, through, take(5))

    async def work() -> None:
        task = asyncio.create_task(hold(opened(bucket)))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)  # the release is on its way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(5)
        assert await is_free(bucket)

    run(work())


def test_a_save_that_may_have_been_before_the_successors_leaves_its_outcome_open() -> None:
    bucket, clock = ScriptedBucket(), Clock()
    other = ScriptedBucket()
    other.inner = bucket.inner
    acme, rival = (opened(one, clock=clock).tenant(ACME) for one in (bucket, other))

    async def succeed() -> None:
        clock.advance(2 * TTL)
        async with rival.lease(E1, ttl=TTL) as lease:
            await rival.save_snapshot(snapshot(number=2), lease=lease)

    async def work() -> None:
        async with acme.lease(E1, ttl=TTL) as lease:
            bucket.script.extend([through, lose(succeed)])  # the owner record, the snapshot
            with pytest.raises(errors.LeaseLost, match="and saved") as caught:
                await acme.save_snapshot(snapshot(number=1), lease=lease)
            assert caught.value.outcome == "unknown"
            with pytest.raises(errors.LeaseLost) as later:
                await acme.save_snapshot(snapshot(number=1), lease=lease)
            assert later.value.outcome == "none"

    run(work())


def test_a_save_that_loses_after_the_lease_s_record_was_removed_has_lost_the_lease() -> None:
    async def work() -> None:
        bucket = ScriptedBucket()
        acme, rival = (opened(bucket).tenant(ACME) for _ in range(2))
        async with acme.lease(E1, ttl=TTL) as lease:
            await acme.save_snapshot(snapshot(number=1), lease=lease)
            await opened(bucket).delete_tenant(ACME)
            await rival.save_snapshot(snapshot(number=2))
            with pytest.raises(errors.LeaseLost) as lost:
                await acme.save_snapshot(snapshot(number=3), lease=lease)
            assert lost.value.object_name == "p/tenants/acme/leases/e1"

    run(work())


def test_a_lease_is_for_no_execution_of_the_same_id_of_another_tenant() -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket)
        async with store.tenant(ACME).lease(E1, ttl=TTL) as lease:
            before = len(bucket.requests)
            with pytest.raises(
                errors.InvalidArgument, match="of tenant 'acme', the snapshot is of"
            ):
                await store.save_snapshot(snapshot(E1, "globex"), lease=lease)
            assert len(bucket.requests) == before

    run(work())


def test_what_was_loaded_just_after_a_save_counts() -> None:
    async def work() -> None:
        bucket = ScriptedBucket()
        acme, rival = (opened(bucket, deadline=10).tenant(ACME) for _ in range(2))
        async with acme.lease(E1, ttl=TTL) as lease:
            await asyncio.sleep(0.7)  # to which 10 cannot be added and taken away again
            await acme.save_snapshot(snapshot(number=1), lease=lease)
            await rival.save_snapshot(snapshot(number=2))
            assert await acme.load_snapshot(E1) is not None
            await acme.save_snapshot(snapshot(number=3), lease=lease)

    run(work())


def test_what_was_loaded_counts_for_the_lease_that_is_held_not_for_one_that_ran_out() -> None:
    clock = Clock()

    async def work() -> None:
        bucket = ScriptedBucket()
        acme, rival = (opened(bucket, clock=clock).tenant(ACME) for _ in range(2))
        async with AsyncExitStack() as late:
            await late.enter_async_context(acme.lease(E1, ttl=TTL))
            clock.advance(2 * TTL)
            async with acme.lease(E1, ttl=TTL) as lease:
                await late.aclose()
                await rival.save_snapshot(snapshot(number=1))
                assert await acme.load_snapshot(E1) is not None
                await acme.save_snapshot(snapshot(number=2), lease=lease)

    run(work())


def test_a_store_keeps_nothing_of_a_lease_that_was_given_back() -> None:
    async def work() -> None:
        acme = opened(ScriptedBucket()).tenant(ACME)
        async with acme.lease(E1, ttl=TTL) as lease:
            left = weakref.ref(lease)
        del lease
        gc.collect()
        assert left() is None

    run(work())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_does_not_hold_its_parent_s_lease_and_leaves_it_alone() -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        block = opened(bucket).tenant(ACME).lease(E1, ttl=TTL)
        async with block as lease:
            before = len(bucket.requests)
            child = os.fork()
            if not child:
                status = 1
                try:
                    assert not lease.held
                    with pytest.raises(errors.LeaseLost, match="held by the parent"):
                        lease.check()
                    await block.__aexit__(None, None, None)
                    assert len(bucket.requests) == before
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0  # noqa: ASYNC222  (it waits for nothing)
            lease.check()

    run(work())


@pytest.mark.parametrize("within", [False, True])
def test_a_lease_that_was_taken_cannot_be_taken_again(within: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        block = opened(ScriptedBucket()).tenant(ACME).lease(E1, ttl=TTL)
        async with block as lease:
            if within:
                with pytest.raises(errors.UnsupportedOperation, match="cannot be reused"):
                    await block.__aenter__()
                lease.check()
        with pytest.raises(errors.UnsupportedOperation, match="cannot be reused"):
            async with block:
                pass

    run(work())


def test_a_lease_is_renewed_past_a_queue_of_other_requests() -> None:
    bucket = ScriptedBucket(always=take(0.2))

    async def work() -> None:
        acme = opened(bucket, max_in_flight=4, deadline=1000).tenant(ACME)
        async with acme.lease(E1, ttl=timedelta(seconds=3)) as lease:
            await asyncio.gather(*(acme.set(f"k{n}", b"v") for n in range(400)))
            lease.check()
        assert bucket.most_running == 4
        with pytest.raises(errors.LeaseLost, match="given up"):
            lease.check()
        with pytest.raises(errors.UnsupportedOperation, match="cannot be reused"):
            await lease.__aenter__()

    run(work())


def test_a_lease_that_expires_says_why_it_was_not_renewed() -> None:
    bucket, clock = ScriptedBucket(), Clock()

    async def work() -> None:
        acme = opened(bucket, clock=clock).tenant(ACME)
        async with acme.lease(E1, ttl=timedelta(seconds=3)) as lease:
            bucket.always = fail(errors.InvalidCredentials)
            await asyncio.sleep(2)
            lease.check()  # there is time to renew it yet
            clock.advance(3)
            for _ in range(2):
                with pytest.raises(
                    errors.LeaseLost, match="before it was renewed: refused"
                ) as lost:
                    lease.check()
                assert isinstance(lost.value.__cause__, errors.InvalidCredentials)

    run(work())


def test_a_lease_that_expires_before_any_renewal_is_lost() -> None:
    clock = Clock()

    async def work() -> None:
        acme = opened(ScriptedBucket(), clock=clock).tenant(ACME)
        async with acme.lease(E1, ttl=TTL) as lease:
            clock.advance(TTL)
            with pytest.raises(errors.LeaseLost) as lost:
                await acme.save_snapshot(snapshot(), lease=lease)
            assert lost.value.message == "lease lost: it expired before it was renewed"
            assert lost.value.outcome == "none"

    run(work())


@pytest.mark.parametrize("ttl", [timedelta(days=1, microseconds=1000), timedelta.max])
def test_a_lease_that_no_one_could_break_is_refused(ttl: timedelta) -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        with pytest.raises(errors.InvalidTTL, match="over 86400 s"):
            async with opened(bucket).tenant(ACME).lease(E1, ttl=ttl):
                pass

    run(work())
    assert bucket.requests == []


@pytest.mark.parametrize(
    ("ahead", "held"),
    [
        (timedelta(hours=23), True),
        (timedelta(days=1), True),
        (timedelta(days=1, seconds=2), True),  # by a clock that is ahead as far as one may be
        (timedelta(days=1, seconds=2, milliseconds=1), False),
        (timedelta(days=1, seconds=10), False),
        (timedelta(days=30000), False),
    ],
)
def test_a_record_that_ends_later_than_any_lease_may_is_void(
    *, ahead: timedelta, held: bool
) -> None:
    clock = Clock()
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, clock=clock).tenant(ACME)
        await store.set("k", b"")
        ends = int((clock() + ahead.total_seconds()) * 1000)
        record = b'{"holder": "forged", "fence": 7, "expires_ms": %d}' % ends
        some = bucket.inner._objects["p/tenants/acme/keys/k"]
        info = msgspec.structs.replace(some.info, name="p/tenants/acme/leases/e1")
        bucket.inner._objects[info.name] = Object(info, record)
        if held:
            with pytest.raises(errors.LeaseHeld, match="which includes 2 s for clocks that differ"):
                await hold(store)
        else:
            async with store.lease(E1, ttl=TTL) as lease:
                assert lease.fence > 7
                lease.check()

    run(work())


@pytest.mark.parametrize("wait", [20, timedelta(seconds=20)])
def test_one_who_waits_looks_about_once_a_second_and_no_longer_than_that(
    wait: timedelta | float,
) -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        async with opened(bucket).tenant(ACME).lease(E1, ttl=TTL):
            began, before = now(), len(bucket.requests)
            with pytest.raises(errors.LeaseHeld):
                async with opened(bucket).tenant(ACME).lease(E1, ttl=TTL, wait=wait):
                    pass
            assert now() - began == pytest.approx(20)
            looks = bucket.operations[before:]
            assert set(looks) == {"get"}
            assert 20 <= len(looks) <= 25

    run(work())


def test_one_who_waits_is_told_when_the_lease_ends_in_whole_seconds() -> None:
    async def work() -> None:
        store = opened(ScriptedBucket(), clock=Clock()).tenant(ACME)
        async with store.lease(E1, ttl=timedelta(seconds=60)):
            with pytest.raises(errors.LeaseHeld, match=r"in 62 s, which includes 2 s for clocks"):
                await hold(store)

    run(work())

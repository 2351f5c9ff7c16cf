"""Requests in flight: their number, their memory, and what a cancelled one leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import ExecutionSnapshot, ExecutionState, errors
from statebucket.port.waiting import here, step
from statebucket.store.limiter import Limiters
from statebucket.testing.contract.base import snapshot
from support.meanwhile import at_line
from support.scripted_bucket import ScriptedBucket, done_but_no_answer, fail, hang, opened, take
from support.virtual_time import VirtualLoop, now, run

if TYPE_CHECKING:
    from types import FrameType

pytestmark = pytest.mark.usefixtures("_scripted")


@pytest.mark.parametrize("bound", [1, 3, 7])
def test_no_more_requests_are_in_flight_than_was_asked_for(bound: int) -> None:
    bucket = ScriptedBucket(always=take(1))

    async def work() -> float:
        store = opened(bucket, max_in_flight=bound, deadline=100)
        views = [store, store.tenant("a"), store.tenant("b").with_deadline(50)]
        await asyncio.gather(
            *(view.set(f"k{n}", b"v") for n in range(7) for view in views),
            *(view.get("k") for view in views),
            *(view.list_snapshots("a") for view in views[:2]),
            *(view.exists("k") for view in views),
        )
        return now()

    seconds = run(work())
    assert bucket.most_running == bound
    # And no fewer: 29 requests of one second, so many at a time.
    assert seconds == -(-29 // bound)


def test_loops_that_run_by_turns_have_a_limit_each() -> None:
    bucket = ScriptedBucket(hang)
    store = opened(bucket, max_in_flight=1)
    with (
        asyncio.Runner(loop_factory=VirtualLoop) as one,
        asyncio.Runner(loop_factory=VirtualLoop) as other,
    ):

        async def start(key: str) -> asyncio.Task[bytes | None]:
            task = asyncio.create_task(store.get(key))
            await asyncio.sleep(1)
            return task

        async def finish(hung: asyncio.Task[Any], waiting: asyncio.Task[Any]) -> None:
            hung.cancel()
            await waiting

        hung = one.run(start("a"))
        other.run(start("b"))
        waiting = one.run(start("c"))
        assert [request.about[-1] for request in bucket.requests] == ["a", "b"]
        one.run(finish(hung, waiting))


def test_a_store_does_not_keep_a_loop_that_was_closed() -> None:
    store = opened(ScriptedBucket())
    loop = VirtualLoop()
    loop.run_until_complete(store.get("k"))
    loop.close()
    closed = weakref.ref(loop)
    del loop
    run(store.get("k"))
    gc.collect()
    assert closed() is None


def test_a_request_that_waits_before_its_next_try_is_not_in_flight() -> None:
    bucket = ScriptedBucket(fail(errors.Throttled, retry_after=5))

    async def work() -> None:
        store = opened(bucket, max_in_flight=1)
        slow = asyncio.create_task(store.set("slow", b"v"))
        await asyncio.sleep(1)
        await store.set("quick", b"v")
        assert now() == 1
        await slow
        assert now() == pytest.approx(5)

    run(work())


class Counted(ExecutionSnapshot, frozen=True):
    """A snapshot that counts how often one is encoded."""

    def to_json(self) -> bytes:
        encoded.append(self.execution_id)
        return super().to_json()


encoded: list[str] = []


def test_saves_that_wait_for_their_turn_hold_no_encoded_body() -> None:
    encoded.clear()
    bucket = ScriptedBucket(always=take(1))

    async def work() -> None:
        acme = opened(bucket, max_in_flight=2, owner_index=False, deadline=100).tenant("acme")
        saves = [
            asyncio.create_task(
                acme.save_snapshot(
                    Counted(
                        **{
                            name: getattr(snapshot(f"e{n}"), name)
                            for name in ("execution_id", "tenant_id", "sequence_number")
                        },
                        state=ExecutionState.RUNNING,
                    )
                )
            )
            for n in range(10)
        ]
        await asyncio.sleep(0.5)
        assert len(encoded) == 2
        await asyncio.sleep(1)
        assert len(encoded) == 4
        await asyncio.gather(*saves)

    run(work())
    assert len(encoded) == 10


def test_a_body_is_encoded_once_however_often_it_is_sent() -> None:
    encoded.clear()
    bucket = ScriptedBucket(fail(), fail(), fail())

    async def work() -> None:
        acme = opened(bucket, owner_index=False).tenant("acme")
        one = snapshot()
        await acme.save_snapshot(
            Counted(
                execution_id=one.execution_id,
                tenant_id=one.tenant_id,
                state=one.state,
                sequence_number=1,
            )
        )

    run(work())
    assert bucket.operations == ["put"] * 4
    assert encoded == ["e1"]


@pytest.mark.parametrize("step", [hang, done_but_no_answer, fail(retry_after=5)])
def test_a_cancelled_call_leaves_its_place_to_the_next(step: object) -> None:
    bucket = ScriptedBucket(step)  # type: ignore[arg-type]  # one of three kinds of step

    async def work() -> None:
        store = opened(bucket, max_in_flight=1)
        call = asyncio.create_task(store.set("k", b"first"))
        waiting = asyncio.create_task(store.set("other", b"v"))
        await asyncio.sleep(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await waiting
        await store.set("k", b"second")
        assert await store.get("k") == b"second"
        assert now() == 1

    run(work())
    assert bucket.running == 0


def test_a_deadline_of_the_callers_own_is_a_time_out_of_the_callers() -> None:
    async def work() -> None:
        store = opened(ScriptedBucket(hang))
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(2):
                await store.get("k")
        assert not isinstance(caught.value, errors.StateBucketError)
        assert now() == pytest.approx(2)
        assert await store.get("k") is None

    run(work())


def test_a_place_that_is_handed_to_a_call_being_cancelled_goes_on_to_the_next() -> None:
    async def work() -> None:
        limiter = Limiters(1).get(here())
        assert limiter.take()
        cancelled, following = (asyncio.create_task(limiter.turn(urgent=False)) for _ in range(2))
        await asyncio.sleep(0)
        limiter.give()
        cancelled.cancel()  # before it has noticed that the place is its own
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await following
        assert not limiter.take()
        limiter.give()
        assert limiter.take()

    run(work())


def test_a_call_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    async def work() -> None:
        limiter = Limiters(1).get(here())
        assert limiter.take()
        waits = asyncio.create_task(limiter.turn(urgent=False))
        await asyncio.sleep(0)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        limiter.give()
        assert limiter.take()
        assert not limiter.take()

    run(work())


def test_an_urgent_request_passes_by_those_that_wait() -> None:
    order = []

    async def work() -> None:
        limiter = Limiters(1).get(here())
        assert limiter.take()

        async def wait(name: str, *, urgent: bool) -> None:
            await limiter.turn(urgent=urgent)
            order.append(name)
            limiter.give()

        waiting = [
            asyncio.create_task(wait("first", urgent=False)),
            asyncio.create_task(wait("second", urgent=False)),
            asyncio.create_task(wait("renewal", urgent=True)),
        ]
        await asyncio.sleep(0)
        limiter.give()
        await asyncio.gather(*waiting)

    run(work())
    assert order == ["renewal", "first", "second"]


def test_a_snapshot_that_was_changed_while_its_save_waited_is_checked_again() -> None:
    bucket = ScriptedBucket(always=take(1))

    async def work() -> None:
        acme = opened(bucket, max_in_flight=1, owner_index=False).tenant("acme")
        variables: dict[str, object] = {"n": 1}
        late = acme.snapshot("e1", variables=variables)
        first = asyncio.create_task(acme.set("k", b"v"))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(acme.save_snapshot(late))
        await asyncio.sleep(0.5)
        late.variables["n"] = b"bytes"
        await first
        with pytest.raises(errors.InvalidSnapshot, match="variables"):
            await waiting

    run(work())


@pytest.mark.parametrize("line", range(6))
def test_threads_that_begin_at_the_same_time_share_the_places(line: int) -> None:
    limiters = Limiters(1)
    taken: list[bool] = []

    async def take_one() -> None:
        taken.append(limiters.get(here()).take())

    functions = {Limiters.get.__code__, Limiters._add_threads.__code__}
    with at_line(line, functions, lambda: step(take_one())):
        step(take_one())
    assert sorted(taken) == [False, True]


@pytest.mark.parametrize("line", range(4))
def test_ctrl_c_at_a_line_of_a_blocking_wait_loses_no_place(line: int) -> None:
    limiters = Limiters(1)
    lines = iter(range(line))
    interrupted = False

    async def take_and_give() -> None:
        waiting = here()
        with waiting.until(waiting.time() + 10):
            limiter = limiters.get(waiting)
            await limiter.turn(urgent=False)
            limiter.give()

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        nonlocal interrupted
        if frame.f_code.co_name not in {"turn", "take"}:
            return None
        if event == "line" and next(lines, None) is None:
            sys.settrace(None)
            interrupted = True
            raise KeyboardInterrupt
        return interrupt

    sys.settrace(interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            step(take_and_give())
    finally:
        sys.settrace(None)
    assert interrupted, "the wait has fewer lines"
    step(take_and_give())  # the place is there

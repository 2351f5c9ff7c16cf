"""Stepping: a coroutine's waits block the thread, up to a deadline."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from statebucket.errors import UnsupportedOperation
from statebucket.port.lock_free_future import LockFreeFuture
from statebucket.port.waiting import DeadlinePassed, here, step, stepping


async def asleep(seconds: float, *, until: float) -> str:
    with here().until(here().time() + until):
        await here().sleep(seconds)
    return "done"


async def of_thread(future: LockFreeFuture[str], *, until: float) -> str:
    with here().until(here().time() + until):
        return await here().result(future)


def test_what_is_waited_for_takes_its_time() -> None:
    started = time.monotonic()
    assert step(asleep(0.05, until=10)) == "done"
    assert time.monotonic() - started >= 0.05
    assert stepping() is None


def test_a_deadline_ends_a_sleep() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        step(asleep(30, until=0.05))
    assert time.monotonic() - started < 5
    assert stepping() is None


def test_a_deadline_ends_the_wait_for_another_thread() -> None:
    future: LockFreeFuture[str] = LockFreeFuture()
    with pytest.raises(TimeoutError):
        step(of_thread(future, until=0.05))
    assert not future.done()
    threading.Timer(0.05, future.set_result, ("answer",)).start()
    assert step(of_thread(future, until=10)) == "answer"


def test_a_timeout_of_the_other_thread_is_no_deadline() -> None:
    future: LockFreeFuture[str] = LockFreeFuture()
    future.set_exception(TimeoutError("of theirs"))
    with pytest.raises(TimeoutError, match="of theirs"):
        step(of_thread(future, until=10))


def test_an_event_loop_waits_for_another_thread_too() -> None:
    async def main() -> None:
        future: LockFreeFuture[str] = LockFreeFuture()
        with pytest.raises(TimeoutError):
            await of_thread(future, until=0.05)
        threading.Timer(0.05, future.set_result, ("answer",)).start()
        assert await of_thread(future, until=10) == "answer"
        assert await of_thread(future, until=10) == "answer"  # which is there already

    asyncio.run(main())


def test_of_two_deadlines_the_earlier_counts() -> None:
    async def outer(*, outside: float, inside: float) -> str:
        with here().until(here().time() + outside):
            try:
                await asleep(30, until=inside)
            except TimeoutError:
                return "inside"
        return "none"

    assert step(outer(outside=30, inside=0.05)) == "inside"
    with pytest.raises(TimeoutError):
        step(outer(outside=0.05, inside=30))


def test_what_only_an_event_loop_can_do_is_refused() -> None:
    closed = []

    async def waits_for_a_loop() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(stepping())

    with pytest.raises(UnsupportedOperation, match="needs an event loop"):
        step(waits_for_a_loop())
    assert closed == [None]
    assert stepping() is None


def test_each_call_has_its_own_and_a_loop_has_none() -> None:
    async def inner() -> object:
        return stepping()

    async def outer() -> None:
        mine = stepping()
        assert mine is not None
        other = step(inner())
        assert other is not None
        assert other is not mine
        assert stepping() is mine
        seen: list[object] = []
        thread = threading.Thread(target=lambda: seen.append(stepping()))
        thread.start()
        thread.join()
        assert seen == [None]

    step(outer())
    assert asyncio.run(inner()) is None


def test_the_deadline_is_not_for_others_to_catch() -> None:
    async def careless() -> str:
        try:
            await here().sleep(30)
        except Exception:  # noqa: BLE001  (as an adapter may)
            return "swallowed"
        return "slept"

    async def call() -> str:
        with here().until(here().time() + 0.05):
            return await careless()

    with pytest.raises(TimeoutError):
        step(call())
    assert not issubclass(DeadlinePassed, Exception)


def test_in_a_loop_the_deadline_is_a_time_out_and_a_cancellation_stays_one() -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asleep(30, until=0.02)
        task = asyncio.create_task(asleep(30, until=30))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def both() -> None:
            asyncio.get_running_loop().call_later(0.02, task_of_both.cancel)
            await asleep(30, until=0.02)

        task_of_both = asyncio.create_task(both())
        with pytest.raises(asyncio.CancelledError):
            await task_of_both
        async with asyncio.timeout(30):
            with pytest.raises(TimeoutError):
                await asleep(30, until=0.02)
            await asyncio.sleep(0)  # and nothing of it is left

    asyncio.run(work())

"""Deadlines in an event loop, which share one timer: each ends its own call, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextvars import ContextVar

import pytest

from statebucket.port.waiting import here
from support.virtual_time import now, run


async def ends_at(deadline: float) -> float:
    """When a wait is ended that would last for an hour."""
    with pytest.raises(TimeoutError), here().until(deadline):
        await asyncio.sleep(3600)
    return now()


def test_each_of_many_ends_in_its_time_in_whatever_order_they_began() -> None:
    async def work() -> None:
        deadlines = [5.0, 3.0, 9.0, 1.0, 3.0, 7.0]
        found = await asyncio.gather(*map(ends_at, deadlines))
        assert found == pytest.approx(deadlines)

    run(work())


def test_one_that_is_left_early_ends_neither_itself_nor_others() -> None:
    async def work() -> None:
        with here().until(1):
            await asyncio.sleep(0.5)
        later = asyncio.create_task(ends_at(4))
        await asyncio.sleep(2)  # past the deadline of what was left
        with here().until(3.5):
            await asyncio.sleep(0.5)
        assert now() == pytest.approx(3)
        assert await later == pytest.approx(4)

    run(work())


def test_of_two_around_each_other_the_inner_may_be_the_later() -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError), here().until(2), here().until(5):
            await asyncio.sleep(3600)
        assert now() == pytest.approx(2)
        with here().until(5):
            assert await ends_at(3) == pytest.approx(3)
            await asyncio.sleep(1)

    run(work())


def test_one_that_has_passed_already_ends_the_next_wait() -> None:
    async def work() -> None:
        await asyncio.sleep(2)
        assert await ends_at(1) == pytest.approx(2)

    run(work())


def test_each_loop_has_its_own() -> None:
    async def work() -> float:
        started = time.monotonic()
        with pytest.raises(TimeoutError), here().until(here().time() + 0.05):
            await asyncio.sleep(3600)
        return time.monotonic() - started

    for _ in range(3):
        assert 0.04 < asyncio.run(work()) < 20


class Held:
    """What a caller's context holds."""


def test_what_the_caller_s_context_holds_is_not_kept_for_the_timer() -> None:
    held: ContextVar[Held] = ContextVar("held")

    async def call() -> weakref.ref[Held]:
        value = Held()
        held.set(value)
        with here().until(here().time() + 60):
            await asyncio.sleep(0)
        return weakref.ref(value)

    async def work() -> None:
        left = await asyncio.create_task(call())
        await asyncio.sleep(0)  # the loop itself lets go of the task
        gc.collect()
        assert left() is None

    asyncio.run(work())

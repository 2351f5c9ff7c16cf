"""Many concurrent coroutines: the caller gets the first error, and the others are dropped."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from statebucket.store.tasks import AtMost


@pytest.mark.asyncio
async def test_of_several_that_fail_at_once_one_is_raised_and_none_is_logged() -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    together = asyncio.Event()

    async def fail(number: int) -> None:
        await together.wait()
        raise ValueError(number)

    async def all_at_once() -> None:
        async with AtMost(5) as tasks:
            for number in range(5):
                await tasks.start(fail(number))
            await asyncio.sleep(0)
            together.set()

    with pytest.raises(ValueError, match="0"):
        await all_at_once()
    gc.collect()  # a task says what no one has asked it for when it goes
    assert logged == []


@pytest.mark.asyncio
async def test_after_one_has_failed_no_other_is_started() -> None:
    started: list[int] = []

    async def fail(number: int) -> None:
        started.append(number)
        raise ValueError(number)

    async def one_by_one() -> None:
        async with AtMost(1) as tasks:
            for number in range(5):
                await tasks.start(fail(number))

    with pytest.raises(ValueError, match="0"):
        await one_by_one()
    assert started == [0]

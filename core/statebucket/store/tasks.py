"""Running a bounded number of coroutines beside the code that starts them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

A = TypeVar("A")
R = TypeVar("R")

_ITEMS_AT_ONCE = 64


def shielded() -> AbstractContextManager[object]:
    """Lets a clean-up wait inside a cancelled scope of anyio's, for ``with`` around its awaits.

    asyncio cancels a task once. A scope of anyio's cancels each of its awaits until it is left, so
    that a clean-up would end at its first one. `asyncio.Task.cancel` is heeded as ever.
    """
    anyio: Any = sys.modules.get("anyio")  # a program that does not use it has no scope
    return contextlib.nullcontext() if anyio is None else anyio.CancelScope(shield=True)


class AtMost:
    """At most ``limit`` coroutines at one time; leaving the ``async with`` waits for all.

    The first error, of the block or of a coroutine, cancels the others and is raised as it is. (A
    `asyncio.TaskGroup` would wrap it in a group, which callers of a store do not expect.)
    """

    def __init__(self, limit: int) -> None:
        self._bound = asyncio.Semaphore(limit)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._error: BaseException | None = None

    async def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Starts ``work`` once a place is free; raises if an earlier one has failed."""
        try:
            await self._bound.acquire()
        except BaseException:
            work.close()
            raise
        if self._error is not None:
            work.close()
            raise self._error
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._bound.release()
        error = None if task.cancelled() else task.exception()  # one not asked for is logged
        if self._error is None:
            self._error = error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._tasks and error is None and self._error is None:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = list(self._tasks)
            for task in left:
                task.cancel()
            if left:
                with shielded():
                    await asyncio.gather(*left, return_exceptions=True)
        if error is None and self._error is not None:
            raise self._error


async def in_order(work: Callable[[A], Awaitable[R]], items: Sequence[A]) -> list[R]:
    """The results of ``work`` on each item, in the items' order; the requests' bound applies."""
    results: dict[int, R] = {}

    async def one(at: int) -> None:
        results[at] = await work(items[at])

    async with AtMost(_ITEMS_AT_ONCE) as tasks:
        for at in range(len(items)):
            await tasks.start(one(at))
    return [results[at] for at in range(len(items))]

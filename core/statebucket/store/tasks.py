"""Running a bounded number of coroutines beside the code that starts them.

In a blocking call (see `step` in `statebucket.port.waiting`) nothing runs at the same time: one
comes after the other, and asyncio is not imported.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Self, TypeVar

from statebucket.port.waiting import stepping

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

A = TypeVar("A")
R = TypeVar("R")

_ITEMS_AT_ONCE = 64


def shielded() -> AbstractContextManager[object]:
    """Lets a clean-up wait inside a cancelled anyio scope; use ``with`` around its awaits.

    asyncio cancels a task once. An anyio scope cancels each await until the scope is left, so a
    clean-up would end at its first await. `asyncio.Task.cancel` still works.
    """
    anyio: Any = sys.modules.get("anyio")  # if the program did not import it, there is no scope
    if anyio is None or stepping() is not None:
        return contextlib.nullcontext()
    scope: AbstractContextManager[object] = anyio.CancelScope(shield=True)
    return scope


class AtMost:
    """At most ``limit`` coroutines at one time; leaving the ``async with`` waits for all.

    The first error, of the block or of a coroutine, cancels the others and is raised as it is. (A
    `asyncio.TaskGroup` would wrap it in a group, which callers of a store do not expect.)
    """

    def __init__(self, limit: int) -> None:
        self._bound = None if stepping() is not None else _semaphore(limit)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._error: BaseException | None = None

    async def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Starts ``work`` once a place is free; raises if an earlier coroutine failed."""
        bound = self._bound
        if bound is None:
            await work
            return
        try:
            await bound.acquire()
        except BaseException:
            work.close()
            raise
        if self._error is not None:
            work.close()
            raise self._error
        from asyncio import create_task  # noqa: PLC0415  (where there is a loop, it is imported)

        task = create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._bound is not None:
            self._bound.release()
        # Retrieved in any case: asyncio would log an exception that no one retrieves.
        error = None if task.cancelled() else task.exception()
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
        if self._bound is None:
            return
        import asyncio  # noqa: PLC0415  (as above)

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


def _semaphore(size: int) -> asyncio.Semaphore:
    import asyncio  # noqa: PLC0415  (as above)

    from statebucket.port.loop_waiting import running_loop  # noqa: PLC0415  (as above)

    running_loop()  # checked before any coroutine could wait for a task in vain
    return asyncio.Semaphore(size)


async def in_order(
    work: Callable[[A], Awaitable[R]], items: Sequence[A], *, at_once: int = _ITEMS_AT_ONCE
) -> list[R]:
    """The results of ``work`` on each item, in the items' order; the limit on requests applies."""
    results: dict[int, R] = {}

    async def one(at: int) -> None:
        results[at] = await work(items[at])

    async with AtMost(at_once) as tasks:
        for at in range(len(items)):
            await tasks.start(one(at))
    return [results[at] for at in range(len(items))]

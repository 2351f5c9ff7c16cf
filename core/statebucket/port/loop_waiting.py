"""Waiting in the running event loop of asyncio; see `statebucket.port.waiting`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.errors import UnsupportedOperation

if TYPE_CHECKING:
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from types import TracebackType

T = TypeVar("T")


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        UnsupportedOperation: There is none of asyncio: trio runs, or no loop at all.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UnsupportedOperation(
            "an asynchronous store needs an event loop of asyncio, and none is running here. Under "
            "trio, use a store of statebucket.sync in a thread, as in await "
            "trio.to_thread.run_sync(store.get, key), or let anyio run on asyncio: "
            'anyio.run(main, backend="asyncio"), and in tests a fixture anyio_backend that returns '
            '"asyncio"'
        ) from None


class LoopWaiting:
    """See `statebucket.port.waiting.Waiting`."""

    def time(self) -> float:
        """See `Waiting.time`; the loop's, which may be a virtual one in tests."""
        return running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """See `Waiting.sleep`."""
        await asyncio.sleep(seconds)

    def until(self, deadline: float) -> AbstractContextManager[object]:
        """See `Waiting.until`."""
        return _Until(deadline)

    async def result(self, future: Future[T]) -> T:
        """See `Waiting.result`."""
        return await asyncio.wrap_future(future)


class _Until:
    """What `asyncio.timeout_at` does, at half its cost: it is not asynchronous itself."""

    __slots__ = ("_cancelling", "_deadline", "_passed", "_task", "_timer")

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._passed = False

    def __enter__(self) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call of the store outside of a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = asyncio.get_running_loop().call_at(self._deadline, self._pass)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # Cancelled by us and by no one else: then it is the deadline.
        if (
            self._passed
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def _pass(self) -> None:
        self._passed = True
        self._task.cancel()

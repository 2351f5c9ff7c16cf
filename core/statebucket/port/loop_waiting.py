"""Waiting in the running event loop of asyncio; see `statebucket.port.waiting`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.errors import UnsupportedOperation

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from statebucket.port.lock_free_future import LockFreeFuture

T = TypeVar("T")

_NEVER = float("inf")


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        UnsupportedOperation: No asyncio loop is running: trio is, or none at all.
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
    """`statebucket.port.waiting.Waiting` in one event loop.

    All deadlines share one timer. Nearly every call ends long before its deadline, and setting and
    cancelling a timer of its own would be the largest part of the cost.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._scopes: set[_Until] = set()
        self._due = _NEVER  # when the timer ends; the scope it was set for may have been left since
        self._timer: asyncio.TimerHandle | None = None

    def time(self) -> float:
        """See `Waiting.time`; the loop's, which may be a virtual one in tests."""
        return self.loop.time()

    async def sleep(self, seconds: float) -> None:
        """See `Waiting.sleep`."""
        await asyncio.sleep(seconds)

    def until(self, deadline: float) -> AbstractContextManager[object]:
        """See `Waiting.until`."""
        return _Until(self, deadline)

    async def result(self, future: LockFreeFuture[T]) -> T:
        """See `Waiting.result`."""
        if not future.done():
            woken = self.loop.create_future()

            def wake() -> None:
                if not woken.done():
                    woken.set_result(None)

            def settled(_: object) -> None:
                with suppress(RuntimeError):  # the loop has been closed
                    self.loop.call_soon_threadsafe(wake)

            future.add_done_callback(settled)
            await woken
        return future.result(0)

    def enter(self, scope: _Until) -> None:
        """Ends a scope at its deadline, unless it is left before."""
        self._scopes.add(scope)
        if scope.deadline < self._due:
            self._set_timer(scope.deadline)

    def leave(self, scope: _Until) -> None:
        """Records that a scope was left."""
        self._scopes.discard(scope)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = at
        # In an empty context: the caller's would keep alive what the call used until the timer
        # ends.
        self._timer = self.loop.call_at(at, self._check, context=Context())

    def _check(self) -> None:
        """Ends the scopes whose deadline has passed, and sets the timer for the next one."""
        now = max(self.loop.time(), self._due)  # a timer may fire early by its clock's resolution
        self._timer, self._due = None, _NEVER
        following = _NEVER
        for scope in list(self._scopes):
            if scope.deadline > now:
                following = min(following, scope.deadline)
            else:
                self._scopes.discard(scope)
                scope.end()
        if following < _NEVER:
            self._set_timer(following)


_waitings: dict[asyncio.AbstractEventLoop, LoopWaiting] = {}


def in_running_loop() -> LoopWaiting:
    """The way to wait in the running loop.

    Raises:
        UnsupportedOperation: See `running_loop`.
    """
    try:
        return _waitings[asyncio.get_running_loop()]
    except (KeyError, RuntimeError):
        loop = running_loop()
    for other in list(_waitings):
        if other.is_closed():
            _waitings.pop(other, None)
    found = _waitings[loop] = LoopWaiting(loop)
    return found


class _Until:
    """Does what `asyncio.timeout_at` does at a fraction of its cost, with no timer of its own."""

    __slots__ = ("_cancelling", "_passed", "_task", "_waiting", "deadline")

    def __init__(self, waiting: LoopWaiting, deadline: float) -> None:
        self._waiting = waiting
        self.deadline = deadline
        self._passed = False

    def __enter__(self) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task(self._waiting.loop)
        if task is None:
            raise RuntimeError("a call of the store outside of a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._waiting.enter(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.leave(self)
        # If only this scope cancelled the task, it is the deadline.
        if (
            self._passed
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def end(self) -> None:
        """Cancels what happens inside."""
        self._passed = True
        self._task.cancel()

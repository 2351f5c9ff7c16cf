"""Two ways to wait, so that the store's code is written only once.

The core and the adapters are coroutines. On the async store an event loop runs them. On the
blocking store they are stepped: whatever they wait for blocks the calling thread, no event loop
runs, no thread is started and asyncio is not imported. `step` does that. From then on `here`
returns the way in force, since everything happens in the caller's own thread.

An adapter that can be stepped sets `Limits.needs_loop` to false, and then waits only through
`here`.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from statebucket.errors import UnsupportedOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager
    from types import TracebackType

    from statebucket.port.lock_free_future import LockFreeFuture

T = TypeVar("T")


class DeadlinePassed(BaseException):
    """The deadline of a stepped call has passed while it was waiting.

    Like `asyncio.CancelledError`, only the code that set the deadline may catch it; other code
    cleans up and lets it through.
    """


class Waiting(Protocol):
    """A way to wait."""

    def time(self) -> float:
        """The time in seconds, of a monotonic clock."""

    async def sleep(self, seconds: float) -> None:
        """Waits for some seconds."""

    def until(self, deadline: float) -> AbstractContextManager[object]:
        """Ends the code inside ``with`` at this time.

        Raises:
            TimeoutError: The time has come.
        """

    async def result(self, future: LockFreeFuture[T]) -> T:
        """Waits for another thread's result; that thread goes on if the caller gives up.

        Raises:
            Exception: What the other thread raises.
        """


class Stepping:
    """Waiting that blocks the thread, for one call.

    Attributes:
        deadline: When the innermost `until` ends, by `time`.
    """

    def __init__(self) -> None:
        self.deadline = float("inf")

    def time(self) -> float:
        """See `Waiting.time`."""
        return time.monotonic()

    def left(self) -> float:
        """Seconds until the deadline, at least 0.

        Raises:
            DeadlinePassed: The deadline has passed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return left

    async def sleep(self, seconds: float) -> None:
        """See `Waiting.sleep`."""
        if seconds <= 0:
            return
        left = self.left()
        time.sleep(min(seconds, left))  # noqa: ASYNC251  (this is the blocking way)
        if left < seconds:
            raise DeadlinePassed

    def until(self, deadline: float) -> AbstractContextManager[object]:
        """See `Waiting.until`."""
        return _Until(self, deadline)

    async def result(self, future: LockFreeFuture[T]) -> T:
        """See `Waiting.result`."""
        seconds = None if self.deadline == float("inf") else self.left()
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise
            raise DeadlinePassed from None


class _Until:
    """The scope of a deadline; of nested ones, the earlier counts."""

    __slots__ = ("_deadline", "_outer", "_stepping")

    def __init__(self, stepping: Stepping, deadline: float) -> None:
        self._stepping = stepping
        self._outer = stepping.deadline
        self._deadline = deadline

    def __enter__(self) -> None:
        self._stepping.deadline = min(self._outer, self._deadline)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stepping.deadline = self._outer
        if kind is DeadlinePassed and self._deadline <= self._outer:
            raise TimeoutError from error


# By thread; by greenlet, where gevent has replaced threads, even after this module was imported.
_steppings: dict[int, Stepping] = {}
_in_loop: list[Callable[[], Waiting]] = []  # finds the running loop's way, once it is needed


def stepping() -> Stepping | None:
    """The stepping in progress in this thread; None in an event loop."""
    return _steppings.get(threading.get_ident()) if _steppings else None


def here() -> Waiting:
    """The way to wait for the caller's thread or event loop."""
    found = stepping()
    if found is not None:
        return found
    if not _in_loop:
        from statebucket.port.loop_waiting import in_running_loop  # noqa: PLC0415  (imports asyncio)

        _in_loop.append(in_running_loop)
    return _in_loop[0]()


def step(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine from its start to its end in this thread.

    It may be used wherever code may block: in several threads, inside another `step`, and where an
    event loop is running, which stands still meanwhile.

    Raises:
        UnsupportedOperation: It waits for something by itself that only an event loop can do.
        Exception: What it raises.
    """
    thread = threading.get_ident()
    outer = _steppings.get(thread)
    _steppings[thread] = Stepping()
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        if outer is None:
            del _steppings[thread]
        else:
            _steppings[thread] = outer
    coroutine.close()
    raise UnsupportedOperation("this needs an event loop: use the asynchronous store")


def _after_fork() -> None:
    """Forgets threads that do not exist after a fork: a new one may get the same number."""
    here = threading.get_ident()
    for thread in [one for one in list(_steppings) if one != here]:
        del _steppings[thread]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

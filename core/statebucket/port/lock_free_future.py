"""A result that one thread produces and others wait for, without a lock.

A signal handler runs in the middle of the main thread's code, and may make a blocking call. If the
interrupted code held a lock that another thread needs for the handler's call, the two would wait
for each other forever. So nothing that a blocking call does in the main thread holds a lock, not
even one that the same thread may take again: `concurrent.futures.Future`, for one, holds its lock
while it is looked at, and the thread that has the result could not set it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class LockFreeFuture(Generic[T]):
    """A result to come, as `concurrent.futures.Future`, but without a lock.

    Each step on what threads share is one of the interpreter's. A forked process may use it, too.
    """

    def __init__(self) -> None:
        self._settled: tuple[T | None, BaseException | None] | None = None
        self._callbacks: list[Callable[[LockFreeFuture[T]], object]] = []

    def done(self) -> bool:
        """Whether the result, or an error in its place, is there."""
        return self._settled is not None

    def set_result(self, result: T) -> None:
        """Sets the result, once; runs the callbacks in this thread."""
        self._settle(result, None)

    def set_exception(self, error: BaseException) -> None:
        """Sets an error in place of the result, once; runs the callbacks in this thread."""
        self._settle(None, error)

    def result(self, timeout: float | None = None) -> T:
        """The result, for which this blocks.

        Args:
            timeout: The most seconds to wait; None to wait for as long as it takes.

        Raises:
            TimeoutError: It is not there by then.
            BaseException: The error in its place.
        """
        if self._settled is None:
            woken = threading.Lock()
            woken.acquire()
            self.add_done_callback(lambda _: woken.release())
            woken.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX))
        if self._settled is None:
            raise TimeoutError
        result, error = self._settled
        if error is None:
            return cast("T", result)
        try:
            raise error
        finally:
            del self, error  # or this frame, which the error now refers to, would keep it alive

    def add_done_callback(self, callback: Callable[[LockFreeFuture[T]], object]) -> None:
        """Calls something once the result is there, in the thread that sets it, or at once."""
        self._callbacks.append(callback)
        if self._settled is not None:
            self._call_back()

    def _settle(self, result: T | None, error: BaseException | None) -> None:
        self._settled = (result, error)
        self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:  # another thread was quicker
                return
            callback(self)

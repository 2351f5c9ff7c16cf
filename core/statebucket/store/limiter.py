"""The bound on the requests of a store that are in flight at one time."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket.port.waiting import DeadlinePassed, stepping

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from statebucket.port.loops import PerLoop


class RequestLimiter(NamedTuple):
    """At most so many requests in flight, and a queue that the urgent ones pass by.

    As many as may be in flight leave the queue: behind it only urgent requests wait.

    Attributes:
        flight: Held by a request in flight.
        line: What the others wait in before that.
    """

    flight: AbstractAsyncContextManager[Any]
    line: AbstractAsyncContextManager[Any]

    def queue(self, *, urgent: bool) -> AbstractAsyncContextManager[Any]:
        """What a request waits for first."""
        return _NO_QUEUE if urgent else self.line


_NO_QUEUE = contextlib.nullcontext()


class Limiters:
    """The limiters of one store: one for each event loop, one for all threads that are stepped.

    Args:
        size: The most requests in flight under each.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._loops: PerLoop[RequestLimiter] | None = None
        self._stepped: RequestLimiter | None = None
        self._pid = 0  # whose threads share it: a fork's copy counts threads that are not there

    def get(self) -> RequestLimiter:
        """The limiter for whoever calls."""
        if stepping() is None:
            loops = self._loops
            if loops is None:
                from statebucket.port.loops import PerLoop  # noqa: PLC0415  (imports asyncio)

                loops = self._loops = PerLoop(self._for_a_loop)
            return loops.get()
        limiter, pid = self._stepped, os.getpid()
        if limiter is None or self._pid != pid:
            limiter = RequestLimiter(_Slots(self._size), _Slots(self._size))
            self._stepped, self._pid = limiter, pid
        return limiter

    def _for_a_loop(self) -> RequestLimiter:
        import asyncio  # noqa: PLC0415  (there is a loop, which has imported it)

        return RequestLimiter(asyncio.Semaphore(self._size), asyncio.Semaphore(self._size))


class _Slots:
    """A semaphore that blocks the thread until the call's deadline."""

    def __init__(self, size: int) -> None:
        self._semaphore = threading.Semaphore(size)

    async def __aenter__(self) -> None:
        if self._semaphore.acquire(blocking=False):
            return
        call = stepping()
        if call is None or not self._semaphore.acquire(timeout=call.left()):
            raise DeadlinePassed

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()

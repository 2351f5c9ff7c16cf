"""The limit on a store's requests in flight."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Protocol

from statebucket.port.waiting import DeadlinePassed, stepping

if TYPE_CHECKING:
    import asyncio

    from statebucket.port.loops import PerLoop


class RequestLimiter(Protocol):
    """A fixed number of places for requests in flight."""

    def take(self) -> bool:
        """Takes a place, if one is free."""

    async def turn(self, *, urgent: bool) -> None:
        """Waits for a place and takes it; an urgent request goes before those that are not."""

    def give(self) -> None:
        """Gives a place back, to the next request that waits for one."""


class Limiters:
    """The limiters of one store: one for each event loop, and one for all blocking threads.

    Args:
        size: The most requests in flight under each.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._loops: PerLoop[_ForALoop] | None = None
        self._stepped: _ForThreads | None = None
        self._pid = 0  # of the process whose threads share it: a fork does not have them

    def get(self) -> RequestLimiter:
        """The limiter for the caller's event loop or thread."""
        if stepping() is None:
            loops = self._loops
            if loops is None:
                from statebucket.port.loops import PerLoop  # noqa: PLC0415  (imports asyncio)

                loops = self._loops = PerLoop(lambda: _ForALoop(self._size))
            return loops.get()
        limiter, pid = self._stepped, os.getpid()
        if limiter is None or self._pid != pid:
            limiter = self._stepped = _ForThreads(self._size)
            self._pid = pid
        return limiter


class _ForALoop:
    """A limiter that hands places from one request to the next: none is free while one waits."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._line: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        if not self._free:
            return False
        self._free -= 1
        return True

    async def turn(self, *, urgent: bool) -> None:
        from asyncio import get_running_loop  # noqa: PLC0415  (a loop is running, so asyncio is imported)

        waiter = get_running_loop().create_future()
        line = self._urgent if urgent else self._line
        line.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.cancelled():
                if waiter in line:
                    line.remove(waiter)
            else:
                self.give()  # the place was handed over just as the wait was cancelled
            raise

    def give(self) -> None:
        for line in (self._urgent, self._line):
            while line:
                waiter = line.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self._free += 1


class _ForThreads:
    """A limiter for blocking calls. They are never urgent: only a loop renews leases."""

    def __init__(self, size: int) -> None:
        from queue import Empty, SimpleQueue  # noqa: PLC0415  (for the blocking store only)

        self._empty = Empty
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)

    def take(self) -> bool:
        try:
            self._free.get(block=False)
        except self._empty:
            return False
        return True

    async def turn(self, *, urgent: bool) -> None:  # noqa: ARG002  (see the class)
        call = stepping()
        if call is None:
            raise DeadlinePassed
        try:
            self._free.get(timeout=call.left())
        except self._empty:
            raise DeadlinePassed from None

    def give(self) -> None:
        self._free.put(None)

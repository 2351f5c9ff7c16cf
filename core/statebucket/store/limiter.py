"""The limit on a store's requests in flight."""

from __future__ import annotations

import os
import sys
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from statebucket.port.waiting import DeadlinePassed, stepping

if TYPE_CHECKING:
    import asyncio
    from queue import SimpleQueue

    from statebucket.port.waiting import Waiting


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
        # Without a lock, which a fork could leave locked: each step on it is one of the
        # interpreter's, and a loop's own entry is only touched by its own thread.
        self._loops: dict[Waiting, _ForALoop] = {}
        # By process: its threads share one, and a fork does not have them.
        self._stepped: dict[int, _ForThreads] = {}

    def get(self, waiting: Waiting) -> RequestLimiter:
        """The limiter for the caller's event loop or thread.

        Args:
            waiting: The way it waits, which is its loop's; to ask for the running loop costs more.
        """
        found = self._loops.get(waiting)
        if found is not None:
            return found
        if stepping() is None:
            return self._add_loop(waiting)
        pid = os.getpid()
        return self._stepped.get(pid) or self._add_threads(pid)

    def _add_loop(self, waiting: Waiting) -> RequestLimiter:
        # A list of pairs could start a garbage collection, and another thread add a loop meanwhile.
        for other in list(self._loops):
            limiter = self._loops.get(other)
            if limiter is not None and limiter.loop.is_closed():
                self._loops.pop(other, None)
        added = self._loops[waiting] = _ForALoop(self._size)
        return added

    def _add_threads(self, pid: int) -> RequestLimiter:
        for other in list(self._stepped):
            if other != pid:
                self._stepped.pop(other, None)
        return self._stepped.setdefault(pid, _ForThreads(self._size))


class _ForALoop:
    """A limiter that hands places from one request to the next: none is free while one waits.

    Attributes:
        loop: The running event loop, which it belongs to.
    """

    def __init__(self, size: int) -> None:
        from asyncio import get_running_loop  # noqa: PLC0415  (a loop is running, so asyncio is imported)

        self.loop = get_running_loop()
        self._free = size
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._line: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        if not self._free:
            return False
        self._free -= 1
        return True

    async def turn(self, *, urgent: bool) -> None:
        waiter = self.loop.create_future()
        line = self._urgent if urgent else self._line
        line.append(waiter)
        try:
            await waiter
        except BaseException:
            if not waiter.cancelled():
                self.give()  # the place was handed over just as the wait was cancelled
            raise

    def give(self) -> None:
        for line in (self._urgent, self._line):
            while line:
                waiter = line.popleft()
                if not waiter.done():  # otherwise its wait was cancelled
                    waiter.set_result(None)
                    return
        self._free += 1


class _ForThreads:
    """A limiter for blocking calls. They are never urgent: only a loop renews leases."""

    def __init__(self, size: int) -> None:
        self._free, self._empty = _queue()
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


def _queue() -> tuple[SimpleQueue[None], type[Exception]]:
    """A queue each of whose steps is one, so that Ctrl-C loses no place; and its `Empty`.

    It is that of `queue` without the cost of the module, but where that is loaded: gevent replaces
    the class there by one that lets others go on.
    """
    queues: Any = sys.modules.get("queue")
    if not hasattr(queues, "SimpleQueue"):
        try:
            queues = import_module("_queue")
        except ImportError:  # another interpreter
            queues = import_module("queue")
    return queues.SimpleQueue(), queues.Empty

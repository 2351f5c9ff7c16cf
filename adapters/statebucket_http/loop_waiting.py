"""Waiting in an event loop of asyncio, or of another library with compatible loops."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from statebucket_http.waiting import CHECKS, lookup, stalled, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket_http.connection import Connection
    from statebucket_http.pool import Pool
    from statebucket_http.steps import Step
    from statebucket_http.waiting import Address, Waits


class Loops:
    """The ways to wait in the loops that use one pool.

    Args:
        pool: The unused connections.
        limit: See `statebucket_http.waiting.Waits`.
    """

    def __init__(self, pool: Pool, limit: float) -> None:
        self._pool = pool
        self._limit = limit
        self._waits: dict[asyncio.AbstractEventLoop, Waits] = {}

    def current(self) -> Waits:
        """The way to wait in the running loop."""
        loop = asyncio.get_running_loop()
        waits = self._waits.get(loop)
        if waits is None:
            for other in list(self._waits):
                if other.is_closed():
                    self._waits.pop(other, None)
            self._pool.adopt()
            waits = self._waits[loop] = self._made_for(loop)
        return waits

    def _made_for(self, loop: asyncio.AbstractEventLoop) -> Waits:
        try:
            loop.remove_reader(2**30)  # unused: this tests whether the loop can watch sockets
        except NotImplementedError:
            return ThreadWaits(loop, self._limit)
        except (OSError, ValueError):
            pass
        return LoopWaits(loop, self._limit, self._pool)


_Found: TypeAlias = "list[Address] | OSError"


class _InLoop:
    """What both ways have in common."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        self.limit = limit
        self._loop = loop
        self._lookups: dict[tuple[str, int], asyncio.Future[_Found]] = {}

    def ended(self) -> bool:
        """See `Waits.ended`."""
        return self._loop.is_closed()

    def later(self, function: Callable[[], None]) -> None:
        """See `Waits.later`."""
        with suppress(RuntimeError):  # the loop has been closed, and with it what it watched
            self._loop.call_soon_threadsafe(function)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """See `Waits.resolve`; concurrent callers share the answer.

        No one waits for the thread that asks: a name service may hang, and neither a caller at its
        deadline nor the end of ``asyncio.run`` waits for it.
        """
        found = self._lookups.get((host, port))
        if found is None:
            found = self._lookups[host, port] = self._loop.create_future()
            found.add_done_callback(lambda _: self._lookups.pop((host, port), None))
            thread = threading.Thread(
                target=self._look_up, args=(host, port, found), name="statebucket-dns", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # at the interpreter's exit Python 3.12 and later start none
                self._look_up(host, port, found)
        try:
            async with asyncio.timeout(self.limit):
                answer = await asyncio.shield(found)
        except TimeoutError:
            raise OSError("the name service did not respond") from None
        if isinstance(answer, OSError):
            raise OSError(*answer.args)  # a new error for each caller
        return answer

    def _look_up(self, host: str, port: int, found: asyncio.Future[_Found]) -> None:
        answer = lookup(host, port)

        def settle() -> None:
            if not found.done():
                found.set_result(answer)

        self.later(settle)


class LoopWaits(_InLoop):
    """Has a loop watch the sockets.

    A connection stays registered with the loop's selector from one request to the next, which saves
    a third of an exchange's time. One that was not used for a moment is removed, so that it does
    not outlive its store in the loop, and other loops can use it.

    Args:
        loop: The running loop.
        limit: See `Waits`.
        pool: The unused connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float, pool: Pool) -> None:
        super().__init__(loop, limit)
        self._pool = pool
        self._running: set[Connection] = set()
        self._watched: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pid = os.getpid()

    async def run(self, connection: Connection, step: Step, limit: float | None = None) -> None:
        """See `Waits.run`."""
        if step.start():
            return
        loop = self._loop
        future = connection.future = loop.create_future()
        connection.step = step
        if connection.owner is None:
            connection.owner = self
            self._watched.add(connection)
            loop.add_reader(connection.fd, self._readable, connection)
        if step.writing:
            connection.writer = True
            loop.add_writer(connection.fd, self._writable, connection)
        connection.since = loop.time()
        connection.seen = connection.moved
        connection.limit = limit or self.limit
        self._running.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(self.limit / CHECKS, self._check)
        try:
            await future
        finally:
            connection.step = connection.future = None
            self._running.discard(connection)
            if connection.writer:
                self._watch_writer(connection, wanted=False)

    def release(self, connection: Connection) -> None:
        """See `Waits.release`."""
        connection.owner = None
        self._watched.discard(connection)
        # In a child process the selector is shared with the parent, which must still be woken.
        if not self._loop.is_closed() and self._pid == os.getpid():
            if connection.writer:
                self._watch_writer(connection, wanted=False)
            self._loop.remove_reader(connection.fd)

    def _watch_writer(self, connection: Connection, *, wanted: bool) -> None:
        connection.writer = wanted
        if self._loop.is_closed() or self._pid != os.getpid():
            return
        if wanted:
            self._loop.add_writer(connection.fd, self._writable, connection)
        else:
            self._loop.remove_writer(connection.fd)

    def _readable(self, connection: Connection) -> None:
        step = connection.step
        if step is not None:
            self._go_on(connection, step, step.readable)
        elif connection.unused and not connection.expected():
            self._pool.drop(self, connection)

    def _writable(self, connection: Connection) -> None:
        step = connection.step
        if step is not None:
            self._go_on(connection, step, step.writable)

    def _go_on(self, connection: Connection, step: Step, act: Callable[[], bool]) -> None:
        error: Exception | None = None
        try:
            done = act()
        except Exception as raised:  # noqa: BLE001  (it is the caller's)
            done, error = True, raised
        if done:
            _settle(connection, error)
        elif step.writing is not connection.writer:
            self._watch_writer(connection, wanted=step.writing)

    def _check(self) -> None:
        """Ends stalled connections, and stops watching unused ones."""
        now = self._loop.time()
        for connection in [one for one in self._running if stalled(one, now)]:
            _settle(connection, TimeoutError())
        self._pool.let_go(self)
        self._timer = None
        if self._watched:
            self._timer = self._loop.call_later(self.limit / CHECKS, self._check)


class ThreadWaits(_InLoop):
    """Waits in threads, for loops that cannot watch sockets, such as Windows' Proactor loop."""

    async def run(self, connection: Connection, step: Step, limit: float | None = None) -> None:
        """See `Waits.run`."""
        if step.start():
            return
        seconds = limit or self.limit
        try:
            waiting = self._loop.run_in_executor(None, wait, connection, step, seconds)
        except RuntimeError:  # at the interpreter's exit no thread takes work
            wait(connection, step, seconds)
            return
        try:
            await waiting
        except asyncio.CancelledError:
            with suppress(OSError):  # not connected yet
                connection.sock.shutdown(socket.SHUT_RDWR)  # which wakes the thread
            raise

    def release(self, connection: Connection) -> None:
        """See `Waits.release`."""
        connection.owner = None


def _settle(connection: Connection, error: Exception | None) -> None:
    connection.step = None
    future = connection.future
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)

"""Waiting for a connection: the only module that knows how the program waits.

There are two ways. An event loop watches the sockets, and wakes the tasks that wait for them. If a
loop cannot do that (Windows' Proactor loop), a thread waits; on the blocking store, which has no
loop, the caller's own thread does.

In both, a connection that does not move for ``limit`` seconds has stalled. It moves when bytes
arrive or leave, and also while the peer takes bytes from the system's send buffer.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from statebucket.port.waiting import DeadlinePassed, stepping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket_http.connection import Connection
    from statebucket_http.steps import Step

CHECKS = 4
"""How many times per ``limit`` a connection is checked for a stall."""

_POLL = hasattr(select, "poll")

Address = tuple[int, Any]
"""The family of an address, and the address as `socket.socket.connect` takes it."""


class Waits(Protocol):
    """A way to wait, made for one event loop, or for none.

    Attributes:
        limit: Seconds after which a connection that does not move has stalled.
    """

    limit: float

    async def run(self, connection: Connection, step: Step, limit: float | None = None) -> None:
        """Runs a step from its start to its end.

        Args:
            connection: The connection that it happens on.
            step: The step.
            limit: Seconds after which it has stalled; by default ``self.limit``.

        Raises:
            TimeoutError: It has stalled.
            Exception: What the step raises.
        """

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """The addresses of a host, in the order in which to try them.

        Raises:
            OSError: There are none, or the name service does not answer in time.
        """

    def release(self, connection: Connection) -> None:
        """Stops watching a connection, which is about to be closed or used elsewhere."""

    def ended(self) -> bool:
        """Whether this way of waiting is over, since the loop is closed."""

    def later(self, function: Callable[[], None]) -> None:
        """Schedules a function to run where this way of waiting runs; for other threads to call."""


def stalled(connection: Connection, now: float) -> bool:
    """Whether a connection has not moved for too long; call it `CHECKS` times per limit.

    Args:
        connection: The connection; its ``since``, ``seen`` and ``queue`` are updated.
        now: The time, on the clock of ``since``.
    """
    if connection.moved != connection.seen:
        connection.seen = connection.moved
        connection.since = now
        connection.queue = -1
        return False
    queue = _queued(connection.sock)
    if queue < connection.queue:
        connection.since = now
    connection.queue = queue
    return now - connection.since >= connection.limit


def _queued(sock: socket.socket) -> int:
    """Bytes that were sent but not yet taken by the peer; 0 if the system cannot tell."""
    try:
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, 0x1024)  # SO_NWRITE
        if sys.platform != "linux":
            return 0
        from fcntl import ioctl  # noqa: PLC0415  (rarely needed)
        from termios import TIOCOUTQ  # noqa: PLC0415

        return int.from_bytes(ioctl(sock, TIOCOUTQ, b"\0" * 4), sys.byteorder)
    except OSError:
        return 0


def lookup(host: str, port: int) -> list[Address] | OSError:
    """Asks the system for a host's addresses, and returns them or the error; blocks."""
    try:
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)  # see `peer`
    except OSError as error:
        return error
    except UnicodeError:
        return OSError("the host name is not valid, or too long")
    return [(family, address) for family, _, _, _, address in found]


def wait(connection: Connection, step: Step, limit: float, deadline: float = float("inf")) -> None:
    """Runs a step that has been started to its end, in this thread; see `Waits.run`.

    Raises:
        DeadlinePassed: It is not done at the deadline, in the time of `time.monotonic`.
    """
    connection.limit = limit
    connection.since, connection.seen = time.monotonic(), connection.moved
    seconds = limit / CHECKS
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        pause = min(seconds, left)
        if step.writing:
            readable, writable = _ready(connection.fd, pause)
        else:
            readable, writable = connection.readable_within(pause), False
        if (writable and step.writable()) or (readable and step.readable()):
            return
        if not (readable or writable) and stalled(connection, time.monotonic()):
            raise TimeoutError


class SteppedWaits:
    """Waits in the thread of a stepped call, until that call's deadline.

    Args:
        limit: See `Waits`.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit

    async def run(self, connection: Connection, step: Step, limit: float | None = None) -> None:
        """See `Waits.run`."""
        if not step.start():
            call = stepping()
            deadline = float("inf") if call is None else call.deadline
            wait(connection, step, limit or self.limit, deadline)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """See `Waits.resolve`.

        A thread asks, and ends with the answer: a name service may hang for longer than the call
        may take.
        """
        call = stepping()
        answers: list[list[Address] | OSError] = []
        thread = threading.Thread(
            target=lambda: answers.append(lookup(host, port)), name="statebucket-dns", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # at the interpreter's exit Python 3.12 and later start none
            answers.append(lookup(host, port))
        else:
            thread.join(self.limit if call is None else min(self.limit, call.left()))
        if not answers:
            if call is not None:
                call.left()
            raise OSError("the name service did not respond")
        (answer,) = answers
        if isinstance(answer, OSError):
            raise answer
        return answer

    def release(self, connection: Connection) -> None:
        """See `Waits.release`."""
        connection.owner = None

    def ended(self) -> bool:
        """See `Waits.ended`."""
        return False

    def later(self, function: Callable[[], None]) -> None:
        """See `Waits.later`; it watches nothing, so that any thread may."""
        function()


def _ready(fd: int, seconds: float) -> tuple[bool, bool]:
    """Whether a socket can be read and written, after waiting at most this many seconds."""
    if not _POLL:
        # On Windows, where poll is missing, a failed connect is reported as an exception.
        read, written, failed = select.select([fd], [fd], [fd], seconds)
        return bool(read), bool(written or failed)
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLOUT)
    found = poll.poll(seconds * 1000)
    events = found[0][1] if found else 0
    return bool(events & ~select.POLLOUT), bool(events & ~select.POLLIN)

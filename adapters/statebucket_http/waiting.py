"""Waiting for a connection: the only part that knows how the program does it.

There are two ways. In an event loop the loop watches the sockets, and wakes who waits for them.
Where a loop cannot do that (Windows' Proactor loop), and without a loop, a thread waits by itself.

In both, what does not move for ``limit`` seconds has stalled. A connection moves when something
arrives or leaves; what has been handed to the system and lies in its buffer moves, too, while the
peer takes it.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket_http.connection import Connection
    from statebucket_http.steps import Step

CHECKS = 4
"""How often in the time that a stalled connection has it is looked at."""

_POLL = hasattr(select, "poll")

Address = tuple[int, Any]
"""The family of an address, and the address as `socket.socket.connect` takes it."""


class Waits(Protocol):
    """A way to wait, made for one event loop, or for none.

    Attributes:
        limit: Seconds after which what does not move has stalled.
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
        """The addresses of a host, in the order in which they are to be tried.

        Raises:
            OSError: There are none, or the name service cannot be asked in time.
        """

    def release(self, connection: Connection) -> None:
        """Watches a connection no longer, which is about to be closed or used elsewhere."""

    def ended(self) -> bool:
        """Whether this way of waiting is over, since the loop is closed."""

    def later(self, function: Callable[[], None]) -> None:
        """Has a function called where this way of waiting runs; to be used from other threads."""


def stalled(connection: Connection, now: float) -> bool:
    """Whether a connection has not moved for too long; to be asked `CHECKS` times in its limit.

    Args:
        connection: The connection; what is noted on it is ``since``, ``seen`` and ``queue``.
        now: The time, on the clock that ``since`` is of.
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
    """Bytes that were sent and that the peer has not taken yet; 0 where the system cannot tell."""
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


def lookup(host: str, port: int) -> list[Address]:
    """Asks the system for a host's addresses; blocks.

    Raises:
        OSError: There are none, or the name service cannot be asked.
    """
    found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)  # see `peer`
    return [(family, address) for family, _, _, _, address in found]


def wait(connection: Connection, step: Step, limit: float) -> None:
    """Runs a step that has been started to its end, in this thread; see `Waits.run`."""
    connection.limit = limit
    connection.since, connection.seen = time.monotonic(), connection.moved
    while True:
        readable, writable = _ready(connection.fd, limit / CHECKS, writing=step.writing)
        if (writable and step.writable()) or (readable and step.readable()):
            return
        if not (readable or writable) and stalled(connection, time.monotonic()):
            raise TimeoutError


def _ready(fd: int, seconds: float, *, writing: bool) -> tuple[bool, bool]:
    """Whether a socket can be read and written, after at most so many seconds."""
    if not _POLL:
        wanted = [fd] if writing else []
        # On Windows, where poll is missing, a failed connect is reported as an exception.
        read, written, failed = select.select([fd], wanted, wanted, seconds)
        return bool(read), bool(written or failed)
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLOUT if writing else select.POLLIN)
    found = poll.poll(seconds * 1000)
    events = found[0][1] if found else 0
    return bool(events & ~select.POLLOUT), bool(events & ~select.POLLIN) and writing

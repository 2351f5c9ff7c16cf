"""A connection: a non-blocking socket, with or without TLS, and its state."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from statebucket_http.reply import ReplyReader

if TYPE_CHECKING:
    import asyncio
    from ssl import SSLContext, SSLSession

    from statebucket_http.steps import Step
    from statebucket_http.waiting import Waits

KEEP_IDLE = 15.0
"""Seconds that an unused connection is kept: S3 closes it after some 20 s."""

_POLL = hasattr(select, "poll")


class Socket(socket.socket):
    """A TCP socket that is closed without a warning when it is garbage-collected.

    A store that was not shut down, in a program that ends, needs no warning.
    """

    def __del__(self) -> None:
        if self.fileno() >= 0:  # else it is closed, or could not be opened
            self.close()


class Connection:
    """One connection without TLS.

    Args:
        sock: Its socket, connected or not yet.
        max_body: The longest body of a reply, in bytes.

    Attributes:
        fd: The socket's number.
        reader: Reads its replies.
        sent: Whether a byte of the request may have left.
        unsent: Whether written bytes have not been handed to the system yet.
        session_due: Whether its TLS session must still be saved for the next connection.
        moved: Counts the bytes that arrived and left: if it does not grow, the connection has
            stalled.
        generation: Tells its pool whether to keep it.
        step: The step that is waiting for it, if any.
        future: The waiter to wake for that step.
    """

    __slots__ = (
        "_poll",
        "fd",
        "future",
        "generation",
        "limit",
        "moved",
        "owner",
        "queue",
        "reader",
        "seen",
        "sent",
        "session_due",
        "since",
        "sock",
        "step",
        "unsent",
        "unused",
        "unused_since",
        "writer",
    )

    def __init__(self, sock: Socket, max_body: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.reader = ReplyReader(max_body)
        self.sent = False
        self.session_due = False
        self.unsent = False
        self.moved = 0
        self.generation = 0
        self.unused = False
        self.unused_since = (0.0, 0.0)
        # Notes of the code that waits for it; see `statebucket_http.waiting`.
        self.owner: Waits | None = None
        self.step: Step | None = None
        self.future: asyncio.Future[None] | None = None
        self.writer = False
        self.limit = 0.0
        self.since = 0.0
        self.seen = 0
        self.queue = -1
        self._poll: select.poll | None = None

    def write(self, data: memoryview | bytes) -> int:
        """Sends as much as it can without waiting, and returns how many bytes it sent.

        Raises:
            OSError: The connection is lost.
        """
        try:
            count = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        self.sent = True
        self.moved += 1
        return count

    def read(self) -> bool:
        """Reads what has arrived; True once the reply is whole.

        Raises:
            OSError: The connection is lost.
            BadReply: The bytes are not a reply, or the connection ended within it.
        """
        reader = self.reader
        while True:
            target = reader.target()
            try:
                count = self.sock.recv_into(target)
                drained = count < len(target)
            except (BlockingIOError, InterruptedError):
                return False
            finally:
                target.release()  # an error would keep it, with the buffer that it is a view of
            self.moved += 1
            if not count:
                reader.end()
                return True
            if reader.advance(count):
                return True
            if drained:
                return False

    def session(self) -> tuple[SSLContext, SSLSession] | None:
        """A TLS session that the next connection to the same peer may resume; None without TLS."""
        return None

    def expected(self) -> bool:
        """Reads what came while it was unused, and returns whether it is still usable."""
        return False

    def rest(self) -> None:
        """Records that it is unused from now on."""
        # If the process is frozen meanwhile, one of these clocks may stand still.
        self.unused_since = (time.monotonic(), time.time())
        self.unused = True

    def fresh(self) -> bool:
        """Whether it has not been unused for too long."""
        monotonic, wall = self.unused_since
        return (
            time.monotonic() - monotonic < KEEP_IDLE and -KEEP_IDLE < time.time() - wall < KEEP_IDLE
        )

    def open(self) -> bool:
        """Whether the peer, as far as this side knows, has neither closed it nor sent anything."""
        return not self.readable_within(0) or self.expected()

    def readable_within(self, seconds: float) -> bool:
        """Waits at most ``seconds`` until something arrives or the peer closes it."""
        if not _POLL:
            return bool(select.select([self.fd], [], [], seconds)[0])
        poll = self._poll
        if poll is None:
            poll = self._poll = select.poll()
            poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Closes it at once, even during a request; may be called again."""
        owner = self.owner
        if owner is not None:
            owner.release(self)
        self.sock.close()

"""What a connection does, in steps that never block: connect, do the TLS handshake, exchange.

A step does not know how the program waits for it. It is started, and then called whenever its
socket can be read or written, until it is done; see `statebucket_http.waiting`.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from statebucket_http.head import BadReply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket_http.connection import Connection
    from statebucket_http.tls_connection import TLSConnection

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR})
_FIRST = 80 * 1024  # bytes copied at most, to send 64 KiB and a head in one piece


class Step(Protocol):
    """Something that happens on one connection.

    Attributes:
        writing: Whether it also waits until the socket can be written.
    """

    writing: bool

    def start(self) -> bool:
        """Starts the step; True if it is already done."""

    def readable(self) -> bool:
        """Continues, now that something has arrived; True once it is done."""

    def writable(self) -> bool:
        """Continues, now that something can be sent; True once it is done."""


class Connect:
    """Connects a socket.

    Args:
        connection: Not connected yet.
        address: The address, as `socket.socket.connect` takes it.
    """

    writing = True

    def __init__(self, connection: Connection, address: object) -> None:
        self._sock = connection.sock
        self._address = address

    def start(self) -> bool:
        """See `Step.start`."""
        number = self._sock.connect_ex(self._address)  # type: ignore[arg-type]  # of any family
        if number not in _UNDER_WAY:
            raise OSError(number, os.strerror(number))
        return number == 0

    def readable(self) -> bool:
        """See `Step.readable`."""
        return self.writable()

    def writable(self) -> bool:
        """See `Step.writable`."""
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))
        return True


class Handshake:
    """The TLS handshake; its last message is sent with the first request.

    Args:
        connection: Connected.
    """

    def __init__(self, connection: TLSConnection) -> None:
        self._connection = connection
        self.writing = False

    def start(self) -> bool:
        """See `Step.start`."""
        from ssl import SSLWantReadError  # noqa: PLC0415  (8 ms that only TLS costs)

        done = True
        try:
            self._connection.tls.do_handshake()
        except SSLWantReadError:
            done = False
        except OSError:
            with suppress(OSError):
                self._connection.flush()  # tells the peer why
            raise
        self._connection.flush()
        self.writing = self._connection.unsent
        return done

    def readable(self) -> bool:
        """See `Step.readable`."""
        try:
            count = self._connection.receive()
        except (BlockingIOError, InterruptedError):
            return False
        if not count:
            raise BadReply("the connection was closed within the TLS handshake")
        return self.start()

    def writable(self) -> bool:
        """See `Step.writable`."""
        self._connection.flush()
        self.writing = self._connection.unsent
        return False


class Exchange:
    """A request and its reply.

    The reply may come before the whole request was sent. It is then accepted, but the connection
    cannot be used again.

    Args:
        connection: Ready to be written to.
        head: The request's head.
        body: Its body.
        more: What follows the body.
        bodiless: Whether the reply has no body.
        tail_header: See `statebucket_http.wire.Request`.
    """

    def __init__(
        self,
        connection: Connection,
        head: bytes,
        body: bytes,
        more: Sequence[bytes] = (),
        *,
        bodiless: bool = False,
        tail_header: str = "",
    ) -> None:
        self._connection = connection
        connection.sent = False
        connection.reader.begin(bodiless=bodiless, tail_header=tail_header)
        self._pieces: Sequence[bytes | memoryview]
        size = len(head) + len(body) + (sum(map(len, more)) if more else 0)
        if size > _FIRST:
            self._pieces = _pieces((head, body, *more))
        elif more:
            self._pieces = [b"".join((head, body, *more))]
        else:
            self._pieces = [head + body if body else head]
        self._next = 0  # the piece being sent
        self._at = 0  # the position in it
        self._broken: OSError | None = None
        self.writing = True

    def start(self) -> bool:
        """See `Step.start`."""
        return self.writable()

    def writable(self) -> bool:
        """See `Step.writable`."""
        try:
            self._write()
        except OSError as error:
            # A server that refuses an upload may reply and close before it has received everything.
            self.writing = False
            self._broken = error
            return self.readable()
        return False

    def readable(self) -> bool:
        """See `Step.readable`."""
        connection = self._connection
        if self._broken is None:
            done = connection.read()
        else:
            try:
                done = connection.read()
            except (OSError, BadReply):
                raise self._broken from None
        if done and (self.writing or self._broken is not None):
            connection.reader.reusable = False
        return done

    def _write(self) -> None:
        connection = self._connection
        pieces = self._pieces
        while self._next < len(pieces):
            piece = pieces[self._next]
            count = connection.write(piece[self._at :] if self._at else piece)
            self._at += count
            if self._at < len(piece):
                if not count or connection.unsent:
                    return
                continue
            self._next += 1
            self._at = 0
        if connection.unsent:
            connection.write(b"")
        self.writing = connection.unsent


def _pieces(parts: Sequence[bytes]) -> list[bytes | memoryview]:
    """The pieces of a request as they are sent: the first is a copy, the rest is not."""
    first: list[bytes | memoryview] = []
    rest: list[bytes | memoryview] = []
    room = _FIRST
    for part in parts:
        size = len(part)
        if size <= room:
            first.append(part)
        else:
            view = memoryview(part)
            first.append(view[:room])
            rest.append(view[room:])
        room = max(0, room - size)
    return [b"".join(first), *rest]

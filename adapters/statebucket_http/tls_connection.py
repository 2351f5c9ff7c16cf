"""A connection with TLS; imported only where an endpoint has it."""

from __future__ import annotations

from ssl import SSLEOFError, SSLWantReadError, SSLZeroReturnError
from typing import TYPE_CHECKING

from statebucket_http.connection import Connection

if TYPE_CHECKING:
    from ssl import MemoryBIO, SSLContext, SSLObject, SSLSession

    from statebucket_http.connection import Socket

_RECORDS = 128 * 1024  # bytes to encrypt before they are sent
_ROOM = 256 * 1024  # bytes to receive at a time: a fifth less time than with 64 KiB


# Buffers that no one is receiving into. A call takes one out while it uses it, so a signal handler
# that interrupts it with another call uses a different one.
_buffers: list[memoryview] = []


class TLSConnection(Connection):
    """A connection with TLS; `statebucket_http.steps.Handshake` does the handshake.

    Args:
        sock: Its socket, connected.
        tls: The TLS state.
        incoming: What the TLS state reads from.
        outgoing: What the TLS state writes to.
        max_body: The longest body of a reply, in bytes.
    """

    __slots__ = ("_in", "_left", "_out", "_request_written", "tls")

    def __init__(
        self,
        sock: Socket,
        tls: SSLObject,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        max_body: int,
    ) -> None:
        super().__init__(sock, max_body)
        self.tls = tls
        self.session_due = True
        self._in = incoming
        self._out = outgoing
        self._left: bytes | memoryview = b""  # encrypted bytes that are not sent yet
        self._request_written = False  # anything sent before that belongs to the handshake

    def session(self) -> tuple[SSLContext, SSLSession] | None:
        """See `Connection.session`."""
        session = self.tls.session
        return None if session is None else (self.tls.context, session)

    def write(self, data: memoryview | bytes) -> int:
        """See `Connection.write`."""
        count = 0
        if data and not self._left:
            part = data if len(data) <= _RECORDS else memoryview(data)[:_RECORDS]
            count = self.tls.write(part)
            while count < len(part):
                count += self.tls.write(memoryview(part)[count:])
        self._request_written = True
        self.flush()
        return count

    def flush(self) -> None:
        """Sends encrypted bytes, as many as it can without waiting."""
        while left := self._left or self._out.read():
            try:
                count = self.sock.send(left)
            except (BlockingIOError, InterruptedError):
                self._left = left
                self.unsent = True
                return
            self.moved += 1
            self.sent = self._request_written
            self._left = b"" if count == len(left) else memoryview(left)[count:]
        self.unsent = False

    def receive(self) -> int:
        """Takes what has arrived from the socket; 0 if the peer has closed it.

        Raises:
            BlockingIOError: Nothing has arrived.
            OSError: The connection is lost.
        """
        try:
            room = _buffers.pop()
        except IndexError:
            room = memoryview(bytearray(_ROOM))
        try:
            count = self.sock.recv_into(room)
            self.moved += 1
            if count:
                self._in.write(room[:count])
            else:
                self._in.write_eof()
        finally:
            _buffers.append(room)
        return count

    def read(self) -> bool:
        """See `Connection.read`."""
        while True:
            try:
                count = self.receive()
            except (BlockingIOError, InterruptedError):
                return False
            if self._decrypt():
                return True
            if not count:
                self.reader.end()
                return True
            if count < _ROOM:
                return False

    def _decrypt(self) -> bool:
        """Reads the available bytes into the reply; True once the reply is whole."""
        reader, tls = self.reader, self.tls
        while True:
            target = reader.target()
            room, count, more, over = len(target), 0, True, False
            try:
                count = int(tls.read(room, target))
                while reader.in_body and 0 < count < room:  # a record at a time, of 16 KiB
                    part = int(tls.read(room - count, target[count:]))
                    if not part:
                        over = True
                        break
                    count += part
            except SSLWantReadError:
                more = False
            except (SSLZeroReturnError, SSLEOFError):
                over = True  # bytes that came before the end still count
            finally:
                target.release()  # as in `Connection.read`
            if not count:
                if not more:
                    return False
                reader.end()
                return True
            if reader.advance(count):
                # What came with its end is a new ticket, or was not requested.
                if over or ((self._in.pending or tls.pending()) and not self._only_tickets()):
                    reader.reusable = False
                return True
            if not more:
                return False

    def expected(self) -> bool:
        """See `Connection.expected`; new tickets are expected."""
        try:
            return self.receive() > 0 and self._only_tickets()
        except OSError:
            return False

    def _only_tickets(self) -> bool:
        """Whether the rest to decrypt contains neither data nor an end."""
        try:
            self.tls.read(1)
        except SSLWantReadError:
            return True
        except OSError:
            return False
        return False

"""The bodies of replies: where received bytes go, and where a body ends; without a socket.

Each kind has a buffer for the next bytes (`target`). The caller reports how many arrived
(`advance`, True at the body's end) or that the connection ended (`end`), and then takes the body
(`value`). `framed` is whether the body marks its own end, so that a truncated one is an error.
"""

from __future__ import annotations

import re
from io import BytesIO

from statebucket_http.head import MAX_HEAD, BadReply

_PIECE = 64 * 1024
_FIRST = 1024 * 1024  # bytes to allocate at first, whatever length the peer announces
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n\x00]*)?")
_MAX_LINE = 4096


class SizedBody:
    """A body of known length, received into the same bytes that are returned.

    Args:
        length: Its length in bytes, at least 1.
        begun: Its first bytes, which came with the head.
        apart: How many bytes at its end go into ``tail``, at most its length.
    """

    framed = True
    surplus = False

    def __init__(self, length: int, begun: memoryview, apart: int = 0) -> None:
        self.tail = b""
        self._apart = apart
        self._length = length
        self._buffer = BytesIO()
        self._at = len(begun)
        self._room = 0
        self._grow()
        with self._buffer.getbuffer() as view:
            view[: self._at] = begun

    def _grow(self) -> None:
        """Doubles the buffer, so that a peer that announces too much costs no memory."""
        self._room = min(self._length, max(_FIRST, 2 * self._at))
        self._buffer.seek(self._room - 1)
        self._buffer.write(b"\0")

    def target(self) -> memoryview:
        """Where the next bytes go.

        No view is kept between two reads: CPython 3.12.1 crashes when it collects a `BytesIO` in a
        cycle of garbage with a view of it, as the error of a lost connection leaves one.
        """
        return self._buffer.getbuffer()[self._at :]

    def advance(self, count: int) -> bool:
        """Counts bytes that came; True at the end."""
        self._at += count
        if self._at < self._room:
            return False
        if self._at == self._length:
            return True
        self._grow()
        return False

    def end(self) -> None:
        """Raises, since the connection ended within the body."""
        raise BadReply(f"the body is truncated: {self._at} of {self._length} bytes arrived")

    def value(self) -> bytes:
        """The body without its ``tail``, which is then set; only the tail is copied."""
        if self._apart:
            rest = self._length - self._apart
            with self._buffer.getbuffer() as view:
                self.tail = bytes(view[rest:])
            self._buffer.truncate(rest)
        return self._buffer.getvalue()


class OpenBody:
    """A body that ends with the connection.

    Args:
        begun: Its first bytes, which came with the head.
        most: The most bytes that it may have.
    """

    framed = False
    tail = b""
    surplus = True  # nothing can follow on this connection

    def __init__(self, begun: memoryview, most: int) -> None:
        self._most = most
        self._pieces = BytesIO()
        self._piece = bytearray(_PIECE)
        self._view = memoryview(self._piece)
        self._add(begun)

    def target(self) -> memoryview:
        """Where the next bytes go."""
        return self._view[:]

    def advance(self, count: int) -> bool:
        """Counts bytes that came."""
        self._add(self._view[:count])
        return False

    def _add(self, data: memoryview) -> None:
        self._pieces.write(data)
        if self._pieces.tell() > self._most:
            raise BadReply(f"its body is longer than {self._most} bytes")

    def end(self) -> None:
        """Treats the end of the connection as the end of the body."""

    def value(self) -> bytes:
        """The whole body."""
        return self._pieces.getvalue()


class ChunkedBody:
    """A body in chunks; trailers are read and dropped.

    Args:
        begun: Its first bytes, which came with the head.
        most: The most bytes that it may have.

    Attributes:
        done: Whether all of it came with the head.
        surplus: Whether something came after it.
    """

    framed = True
    tail = b""

    def __init__(self, begun: memoryview, most: int) -> None:
        self.surplus = False
        self._most = most
        self._pieces = BytesIO()
        self._view = memoryview(bytearray(_PIECE))
        self._line = b""  # the beginning of a line that is not complete yet
        self._left = 0  # bytes of the chunk still to come
        self._state = self._size
        self._trailers = 0
        self.done = self._read(begun)

    def target(self) -> memoryview:
        """Where the next bytes go."""
        return self._view[:]

    def advance(self, count: int) -> bool:
        """Counts bytes that came; True at the end."""
        return self._read(self._view[:count])

    def end(self) -> None:
        """Raises, since the connection ended within the body."""
        raise BadReply("the body is truncated: the connection ended between its chunks")

    def value(self) -> bytes:
        """The whole body."""
        return self._pieces.getvalue()

    def _read(self, view: memoryview) -> bool:
        data = self._line + bytes(view)
        self._line = b""
        at = 0
        while True:
            if self._left:
                piece = data[at : at + self._left]
                self._pieces.write(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    return False
            end = data.find(b"\r\n", at)
            if (len(data) if end < 0 else end) - at > _MAX_LINE:
                raise BadReply("a line between its chunks is too long")
            if end < 0:
                self._line = data[at:]
                return False
            line = data[at:end]
            at = end + 2
            if self._state(line):
                self.surplus = at < len(data)
                return True

    def _size(self, line: bytes) -> bool:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadReply("a chunk of its body has no size")
        self._left = int(size[1], 16)
        if self._pieces.tell() + self._left > self._most:
            raise BadReply(f"its body is longer than {self._most} bytes")
        self._state = self._after if self._left else self._trailer
        return False

    def _after(self, line: bytes) -> bool:
        if line:
            raise BadReply("a chunk of its body is longer than its size")
        self._state = self._size
        return False

    def _trailer(self, line: bytes) -> bool:
        self._trailers += len(line)
        if self._trailers > MAX_HEAD:
            raise BadReply("its trailers are too long")
        return not line

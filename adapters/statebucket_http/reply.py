"""Reads a reply from the bytes of a connection as they arrive; without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket_http.head import MAX_HEAD, BadReply, Head, read_head
from statebucket_http.wire import Reply

if TYPE_CHECKING:
    from statebucket_http.bodies import ChunkedBody, OpenBody, SizedBody

_ROOM = 16 * 1024
_INTERIM = range(100, 200)
_SWITCH = 101
_BODILESS = frozenset({204, 304})
_END = b"\r\n\r\n"


class ReplyReader:
    """Reads the replies of one connection, one after the other.

    The caller receives bytes directly into ``target()``, and then calls ``advance`` with their
    number.

    Args:
        max_body: The longest body that is read, in bytes.

    Attributes:
        reply: The reply, once it is there.
        reusable: Whether another request may follow on the connection.
        surplus: Whether something came after the reply, or may have.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._room = bytearray(_ROOM)
        self._view = memoryview(self._room)
        self._bodiless = False
        self._tail_header = ""
        self._filled = 0
        self._begin = 0  # of the head being read, after interim ones
        self._head: Head | None = None
        self._body: SizedBody | ChunkedBody | OpenBody | None = None
        self.reply: Reply | None = None
        self.reusable = False
        self.surplus = False

    def begin(self, *, bodiless: bool, tail_header: str = "") -> None:
        """Prepares for the next reply.

        Args:
            bodiless: Whether it has no body, regardless of its head: for HEAD and CONNECT.
            tail_header: See `statebucket_http.wire.Request`.
        """
        if len(self._room) > _ROOM:
            self._room = bytearray(_ROOM)
            self._view = memoryview(self._room)
        self._bodiless = bodiless
        self._tail_header = tail_header
        self._filled = self._begin = 0
        self._head = self._body = self.reply = None
        self.reusable = False

    @property
    def in_body(self) -> bool:
        """Whether the head is read, and more of the body is to come."""
        return self._body is not None

    def target(self) -> memoryview:
        """Where the next bytes go; never empty, and must be released before `advance`."""
        if self._body is not None:
            return self._body.target()
        return self._view[self._filled :]

    def advance(self, count: int) -> bool:
        """Counts bytes that came; True once the reply is whole.

        Raises:
            BadReply: They are not an HTTP/1.1 reply, or it is too long.
        """
        if self._body is not None:
            return self._body.advance(count) and self._finish(self._body)
        before = self._filled
        self._filled = before + count
        return self._read_head(max(self._begin, before - len(_END) + 1))

    def end(self) -> None:
        """Records that the connection ended, which completes a reply without a length.

        Raises:
            BadReply: The reply was cut short, or there is none.
        """
        if self._body is None:
            raise BadReply("no answer" if not self._filled else "the head is truncated")
        self._body.end()
        self._finish(self._body)

    def _read_head(self, search: int) -> bool:
        while True:
            end = self._room.find(_END, search, self._filled)
            if end < 0:
                self._check_room()
                return False
            head = self._head = read_head(bytes(self._view[self._begin : end]))
            self._begin = search = end + len(_END)
            if head.status not in _INTERIM:
                return self._read_body(head, self._view[self._begin : self._filled])
            if head.status == _SWITCH:
                raise BadReply("it switches to another protocol")

    def _check_room(self) -> None:
        if self._filled >= MAX_HEAD:
            raise BadReply(f"its head is longer than {MAX_HEAD} bytes")
        if self._filled == len(self._room):
            larger = bytearray(2 * len(self._room))
            larger[: self._filled] = self._view
            self._room, self._view = larger, memoryview(larger)

    def _read_body(self, head: Head, rest: memoryview) -> bool:
        length = 0 if self._bodiless or head.status in _BODILESS else head.length
        if length == len(rest):  # like most replies, it came whole and alone
            self.reply = Reply(head.status, head.fields, bytes(rest))
            self.surplus = False
            self.reusable = head.persists
            return True
        from statebucket_http import bodies  # noqa: PLC0415  (a small body comes with its head)

        if length is None:
            if not head.chunked:
                self._body = bodies.OpenBody(rest, self._max_body)
                return False
            self._body = chunked = bodies.ChunkedBody(rest, self._max_body)
            return chunked.done and self._finish(chunked)
        if length <= len(rest):
            return self._done(head, bytes(rest[:length]), surplus=len(rest) > length)
        if length > self._max_body:
            raise BadReply(f"its body is longer than {self._max_body} bytes")
        self._body = bodies.SizedBody(length, rest, self._apart(head, length))
        return False

    def _apart(self, head: Head, length: int) -> int:
        """How many bytes at the end of a body go into the reply's ``tail``."""
        text = head.fields.get(self._tail_header, "")
        if text.isascii() and text.isdecimal() and len(text) <= len(str(length)):
            return min(int(text), length)
        return 0  # the caller reads the header, too, and knows what to say about it

    def _finish(self, body: SizedBody | ChunkedBody | OpenBody) -> bool:
        if self._head is None:
            raise AssertionError("a body without a head")
        return self._done(self._head, body.value(), surplus=body.surplus)

    def _done(self, head: Head, body: bytes, *, surplus: bool) -> bool:
        framed = self._body is None or self._body.framed
        tail = b"" if self._body is None else self._body.tail
        self.reply = Reply(head.status, head.fields, body, framed, tail)
        self.surplus = surplus
        self.reusable = head.persists and not surplus
        self._body = None
        return True

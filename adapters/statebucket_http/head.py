"""The heads of requests and replies: written and read strictly, without a socket.

Reading a head of twelve fields takes as long as with httptools (5 µs), with nothing to install or
import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import RequestRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD = 64 * 1024
"""The longest head of a reply, in bytes, interim replies before it included."""

_VERBATIM = bytes(range(0x20, 0x7F))
_BREAKS = 2  # bytes at the end of each line
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_VERSIONS = {"HTTP/1.0 ": False, "HTTP/1.1 ": True}
_CODE_AT = len("HTTP/1.1 ")
_CODE_DIGITS = 3
_MAX_DIGITS = 18
_MAX_NAMES = 512
_USUAL_LINE = 80
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})


class BadReply(Exception):
    """A reply that breaks HTTP/1.1, or ends too early; the text says how, for a message."""


class Head(msgspec.Struct, frozen=True):
    """The head of a reply.

    Attributes:
        status: Its status.
        fields: Its header fields, names in lower case.
        length: The bytes of its body according to ``content-length``; None without one.
        chunked: Whether its body comes in chunks.
        persists: Whether the connection stays open after it.
    """

    status: int
    fields: dict[str, str]
    length: int | None
    chunked: bool
    persists: bool


_statuses: dict[str, tuple[int, bool]] = {}  # first lines that were seen
_names: dict[str, str] = {}  # valid spellings that were seen, in lower case


def read_head(raw: bytes) -> Head:
    """Reads a head.

    Args:
        raw: Its lines, without the empty one at the end and the line break before that.

    Raises:
        BadReply: It is not an HTTP/1.1 response, or its length is ambiguous.
    """
    read = _usual(raw)
    if read is None:
        first, pairs = _careful(raw)
        fields = _joined(pairs)
    else:
        first, fields = read
    status, newer = _statuses.get(first) or _status(first)
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    if length is not None and not (length.isdecimal() and len(length) <= _MAX_DIGITS):
        raise BadReply("its content-length is not a number")
    if coding is not None:
        if length is not None:
            raise BadReply("it has both content-length and transfer-encoding")
        if coding.lower() != "chunked" or not newer:
            raise BadReply("its transfer-encoding is not chunked")
    connection = fields.get("connection")
    return Head(
        status,
        fields,
        None if length is None else int(length),
        coding is not None,
        newer if connection is None else _persists(connection, newer=newer),
    )


def _usual(raw: bytes) -> tuple[str, dict[str, str]] | None:
    """The first line of a head and its fields; None if something in it is unusual.

    Unusual are: a name that was not seen yet or comes twice, white space around a value other than
    the one blank before it, and any byte but printable ASCII and the lines' own breaks.
    """
    if b" \r\n" in raw or b":  " in raw or raw[-1:] == b" ":
        return None
    fields = {}
    try:
        first, *lines = raw.decode("ascii").split("\r\n")
        for line in lines:
            name, colon, value = line.partition(": ")
            if not colon:
                return None
            fields[_names[name]] = value
    except (KeyError, UnicodeDecodeError):
        return None
    count = len(lines)
    breaks = len(raw.translate(None, _VERBATIM))
    return (first, fields) if breaks == _BREAKS * count and len(fields) == count else None


def _status(line: str) -> tuple[int, bool]:
    """The status in the first line of a head, and whether the version is 1.1 rather than 1.0."""
    newer = _VERSIONS.get(line[:_CODE_AT])
    code, _, _ = line[_CODE_AT:].partition(" ")
    digits = len(code) == _CODE_DIGITS and code.isascii() and code.isdecimal()
    if newer is None or not digits or code[0] == "0" or "\n" in line:
        raise BadReply("it is not an HTTP/1.1 response")
    status = (int(code), newer)
    if len(_statuses) < _MAX_NAMES and len(line) <= _USUAL_LINE:
        _statuses[line] = status
    return status


def _persists(connection: str, *, newer: bool) -> bool:
    options = {option.strip() for option in connection.lower().split(",")}
    return "close" not in options and (newer or "keep-alive" in options)


def _careful(raw: bytes) -> tuple[str, list[list[str]]]:
    """The first line of a head that has something unusual, and its fields."""
    lines = raw.decode("latin-1").split("\r\n")
    pairs: list[list[str]] = []
    for line in lines:
        if not line.isprintable() and any(map(_is_control, line)):
            raise BadReply("its head has a control character")
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = _names.get(name) or _known(name)
        if not colon or key is None:
            raise BadReply("its head has a line that is not a header field")
        pairs.append([key, value.strip(" \t")])
    return lines[0], pairs


def _is_control(char: str) -> bool:
    return (char < " " and char != "\t") or char == "\x7f"


def _joined(pairs: list[list[str]]) -> dict[str, str]:
    """The fields of a head, some of which may come twice.

    Different values are joined, as RFC 9110 specifies for lists, except in fields that say where
    the reply ends. Values that are not ASCII are left out: nothing stored or signed here has one.
    """
    fields: dict[str, str] = {}
    for name, value in pairs:
        key = _names.get(name) or name.lower()
        if not value.isascii():
            if key in _FRAMING:
                raise BadReply(f"its {key} is not ASCII")
            continue
        before = fields.get(key)
        if before is None or before == value:
            fields[key] = value
        elif key in _FRAMING and key != "connection":
            raise BadReply(f"it has {key} twice, and they differ")
        else:
            fields[key] = f"{before}, {value}"
    return fields


def _known(name: str) -> str | None:
    """A field's name in lower case; None if it is not valid."""
    if not name or not _TOKEN.issuperset(name):
        return None
    if len(_names) < _MAX_NAMES:
        _names[name] = name.lower()
    return name.lower()


def write_head(method: str, target: str, headers: Mapping[str, str], length: int | None) -> bytes:
    """The head of a request, to its last byte.

    Args:
        method: The method.
        target: What it is about: a path with its query, or a whole URL for a proxy.
        headers: All fields but those that the transport itself writes.
        length: The bytes of the body; None if the request has none.

    Raises:
        RequestRejected: A part contains a line break, or what some server might take for one, or a
            field is one that the transport writes itself; the message shows no value.
    """
    lines = [f"{method} {target} HTTP/1.1"]
    lines += map(": ".join, headers.items())
    if length is not None:
        lines.append(f"content-length: {length}")
    lines.append("user-agent: statebucket\r\n\r\n")
    text = "\r\n".join(lines)
    raw = text.encode("utf-8", "surrogatepass")
    rest = len(raw.translate(None, _VERBATIM))
    if rest != _BREAKS * (len(lines) + 1) or not (headers.keys() <= _sendable):
        _refuse(headers)
        if rest != _BREAKS * (len(lines) + 1):
            raise _rejected("method or path")
    if " " in target or not method.isalpha():
        raise _rejected("method or path")
    return raw


_sendable: set[str] = set()  # valid field names that were seen


def _refuse(headers: Mapping[str, str]) -> None:
    """Raises if a field cannot be sent."""
    for name, value in headers.items():
        lower = name.lower()
        if not name or not _TOKEN.issuperset(name) or lower in _FRAMING or lower == "user-agent":
            raise _rejected(f"header name {name[:40]!r}")
        if not value.isascii() or not value.isprintable():
            raise _rejected(f"header {name[:40]!r}")
        if len(_sendable) < _MAX_NAMES:
            _sendable.add(name)


def _rejected(part: str) -> RequestRejected:
    return RequestRejected(
        f"the request cannot be sent: its {part} contains a character that HTTP does not allow "
        "there"
    )

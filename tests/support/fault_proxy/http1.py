"""HTTP/1.1 on asyncio streams: requests and replies, each read and written whole.

Reading whole messages rather than passing bytes through costs memory, but keeps faults simple:
each of them sees the complete request or reply.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from support.fault_proxy.messages import Headers, Reply, Request, has_body, header, replace_header

# The longest head, or line of a chunked body, that is accepted.
LINE_LIMIT = 1 << 20

# Headers about a single connection, which are not passed on.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "expect", "upgrade"})


class ProtocolError(Exception):
    """A peer sent something other than HTTP/1.1."""


async def read_request_head(reader: asyncio.StreamReader) -> Request | None:
    """Read a request up to its body.

    Args:
        reader: The client's stream.

    Returns:
        The request without its body, or None if the client closed the connection instead.

    Raises:
        ProtocolError: It is not an HTTP/1.1 request.
    """
    head = await _read_head(reader)
    if head is None:
        return None
    start, headers = head
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ProtocolError(f"not a request line: {start!r}")
    return Request(method=words[0], target=words[1], version=words[2], headers=headers)


async def read_body(
    reader: asyncio.StreamReader, headers: Headers, *, until_end: bool = False
) -> tuple[bytes, bytes]:
    """Read a body as its headers frame it.

    Args:
        reader: The stream, after the head.
        headers: The message's headers.
        until_end: Whether a body without a length ends with the connection, as a reply's does.

    Returns:
        The body without chunk framing, and as it came.

    Raises:
        ProtocolError: The framing is broken.
    """
    if "chunked" in (header(headers, "transfer-encoding") or "").lower():
        return await _read_chunks(reader)
    length = header(headers, "content-length")
    if length is not None:
        if not length.isdecimal():
            raise ProtocolError(f"not a length: {length!r}")
        body = await reader.readexactly(int(length))
    else:
        body = await reader.read() if until_end else b""
    return body, body


async def read_reply(reader: asyncio.StreamReader, method: str) -> tuple[Reply, bool]:
    """Read a server's reply to its end.

    Args:
        reader: The server's stream.
        method: The method of the request.

    Returns:
        The reply, and whether the server keeps the connection open for the next request.

    Raises:
        ProtocolError: It is not an HTTP/1.1 reply, or there is none.
    """
    version, status, reason, headers = await _read_reply_head(reader)
    while status < HTTPStatus.OK:  # Interim replies such as 100 come before the actual one.
        version, status, reason, headers = await _read_reply_head(reader)
    body, framed = b"", True
    if has_body(method, status):
        names = {name.lower() for name, _ in headers}
        framed = bool(names & {"content-length", "transfer-encoding"})
        body, _ = await read_body(reader, headers, until_end=True)
    connection = (header(headers, "connection") or "").lower()
    stays = framed and version == "HTTP/1.1" and "close" not in connection
    return Reply(status=status, headers=headers, body=body, reason=reason), stays


def encode_request(request: Request, host: str | None) -> bytes:
    """Write a request for the server.

    Args:
        request: The request as it came.
        host: The Host header to send, or None for the client's own.

    Returns:
        The bytes to send.
    """
    headers = _end_to_end(request.headers)
    if host is not None:
        headers = replace_header(headers, "Host", host)
    start = f"{request.method} {request.target} HTTP/1.1"
    return _encode_head(start, headers) + request.wire_body


def encode_reply(reply: Reply, method: str) -> tuple[bytes, bytes, bytes]:
    """Write a reply for the client, always as HTTP/1.1.

    A chunked body stays chunked, in one chunk.

    Args:
        reply: The reply.
        method: The method of the request.

    Returns:
        What comes before the body, the body, and what comes after it.
    """
    headers, opening, closing = _end_to_end(reply.headers), b"", b""
    if not has_body(method, reply.status):
        body = b""
        if reply.body:  # The proxy's own reply to HEAD.
            headers = replace_header(headers, "Content-Length", str(len(reply.body)))
    elif header(headers, "transfer-encoding") is not None:
        body = reply.body
        if body:
            opening, closing = b"%x\r\n" % len(body), b"\r\n"
        closing += b"0\r\n\r\n"
    elif not reply.framed:
        body = reply.body
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-length")
    else:
        body = reply.body
        headers = replace_header(headers, "Content-Length", str(len(body)))
    reason = reply.reason or _usual_reason(reply.status)
    head = _encode_head(f"HTTP/1.1 {reply.status} {reason}", headers)
    return head + opening, body, closing


async def _read_reply_head(reader: asyncio.StreamReader) -> tuple[str, int, str, Headers]:
    """Read a reply's version, status, reason and headers."""
    head = await _read_head(reader)
    if head is None:
        raise ProtocolError("the server closed the connection without a reply")
    start, headers = head
    version, _, rest = start.partition(" ")
    code, _, reason = rest.partition(" ")
    if not (version.startswith("HTTP/1.") and code.isdecimal()):
        raise ProtocolError(f"not a status line: {start!r}")
    return version, int(code), reason, headers


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers] | None:
    """Read a start line and headers, or find that the stream has ended."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise ProtocolError(f"a head cut short: {error.partial[:200]!r}") from None
        return None
    except asyncio.LimitOverrunError:
        raise ProtocolError("a head without an end") from None
    # Latin-1 turns every byte into a character and back, so nothing is lost.
    start, *lines = raw[:-4].decode("latin-1").split("\r\n")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError(f"not a header: {line!r}")
        headers.append((name, value.strip(" \t")))
    return start, tuple(headers)


async def _read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a chunked body with its trailers."""
    body, wire = bytearray(), bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        wire += line
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise ProtocolError(f"not a chunk size: {line!r}") from None
        if size == 0:
            break
        chunk = await reader.readexactly(size + 2)
        wire += chunk
        body += chunk[:-2]
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        wire += line
    wire += line
    return bytes(body), bytes(wire)


def _end_to_end(headers: Headers) -> Headers:
    """Leave out the headers of a single connection."""
    return tuple((key, value) for key, value in headers if key.lower() not in _HOP_BY_HOP)


def _encode_head(start: str, headers: Headers) -> bytes:
    """Write a start line and headers."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _usual_reason(status: int) -> str:
    """Give the reason phrase that goes with a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

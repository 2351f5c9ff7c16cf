"""Requests and replies as values."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

Headers = tuple[tuple[str, str], ...]

_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        method: The method.
        target: The target, undecoded.
        version: "HTTP/1.1" or "HTTP/1.0".
        headers: All headers in their order.
        body: The body without chunk framing.
        wire_body: The body as it came, with chunk framing if it had any.
    """

    method: str
    target: str
    version: str
    headers: Headers
    body: bytes = b""
    wire_body: bytes = b""

    @property
    def closes(self) -> bool:
        """Whether the client wants its connection closed after the reply."""
        wanted = (header(self.headers, "connection") or "").lower()
        return "close" in wanted or (self.version == "HTTP/1.0" and "keep-alive" not in wanted)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply.

    Attributes:
        status: The status code.
        headers: All headers in their order. Content-Length is set when the reply is sent.
        body: The body without chunk framing.
        reason: The reason phrase; empty for the usual one.
        framed: Whether the reply says where its body ends. If not, it ends with the connection,
            which a fault that drops it has to close.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""
    framed: bool = True


def header(headers: Headers, name: str) -> str | None:
    """Find a header.

    Args:
        headers: Where to look.
        name: The header's name, in any case.

    Returns:
        The first value, or None.
    """
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def replace_header(headers: Headers, name: str, value: str) -> Headers:
    """Set a header, in its place if it is there, or else at the end.

    Args:
        headers: The headers to start from.
        name: The header's name, in any case.
        value: The new value.

    Returns:
        The new headers.
    """
    if header(headers, name) is None:
        return (*headers, (name, value))
    wanted = name.lower()
    return tuple((key, value if key.lower() == wanted else old) for key, old in headers)


def has_body(method: str, status: int) -> bool:
    """Say whether a reply carries a body.

    Args:
        method: The request's method.
        status: The reply's status.

    Returns:
        False for HEAD, 204 and 304, regardless of their headers.
    """
    return method != "HEAD" and status not in _BODILESS

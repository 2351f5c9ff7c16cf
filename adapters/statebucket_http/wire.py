"""A request and its reply, as adapters build and read them and the transport carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.port.bucket import Confidential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Request(Confidential, frozen=True):
    """One request, not signed yet.

    Attributes:
        method: "GET", "PUT", …
        path: The path, percent-encoded, from the bucket's root.
        query: The query, percent-encoded, its parameters in order of their names.
        headers: The headers, names in lower case, without ``host`` and ``content-length``.
        body: What is sent; empty for none.
        more: What is sent after the body, so that a large body need not be copied to frame it.
        tail_header: The header of the reply that says how many bytes at the end of a large body go
            into `Reply.tail`, so that the others need not be copied.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""
    more: Sequence[bytes] = ()
    tail_header: str = ""

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.path!r}, …)"


class Reply(Confidential, frozen=True):
    """One reply, whole.

    Attributes:
        status: The HTTP status.
        headers: The headers, names in lower case.
        body: The bytes as they were sent, without those in ``tail``.
        framed: Whether the reply says where its body ends, so that a truncated one is an error.
            If not, the body ended with the connection, no matter what closed it.
        tail: The last bytes, where the request's ``tail_header`` says how many; empty if the body
            is small or its length was not known before it came.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    framed: bool = True
    tail: bytes = b""

    def __repr__(self) -> str:
        return f"Reply({self.status}, …)"


class Endpoint(msgspec.Struct, frozen=True):
    """Where the requests of a bucket go.

    Attributes:
        scheme: "http" or "https".
        host: The host in the form of the ``Host`` header: with the port, unless it is the
            scheme's default.
        path: A prefix for each request's path, without a slash at its end.
        region: The region that requests are signed for.
    """

    scheme: str
    host: str
    path: str
    region: str

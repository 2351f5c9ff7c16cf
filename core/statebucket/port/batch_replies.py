"""The answer to a batch: numbered replies in a ``multipart/mixed`` body."""

from __future__ import annotations

import re
from email.message import Message
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(rb"^content-id:[^0-9\r\n]*([0-9]{1,4})\b", re.IGNORECASE | re.MULTILINE)
_SUCCESS = re.compile(
    rb"\r\nContent-Type: application/http\r\nContent-ID: (?:<response-)?([0-9]{1,4})>?\r\n\r\n"
    rb"HTTP/1\.1 (2[0-9]{2})\s"
)
"""A success as Azure and Cloud Storage write it, which most parts are."""

_STATUS = re.compile(rb"[2-5][0-9]{2}\s")
_DONE = 300  # the first status that is not a success


class Part(NamedTuple):
    """One reply of a batch.

    Attributes:
        number: The number of the request that it answers; None if the service gave none.
        status: Its status code.
        headers: Its headers, names in lower case; not read for a success.
        body: Its body; not read for a success.
    """

    number: int | None
    status: int
    headers: dict[str, str]
    body: bytes


def parts(content_type: str, body: bytes) -> Iterator[Part]:
    """The replies in a batch's answer, in their order.

    Parsed by hand: there may be thousands, and `email` takes ten times as long.

    Args:
        content_type: The answer's media type, which names the boundary between the parts.
        body: The answer's body.

    Raises:
        ValueError: It is not such an answer, or is incomplete.
    """
    about = Message()
    about["Content-Type"] = content_type
    boundary = about.get_boundary()
    if not boundary:
        raise ValueError(f"not a batch response: {content_type!r}")
    _, *found, end = body.split(f"--{boundary}".encode())
    if not end.startswith(b"--"):
        raise ValueError("truncated batch response")
    for part in found:
        success = _SUCCESS.match(part)
        if success is not None:
            yield Part(int(success[1]), int(success[2]), {}, b"")
            continue
        head, _, reply = part.partition(b"HTTP/1.1 ")
        numbered = _NUMBER.search(head)
        number = int(numbered[1]) if numbered else None
        if not _STATUS.match(reply):
            raise ValueError("batch part without a status")
        status = int(reply[:3])
        headers, said = {}, b""
        if status >= _DONE:
            lines, _, said = reply.partition(b"\r\n")[2].partition(b"\r\n\r\n")
            items = BytesHeaderParser().parsebytes(lines).items()
            headers = {name.lower(): str(value) for name, value in items}
        yield Part(number, status, headers, said.removesuffix(b"\r\n"))

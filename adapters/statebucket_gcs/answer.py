"""A reply of Cloud Storage, and its reason for a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from statebucket.port.complete_types import complete, complete_at_once

_NOT_FOUND = 404
# How the service answers a download, which has no document. "Not Found" is an emulator's, and so is
# the document, of Google's own storage-testbench.
_TEXTS = (b"No such object", b"Not Found", b'{"code":404,')
_NO_BUCKET = b"The specified bucket does not exist"


class _Detail(msgspec.Struct):
    reason: str = ""


class _Inner(msgspec.Struct):
    message: str = ""
    errors: list[_Detail] = []


@complete_at_once
class _Error(msgspec.Struct):
    error: _Inner


class Answer(msgspec.Struct, frozen=True):
    """A reply of the service, with its whole body.

    Attributes:
        status: The status code.
        headers: The headers, names in lower case.
        body: The body, decoded.
        writes: Whether the request would have changed something.
        framed: Whether the reply says where its body ends; if not, the body may be truncated.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    writes: bool
    framed: bool = True

    @property
    def missing(self) -> bool:
        """Whether the object does not exist, though the bucket may.

        An emulator says so without a body.
        """
        return self.status == _NOT_FOUND and not (self.bucket_missing or self.foreign)

    @property
    def foreign(self) -> bool:
        """Whether it is a 404 that is not the service's, such as the page of a gateway before it.

        Taken for a missing object, it would make a caller begin again from nothing.
        """
        if self.status != _NOT_FOUND or not self.body.strip() or self.bucket_missing:
            return False
        return not any(self.explanation) and not self.body.startswith(_TEXTS)

    @property
    def bucket_missing(self) -> bool:
        """Whether the bucket does not exist; a missing object is answered differently."""
        if self.status != _NOT_FOUND:
            return False
        reason, message = self.explanation
        return (
            reason == "NoSuchBucket"
            or "bucket does not exist" in message
            or self.body.startswith(_NO_BUCKET)
        )

    @property
    def explanation(self) -> tuple[str, str]:
        """The reason and message of an error, from the JSON or XML API."""
        try:
            inner = msgspec.json.decode(self.body, type=complete(_Error)).error
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            text = self.body.decode(errors="replace")
            found = {
                tag: match[1]
                for tag in ("Code", "Message", "Details")
                if (match := re.search(f"<{tag}>([^<]*)</{tag}>", text))
            }
            message = " ".join(filter(None, [found.get("Message"), found.get("Details")]))
            return found.get("Code", ""), message
        return (inner.errors[0].reason if inner.errors else ""), inner.message

"""Many deletions in one request of the JSON API.

https://cloud.google.com/storage/docs/batch
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from statebucket.port.batch_replies import parts
from statebucket_gcs.answer import Answer
from statebucket_gcs.errors import malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/batch/storage/v1"


def deletions(paths: Sequence[str]) -> tuple[str, bytes]:
    """The content type and body of a request that deletes objects.

    Args:
        paths: Their paths in the JSON API, encoded; at most 100.
    """
    boundary = os.urandom(16).hex()
    requests = [
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\n"
        f"DELETE {path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n\r\n"
        for number, path in enumerate(paths)
    ]
    body = "".join([*requests, f"--{boundary}--\r\n"])
    return f"multipart/mixed; boundary={boundary}", body.encode()


def answers(answer: Answer, count: int) -> dict[int, Answer]:
    """The result of each deletion, by its position in the request; unreported ones are left out.

    Args:
        answer: The reply to the whole request.
        count: How many deletions the request had.

    Raises:
        Unavailable: It is not the reply to that request.
    """
    try:
        found = list(parts(answer.headers.get("content-type", ""), answer.body))
    except ValueError as error:
        raise malformed("unexpected response format", writes=True) from error
    # Emulators number nothing, and keep the order: if one is missing, the others may be any.
    if len(found) != count and any(part.number is None for part in found):
        raise malformed(f"it has {len(found)} parts instead of {count}", writes=True)
    places = [place if part.number is None else part.number for place, part in enumerate(found)]
    if len(set(places)) < len(places) or not all(place < count for place in places):
        raise malformed("its parts belong to other requests", writes=True)
    return {
        place: Answer(part.status, part.headers, part.body, writes=True)
        for place, part in zip(places, found, strict=True)
    }

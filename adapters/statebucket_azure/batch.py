"""What Azure's reply to a batch delete reports for each blob."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import BucketNotFound
from statebucket.port.batch_replies import parts
from statebucket.port.bucket import Deletion
from statebucket_azure.codes import ERRORS, BlobNotFound, malformed, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.batch_replies import Part


def deletions_of(content_type: str, body: bytes, names: Sequence[str]) -> list[Deletion]:
    """The result for each blob of a batch.

    Args:
        content_type: The reply's media type.
        body: Its body.
        names: The blobs, in the order of the batch's requests, which are numbered from 0.

    Raises:
        Unavailable: It is not the reply to this batch.
        BucketNotFound: There is no such container.
    """
    try:
        found = list(parts(content_type, body))
    except ValueError as error:  # not a multipart reply
        raise malformed(writes=True) from error
    numbers = {part.number for part in found}
    if len(numbers) < len(found) or not numbers <= set(range(len(names))):
        raise malformed("its parts belong to other requests", writes=True)
    replies = {part.number: part for part in found}
    return [_deletion(name, replies.get(place)) for place, name in enumerate(names)]


def _deletion(name: str, part: Part | None) -> Deletion:
    if part is None:
        return Deletion(name, error=malformed("it has no result for this object", writes=True))
    if part.status < ERRORS:
        return Deletion(name, existed=True)
    failure = refusal(part.status, part.headers, part.body, writes=True)
    if isinstance(failure, BlobNotFound):
        return Deletion(name, existed=False)
    if isinstance(failure, BucketNotFound):
        raise failure  # every part has it
    return Deletion(name, error=failure)

"""What Azure's reply to a batch delete reports for each blob, and what to do without batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from statebucket.errors import AccessDenied, BucketNotFound
from statebucket.port.batch_replies import parts
from statebucket.port.bucket import Deletion
from statebucket_azure.codes import ERRORS, BlobNotFound, malformed, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.port.batch_replies import Part
    from statebucket.port.bucket import Bucket

_LACKS_RIGHT = "AuthorizationPermissionMismatch"


def deletions_of(content_type: str, body: bytes, names: Sequence[str]) -> list[Deletion]:
    """The result for each blob of a batch.

    Args:
        content_type: The reply's media type.
        body: Its body.
        names: The blobs, in the order of the batch's requests, which are numbered from 0.

    Raises:
        Unavailable: It is not the reply to this batch.
        BucketNotFound: There is no such container.
        StateBucketError: The service has refused the batch as a whole.
    """
    try:
        found = list(parts(content_type, body))
    except ValueError as error:  # not a multipart reply
        raise malformed(writes=True) from error
    if len(found) == 1 and found[0].number is None and found[0].status >= ERRORS:
        raise refusal(found[0].status, found[0].headers, found[0].body, writes=True)
    numbers = {part.number for part in found}
    if len(numbers) < len(found) or not numbers <= set(range(len(names))):
        raise malformed("its parts belong to other requests", writes=True)
    replies = {part.number: part for part in found}
    return [_deletion(name, replies.get(place)) for place, name in enumerate(names)]


async def deleted(
    bucket: Bucket, names: Sequence[str], batch: Callable[[], Awaitable[list[Deletion]]]
) -> list[Deletion]:
    """Deletes blobs by a batch, or without one if the service lets the identity send none.

    A batch needs the right to write containers, which the deletions in it do not need:
    https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory.
    Where it is refused, the first blob is deleted by itself, to find out whether it is only that
    right that is missing. From then on the core deletes each blob in a call of its own, with a
    deadline of its own; of a batch that was waiting meanwhile nothing is deleted here.

    Args:
        bucket: The container.
        names: The blobs.
        batch: Sends the batch.

    Returns:
        The results. Those with an error are to be tried one by one.

    Raises:
        AccessDenied: The batch is refused, and not only for that right.
        StateBucketError: Of the batch, or of the deletion of a single blob.
    """
    if bucket.limits.delete_requests:
        if len(names) == 1:
            return [Deletion(names[0], existed=await bucket.delete(names[0]))]
        refused = AccessDenied("the identity may delete these blobs only in requests of their own")
        return [Deletion(name, error=refused) for name in names]
    try:
        return await batch()
    except AccessDenied as error:
        refused = error
    if refused.code != _LACKS_RIGHT:
        raise refused
    try:
        existed = await bucket.delete(names[0])
    except AccessDenied:
        raise refused from None
    bucket.limits = replace(bucket.limits, delete_requests=True)
    rest = [Deletion(name, error=refused) for name in names[1:]]
    return [Deletion(names[0], existed=existed), *rest]


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

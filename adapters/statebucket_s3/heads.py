"""HEAD requests that S3 refuses without a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import StateBucketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_SILENT = frozenset({"301", "302", "307", "400"})  # the status stands for a code if there is none
_EMPTY = "InvalidRange"


async def explained(
    head: Callable[[], Awaitable[T | None]], get: Callable[[], Awaitable[object | None]]
) -> T | None:
    """The result of a HEAD; if S3 refuses it without a reason, a GET is sent to learn the reason.

    S3 gives its reasons in a body, which no reply to a HEAD has. An expired token, a malformed one
    and a wrong region look the same: a 400, mostly without the header that names the region
    (https://github.com/boto/botocore/issues/1413, https://github.com/paws-r/paws/issues/896). The
    reply to the GET is handled as always: the key is renewed, the region learned, or the error
    raised. Then the HEAD is sent again.

    Args:
        head: Sends the HEAD; None if the object does not exist.
        get: Requests the object's first byte; None if it does not exist.

    Raises:
        StateBucketError: As the HEAD; or the GET was refused, too.
    """
    try:
        return await head()
    except StateBucketError as error:
        if error.code not in _SILENT:
            raise
    try:
        if await get() is None:
            return None
    except StateBucketError as error:
        if error.code != _EMPTY:  # of an object without a first byte
            raise
    return await head()

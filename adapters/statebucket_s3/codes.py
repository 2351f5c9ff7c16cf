"""S3's error codes, and what each means for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from statebucket import errors
from statebucket.errors import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGGING = "x-amz-tagging"
"""The header of a write that tags the object."""

OPTIONAL = ("if-match", "if-none-match", TAGGING, "x-amz-server-side-encryption")
"""The headers of our requests that not every service knows."""

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
"""The codes that say that there is no such object (not: no such bucket or endpoint)."""

_CREDENTIALS = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
)
# The request was refused or did not arrive whole: nothing was written, and it may be sent again.
_NOT_DONE = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "OperationAborted",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_NOT_FOUND = 404
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_CONFLICT = 412
_TOO_MANY = 429
_SERVER = 500


FOREIGN = "200"
"""The code of the error for a reply that says success and is not what S3 answers."""


def unreadable() -> errors.Unavailable:
    """The error for a reply that says success and is not what S3 answers."""
    return errors.Unavailable("S3's answer cannot be read", outcome="unknown", code=FOREIGN)


class Asked(NamedTuple):
    """What was asked of S3, for the error that it does not offer it.

    Attributes:
        call: The operation, as S3 names it.
        extras: The headers that not every service knows.
    """

    call: str
    extras: Sequence[str] = ()


def of_code(
    code: str, message: str, status: int = 0, *, asked: Asked | None = None, header: str = ""
) -> errors.StateBucketError:
    """The error for a code in S3's reply, or in an entry of a batch delete's reply.

    Args:
        code: S3's code; empty or the status where the reply names none.
        message: S3's text.
        status: The HTTP status; 0 for an entry of a reply.
        asked: What was asked.
        header: The request's header that the reply names as the reason.
    """
    code = excerpt(code)
    error = _of_code(code, excerpt(message), status, asked, header)
    error.code = code or (str(status) if status else None)
    return error


def _of_code(
    code: str, message: str, status: int, asked: Asked | None, header: str
) -> errors.StateBucketError:
    if code in {"", str(status)}:
        said = f"S3 answered {status or 'an error'} without an error code"
    else:
        said = f"S3 answered {code}{f' ({status})' if status else ''}: {message}"
    if code == "NoSuchBucket":
        return errors.BucketNotFound(said)
    if code in _CREDENTIALS or status == _UNAUTHORIZED:
        return errors.InvalidCredentials(said)
    if code in _NOT_DONE:
        return errors.Unavailable(said)
    if code in {"AccessDenied", "AllAccessDisabled", "403"} or status == _FORBIDDEN:
        return errors.AccessDenied(
            f"{said} (S3 also answers so for a missing object where s3:ListBucket is not granted, "
            "and for a write with ttl_tags where s3:PutObjectTagging is not)"
        )
    if status == _CONFLICT or code in {"PreconditionFailed", "412"}:
        return errors.PreconditionFailed(said)
    if code in _THROTTLED or status == _TOO_MANY:
        return errors.Throttled(said)
    if code == "NotImplemented":
        return errors.RequestRejected(f"{said} ({_not_offered(asked, header)})")
    if status >= _SERVER or code in {"InternalError", "ServiceUnavailable"}:
        return errors.Unavailable(said, outcome="unknown")
    if status == _NOT_FOUND:
        said += " (is endpoint_url that of an S3 service?)"
    return errors.RequestRejected(said)


def _not_offered(asked: Asked | None, header: str) -> str:
    """What a service does not offer, and the option that does without it."""
    extras = [excerpt(header).lower()] if header else [] if asked is None else asked.extras
    call = "the call" if asked is None else asked.call
    said = f"the service does not offer {call}"
    if extras:
        said += f" with {' and '.join(extras)}"
    if TAGGING in extras:
        said += "; ttl_tags=false does without tags"
    return said

"""S3's error codes, and what each means for a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from statebucket import errors
from statebucket.errors import MAX_EXCERPT, excerpt
from statebucket_s3.partitions import is_region

TAGGING = "x-amz-tagging"
"""The header of a write that tags the object."""

OPTIONAL = ("if-match", "if-none-match", TAGGING, "x-amz-server-side-encryption")
"""The headers of our requests that not every service supports."""

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
"""The codes for a missing object (not for a missing bucket or endpoint)."""

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
"""The codes that say that a temporary key has expired."""

_NO_BUCKET = frozenset({"NoSuchAccessPoint", "NoSuchBucket"})
_CREDENTIALS = EXPIRED | frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredRequest",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",  # of STS, as are some below
        "InvalidSecurity",
        "InvalidToken",
        "InvalidTokenId",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "KMS.ThrottlingException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
_FAILED = frozenset(
    {
        "InternalError",
        "ServiceUnavailable",
        # MinIO, when too few of its drives answer: some may have carried out the request.
        "SlowDownRead",
        "SlowDownWrite",
    }
)
# Answered with 403, but about the object and not about a right.
_NOT_A_RIGHT = frozenset({"InvalidObjectState", "ObjectUnderActiveHold", "RetentionPolicyNotMet"})
# The request was refused or arrived incomplete: nothing was written, and it may be sent again.
_NOT_DONE = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IDPCommunicationError",  # of STS
        "IncompleteBody",
        "OperationAborted",
        "RequestTimeout",
        "TemporaryRedirect",  # a new bucket's name is not known everywhere yet
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
# The parts of the text with which S3 says that a policy refuses a request:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
_DENIED = " is not authorized to perform: "
_ON = " on resource: "
_REASONS = (" because ", " with an explicit deny ")
_LONGEST = 200
_BAD_REQUEST = 400
_NOT_FOUND = 404
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_CONFLICT = 412
_REQUEST_TIMEOUT = 408
_TOO_MANY = 429
_SERVER = 500
_NOT_IMPLEMENTED = 501
_OLD_VERSION = 505  # of HTTP
_FULL = 507


FOREIGN = "200"
"""The code of the error for a reply that reports success but is not a valid S3 response."""


def in_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    """The code and text of an error by a reply's headers, where MinIO puts them for a HEAD.

    Both are empty for other services, whose reply to a HEAD has only a status.
    """
    return headers.get("x-minio-error-code", ""), headers.get("x-minio-error-desc", "").strip('"')


def unreadable() -> errors.Unavailable:
    """The error for a reply that reports success but is not a valid S3 response."""
    return errors.Unavailable("not a valid S3 response", outcome="unknown", code=FOREIGN)


def region_in(code: str, message: str) -> str | None:
    """The bucket's region, if an error names it in its text only; None for any other error.

    S3 answers so where the request went to, or should have gone to, a region that accounts must
    opt in to (https://github.com/boto/botocore/pull/3303). It calls its first region "unspecified".
    """
    if code != "IllegalLocationConstraintException":
        return None
    _, _, named = message.partition("The ")
    region, marker, _ = named.partition(" location constraint")
    if not marker or not is_region(region):
        return None
    return "us-east-1" if region == "unspecified" else region


class Requested(msgspec.Struct, frozen=True):
    """What was requested of S3, for the error if the service does not offer it.

    Attributes:
        call: The operation, as S3 names it.
        extras: The headers that not every service supports.
    """

    call: str
    extras: Sequence[str] = ()


def of_code(
    code: str,
    message: str,
    status: int = 0,
    *,
    requested: Requested | None = None,
    header: str = "",
) -> errors.StateBucketError:
    """The error for a code in S3's reply, or in an entry of a batch delete's reply.

    Args:
        code: S3's code; empty or the status where the reply names none.
        message: S3's text.
        status: The HTTP status; 0 for an entry in a batch reply.
        requested: What was requested.
        header: The request's header that the reply names as the reason.
    """
    code = excerpt(code)
    error = _of_code(code, _quoted(message), status, requested, header)
    error.code = code or (str(status) if status else None)
    return error


def _quoted(message: str) -> str:
    """S3's text, for a message.

    A refusal by a policy names the caller, the action and the resource, and in the end the kind of
    policy that decided. If that is too long, the resource is left out and not the end.
    """
    caller, _, rest = message.partition(_DENIED)
    action, on, rest = rest.partition(_ON)
    if len(message) <= MAX_EXCERPT or not on:
        return excerpt(message)
    reason = min((rest[rest.rfind(one) :] for one in _REASONS if one in rest), key=len, default="")
    who, what, why = map(excerpt, (caller[:_LONGEST], action[:_LONGEST], reason))
    return f"{who}{_DENIED}{what}{_ON}… {why}".rstrip()


def _of_code(
    code: str, message: str, status: int, requested: Requested | None, header: str
) -> errors.StateBucketError:
    unnamed = code in {"", str(status)}
    if unnamed:
        text = f"S3 answered {status or 'an error'} without an error code"
    else:
        text = f"S3 answered {code}{f' ({status})' if status else ''}: {message}"
    if code in _NO_BUCKET:
        return errors.BucketNotFound(text)
    if code in _NOT_DONE or unverified(code, message):
        return errors.Unavailable(text)
    if code in _CREDENTIALS or status == _UNAUTHORIZED:
        return errors.InvalidCredentials(text)
    full = code == "QuotaExceeded" or status == _FULL
    if full or code in _NOT_A_RIGHT or status == _OLD_VERSION:
        return errors.OutOfSpace(text) if full else errors.RequestRejected(text)
    if code in {"AccessDenied", "AllAccessDisabled", "403"} or status == _FORBIDDEN:
        return errors.AccessDenied(f"{text}{_other_reasons(message, unnamed=unnamed)}")
    if status == _CONFLICT or code in {"PreconditionFailed", "412"}:
        return errors.PreconditionFailed(text)
    if code in _THROTTLED or status == _TOO_MANY:
        return errors.Throttled(text)
    if code == "NotImplemented" or status == _NOT_IMPLEMENTED:
        return errors.RequestRejected(f"{text} ({_not_offered(requested, header)})")
    if status >= _SERVER or status == _REQUEST_TIMEOUT or code in _FAILED:
        return errors.Unavailable(text, outcome="unknown")
    if status == _NOT_FOUND:
        text += " (is endpoint_url that of an S3 service?)"
    return errors.RequestRejected(text)


def _other_reasons(message: str, *, unnamed: bool) -> str:
    """Why S3 may deny access, unless it says so."""
    if _DENIED in message:
        return ""
    return (
        " (S3 also answers this for a missing object without s3:ListBucket, "
        "and for a write with ttl_tags without s3:PutObjectTagging"
        f"{'; without a code it may also mean that the key is wrong' if unnamed else ''})"
    )


def unverified(code: str, message: str) -> bool:
    """Whether STS refuses a token only because its issuer did not give its keys in time."""
    return code == "InvalidIdentityToken" and "retrieve verification key" in message


def refused_keys(response: Mapping[str, Any], operation: str) -> errors.StateBucketError:
    """The error for a reply of AWS's token services that has no key.

    It has the service's code but not its text, which may quote a token.

    Args:
        response: The reply, as botocore has it.
        operation: What was requested, as AWS names it.
    """
    said = response.get("Error", {})
    code = excerpt(str(said.get("Code", "")))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if unverified(code, str(said.get("Message"))) or of_code(code, "", status).transient:
        return errors.Unavailable(f"no AWS credentials: {operation} answered {code}", code=code)
    return errors.InvalidCredentials(
        f"no usable AWS credentials ({operation} answered {code}): set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role",
        code=code,
    )


def _not_offered(requested: Requested | None, header: str) -> str:
    """A feature that a service does not offer, and the option to do without it."""
    extras = [excerpt(header).lower()] if header else [] if requested is None else requested.extras
    call = "the call" if requested is None else requested.call
    text = f"the service does not offer {call}"
    if extras:
        text += f" with {' and '.join(extras)}"
    if TAGGING in extras:
        text += "; ttl_tags=false does without tags"
    return text

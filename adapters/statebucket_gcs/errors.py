"""Translates Cloud Storage's replies to the errors of statebucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidCredentials,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
    excerpt,
)
from statebucket.port.retry_after import seconds_of

if TYPE_CHECKING:
    from statebucket_gcs.answer import Answer

HINT = (
    "set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, attach a "
    "service account, or pass credentials of your own"
)
"""What to do if credentials are missing or refused."""

_RIGHTS_HINT = (
    "the identity needs storage.objects.get, storage.objects.create, storage.objects.delete and "
    "storage.objects.list"
)
_MISSING_HINT = (
    "an object that does not exist is answered like this, too, unless the identity holds "
    "storage.objects.list on the bucket without a condition on object names: grant it, and "
    "storage.objects.get"
)
_NOT_IMPLEMENTED = frozenset({501, 505})
_REDIRECTED = 300
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_TIMEOUT = 408
_CONFLICT = 409
_FAILED_CONDITION = 412
_TOO_MANY = 429
_SERVER = 500
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "SlowDown"})
_KEPT_REASONS = frozenset({"retentionpolicynotmet", "objectunderactivehold"})


def error_of(answer: Answer, bucket: str, *, reads_object: bool = False) -> StateBucketError:
    """The error for a reply that is not a success.

    Args:
        answer: The reply.
        bucket: The bucket's name.
        reads_object: Whether the request was for one object, which may be missing.
    """
    status = answer.status
    if status < _REDIRECTED:
        return malformed(f"status {status}", writes=answer.writes)
    reason, message = answer.explanation
    text = " ".join(filter(None, ["Cloud Storage answered", str(status), reason]))
    if message:
        text += f": {excerpt(message)}"
    error: StateBucketError = RequestRejected(text)
    if status == _UNAUTHORIZED:
        error = InvalidCredentials(f"{text} ({HINT})")
    elif status == _TOO_MANY or reason in _RATE_REASONS:
        error = Throttled(text)
    elif status == _FORBIDDEN and not _keeps(reason, message):
        error = AccessDenied(f"{text} ({_MISSING_HINT if reads_object else _RIGHTS_HINT})")
    elif status == _NOT_FOUND and "kms" not in message.lower():
        error = _not_found(answer, bucket, text)
    elif status == _FAILED_CONDITION and reason != "orgPolicyConstraintFailed":
        error = PreconditionFailed(text)
    elif status == _CONFLICT or "match calculated" in message:
        # "Edited during the operation, please try again"; or the body arrived altered.
        error = Unavailable(text)
    elif status in _NOT_IMPLEMENTED:
        pass  # another try would reach the same server
    elif status == _TIMEOUT or status >= _SERVER:
        # Even a 503 may come from a front end after its back end has carried out the request.
        error = Unavailable(text, outcome="unknown" if answer.writes else "none")
    error.code = reason or str(status)
    if error.transient:
        error.retry_after = seconds_of(answer.headers.get("retry-after"))
    return error


def _not_found(answer: Answer, bucket: str, text: str) -> StateBucketError:
    if answer.foreign:
        return RequestRejected(f"{text} (is endpoint_url that of Cloud Storage?)")
    return BucketNotFound(f"the bucket {bucket!r} does not exist ({text})")


def _keeps(reason: str, message: str) -> bool:
    """Whether the service keeps the object, by a retention policy or hold, from every caller.

    In the JSON API the reason for a hold is the same as for a missing right.
    """
    held = "is under active " in message and " hold " in message
    return reason.lower() in _KEPT_REASONS or held


def malformed(what: str, *, writes: bool = False) -> Unavailable:
    """The error for a successful reply that is not the service's reply to the request.

    Args:
        what: What is wrong with it.
        writes: Whether the request would have changed something.
    """
    return Unavailable(
        f"not a valid Cloud Storage response: {what}", outcome="unknown" if writes else "none"
    )

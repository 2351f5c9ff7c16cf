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
    "storage.objects.list; a new grant takes some minutes to take effect"
)
_MISSING_HINT = (
    "an object that does not exist is answered like this, too, unless the identity holds "
    "storage.objects.list on the bucket without a condition on object names: grant it, and "
    "storage.objects.get"
)
_CONSUMER_HINT = (
    "the identity needs roles/serviceusage.serviceUsageConsumer on the project to bill, which "
    "GOOGLE_CLOUD_QUOTA_PROJECT or the credentials file names"
)
_SCOPES_HINT = (
    "the access scopes of this machine or node pool are narrower than the identity's roles: give "
    "it the scope cloud-platform"
)
_BILLED_HINT = "set GOOGLE_CLOUD_QUOTA_PROJECT to the project to bill"
_PERIMETER_HINT = "no role changes that: the perimeter has to allow this identity and network"
_BILLING_HINT = "link the project to an active billing account"
_KEY_HINT = (
    "Cloud Storage's service agent needs roles/cloudkms.cryptoKeyEncrypterDecrypter on the key"
)
_NO_RIGHT = {
    "retentionpolicynotmet": "",
    "objectunderactivehold": "",
    "accountdisabled": _BILLING_HINT,
    "userprojectaccountproblem": _BILLING_HINT,
    "vpc service controls": _PERIMETER_HINT,
    "vpcservicecontrols": _PERIMETER_HINT,
    "permission denied on cloud kms key": _KEY_HINT,
}
"""What the reason or text of a 403 contains if no right of the identity's would change it.

https://cloud.google.com/storage/docs/json_api/v1/status-codes
"""

_OTHER_RIGHT = {
    "serviceusage.services.use": _CONSUMER_HINT,
    "scope(s) are not authorized": _SCOPES_HINT,
    "insufficient authentication scopes": _SCOPES_HINT,
}
"""The same if another right than those to objects is missing."""

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
    unbilled = "requester pays bucket but no user project" in message
    error: StateBucketError = RequestRejected(f"{text} ({_BILLED_HINT})" if unbilled else text)
    if status == _UNAUTHORIZED:
        error = InvalidCredentials(f"{text} ({HINT})")
    elif status == _TOO_MANY or reason in _RATE_REASONS:
        error = Throttled(text)
    elif status == _FORBIDDEN:
        error = _forbidden(text, reason, message, reads_object=reads_object)
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


def _forbidden(text: str, reason: str, message: str, *, reads_object: bool) -> StateBucketError:
    said = f"{reason} {message}".lower()
    # In the JSON API the reason for a hold is the same as for a missing right.
    if "is under active " in said and " hold " in said:
        return RequestRejected(text)
    for part, hint in _NO_RIGHT.items():
        if part in said:
            return RequestRejected(f"{text} ({hint})" if hint else text)
    missing = _MISSING_HINT if reads_object else _RIGHTS_HINT
    hint = next((hint for part, hint in _OTHER_RIGHT.items() if part in said), missing)
    return AccessDenied(f"{text} ({hint})")


def malformed(what: str, *, writes: bool = False) -> Unavailable:
    """The error for a successful reply that is not the service's reply to the request.

    Args:
        what: What is wrong with it.
        writes: Whether the request would have changed something.
    """
    return Unavailable(
        f"not a valid Cloud Storage response: {what}", outcome="unknown" if writes else "none"
    )

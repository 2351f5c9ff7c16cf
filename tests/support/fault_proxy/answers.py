"""Errors in the services' own forms, for faults that reply in place of a server."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from support.fault_proxy.kinds import Answer

if TYPE_CHECKING:
    from support.fault_proxy.messages import Headers
    from support.fault_proxy.record import Predicate

_REQUEST_ID = "0A1B2C3D4E5F6071"
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'

_S3_MESSAGES = {
    "AccessDenied": "Access Denied",
    "ConditionalRequestConflict": (
        "The conditional request cannot succeed due to a conflicting operation against this "
        "resource."
    ),
    "ExpiredToken": "The provided token has expired.",
    "InternalError": "We encountered an internal error. Please try again.",
    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
    "NoSuchBucket": "The specified bucket does not exist",
    "PreconditionFailed": "At least one of the pre-conditions you specified did not hold",
    "RequestTimeTooSkewed": (
        "The difference between the request time and the current time is too large."
    ),
    "ServiceUnavailable": "Please reduce your request rate.",
    "SignatureDoesNotMatch": (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    ),
    "SlowDown": "Please reduce your request rate.",
}


def s3_error(
    status: int,
    code: str,
    message: str | None = None,
    *,
    retry_after: int | None = None,
    when: Predicate | None = None,
) -> Answer:
    """Reply as S3 does when it fails.

    Common ones: 400 ExpiredToken, 403 AccessDenied, InvalidAccessKeyId and SignatureDoesNotMatch,
    404 NoSuchBucket, 409 ConditionalRequestConflict, 500 InternalError, 503 SlowDown.

    Args:
        status: The status.
        code: S3's error code.
        message: The message; None for the one S3 gives.
        retry_after: Seconds for a Retry-After header; None for no such header.
        when: Which requests it is for.

    Returns:
        The fault.
    """
    text = message or _S3_MESSAGES.get(code, code)
    body = (
        f"{_XML}<Error><Code>{code}</Code><Message>{text}</Message>"
        f"<RequestId>{_REQUEST_ID}</RequestId><HostId>test</HostId></Error>"
    )
    headers = (("Content-Type", "application/xml"), ("x-amz-request-id", _REQUEST_ID))
    return _answer(status, headers, body, retry_after, when)


def gcs_error(
    status: int,
    reason: str,
    message: str | None = None,
    *,
    retry_after: int | None = None,
    when: Predicate | None = None,
) -> Answer:
    """Reply as Cloud Storage's JSON API does when it fails.

    Common ones: 401 authError, 403 forbidden, 404 notFound, 408 requestTimeout,
    412 conditionNotMet, 429 rateLimitExceeded, 500 internalError, 503 backendError.

    Args:
        status: The status.
        reason: The error's reason.
        message: The message; None for the status's usual phrase.
        retry_after: Seconds for a Retry-After header; None for no such header.
        when: Which requests it is for.

    Returns:
        The fault.
    """
    text = message or HTTPStatus(status).phrase
    details = [{"message": text, "domain": "global", "reason": reason}]
    body = json.dumps({"error": {"code": status, "message": text, "errors": details}})
    headers: Headers = (("Content-Type", "application/json; charset=UTF-8"),)
    if status == HTTPStatus.UNAUTHORIZED:
        headers += (("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/"'),)
    return _answer(status, headers, body, retry_after, when)


def azure_error(
    status: int,
    code: str,
    message: str | None = None,
    *,
    retry_after: int | None = None,
    when: Predicate | None = None,
) -> Answer:
    """Reply as Azure Blob does when it fails.

    Common ones: 403 AuthenticationFailed and AuthorizationPermissionMismatch,
    404 ContainerNotFound, 409 BlobAlreadyExists, 412 ConditionNotMet, 500 InternalError and
    OperationTimedOut, 503 ServerBusy.

    Args:
        status: The status.
        code: Azure's error code, which also goes to the header x-ms-error-code.
        message: The message; None for the status's usual phrase.
        retry_after: Seconds for a Retry-After header; None for no such header.
        when: Which requests it is for.

    Returns:
        The fault.
    """
    text = message or HTTPStatus(status).phrase
    text += f"\nRequestId:{_REQUEST_ID}"
    body = f"{_XML}<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    headers = (
        ("Content-Type", "application/xml"),
        ("x-ms-error-code", code),
        ("x-ms-request-id", _REQUEST_ID),
    )
    return _answer(status, headers, body, retry_after, when)


def _answer(
    status: int,
    headers: Headers,
    body: str,
    retry_after: int | None,
    when: Predicate | None,
) -> Answer:
    """Make the fault."""
    if retry_after is not None:
        headers += (("Retry-After", str(retry_after)),)
    return Answer(status, headers, body.encode(), when=when)

"""From what Cloud Storage and its SDK answer to the errors of statebucket."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidArgument,
    InvalidCredentials,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
    UntrustedCertificate,
    excerpt,
)
from statebucket.port.retry_after import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket_gcs.sdk.answer import Answer

CONNECTION_ERRORS = (OSError, urllib3.exceptions.HTTPError, GoogleAuthError)
"""What a request through the SDK's session may raise; `requests`' errors are `OSError`."""

HINT = (
    "set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, attach a "
    "service account, or pass client="
)
"""What to do where credentials are missing or refused."""

_RIGHTS_HINT = (
    "the identity needs storage.objects.get, storage.objects.create, storage.objects.delete and "
    "storage.objects.list"
)
_MISSING_HINT = (
    "an object that does not exist is answered like this, too, unless the identity holds "
    "storage.objects.list on the bucket without a condition on object names: grant it, and "
    "storage.objects.get"
)
_NOT_IMPLEMENTED = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "SlowDown"})


def error_of(answer: Answer, bucket: str, *, reads_object: bool = False) -> StateBucketError:
    """The error for an answer that is no success.

    Args:
        answer: The answer.
        bucket: The bucket's name.
        reads_object: Whether the request was to read one object, which may be missing.
    """
    status = answer.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return malformed(f"status {status}", writes=answer.writes)
    reason, message = answer.explanation
    text = " ".join(filter(None, ["Cloud Storage answered", str(status), reason]))
    if message:
        text += f": {excerpt(message)}"
    error: StateBucketError = RequestRejected(text)
    if status == HTTPStatus.UNAUTHORIZED:
        error = InvalidCredentials(f"{text} ({HINT})")
    elif status == HTTPStatus.TOO_MANY_REQUESTS or reason in _RATE_REASONS:
        error = Throttled(text)
    elif status == HTTPStatus.FORBIDDEN:
        error = AccessDenied(f"{text} ({_MISSING_HINT if reads_object else _RIGHTS_HINT})")
    elif status == HTTPStatus.NOT_FOUND and "kms" not in message.lower():
        error = BucketNotFound(f"the bucket {bucket!r} does not exist ({text})")
    elif status == HTTPStatus.PRECONDITION_FAILED and reason != "orgPolicyConstraintFailed":
        error = PreconditionFailed(text)
    elif status == HTTPStatus.CONFLICT or "match calculated" in message:
        # "Edited during the operation, please try again"; or the body came in altered.
        error = Unavailable(text)
    elif status in _NOT_IMPLEMENTED:
        pass  # the next try would meet the same server
    elif status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Even a 503 may come from a front end whose back end has carried the request out.
        error = Unavailable(text, outcome="unknown" if answer.writes else "none")
    error.code = reason or str(status)
    if error.transient:
        error.retry_after = seconds_of(answer.headers.get("Retry-After"))
    return error


def malformed(what: str, *, writes: bool = False) -> Unavailable:
    """The error for a successful reply that is not the service's reply to the request.

    Args:
        what: What is wrong with it.
        writes: Whether the request would have changed something.
    """
    return Unavailable(
        f"not a valid Cloud Storage response: {what}", outcome="unknown" if writes else "none"
    )


def failure_of(
    error: BaseException, base: str | None, *, writes: bool, sent: bool
) -> StateBucketError:
    """The error for a request that got no answer.

    Args:
        error: What the SDK's session raised.
        base: The URL of the endpoint; None while the request was still being prepared.
        writes: Whether the request would change something.
        sent: Whether it may have been sent.
    """
    if isinstance(error, GoogleAuthError):  # raised before anything is sent
        text = _text(error)
        if isinstance(error, TransportError) or (
            isinstance(error, RefreshError) and error.retryable
        ):
            return Unavailable(f"no access token: {text}")
        return InvalidCredentials(f"no usable credentials: {text} ({HINT})")
    if base is None:
        return Unavailable(f"no access token: {_text(error)}")
    where = f" at {base}"
    if isinstance(error, _MALFORMED):
        return InvalidArgument(
            f"no request can be sent to Cloud Storage{where} ({type(error).__name__}): check "
            "endpoint_url, and the proxies and certificates of the environment or the client"
        )
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UntrustedCertificate(
                f"the certificate of Cloud Storage{where} is not trusted: {cause} "
                "(set REQUESTS_CA_BUNDLE to trust other CAs)"
            )
        if f"{_TUNNEL}: 407" in str(cause):
            return RequestRejected(
                f"the proxy before Cloud Storage{where} answered 407 to the user and password in "
                "its environment variable"
            )
    text = _text(chain[-1])
    if not sent or any(isinstance(cause, _UNSENT) or _TUNNEL in str(cause) for cause in chain):
        return Unavailable(f"Cloud Storage{where} cannot be reached: {text}")
    return Unavailable(
        f"no response from Cloud Storage{where}: {text}", outcome="unknown" if writes else "none"
    )


_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
)
"""What is wrong with the request itself, or with the proxy that it would go through."""

_UNSENT = (
    requests.exceptions.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)
"""Errors of connecting, which come before the request is sent."""

_TUNNEL = "Tunnel connection failed"  # what a proxy refused


def cause_of(error: BaseException) -> BaseException | None:
    """The error as the cause of ours, where its text holds no secret.

    A `RefreshError` holds the token service's whole response, and an error about a URL may hold a
    proxy's password.
    """
    if isinstance(error, _MALFORMED) or (isinstance(error, GoogleAuthError) and error.args[1:]):
        return None
    return error


def _text(error: BaseException) -> str:
    # A RefreshError's further arguments hold the token service's whole response.
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return f"{type(error).__name__}: {excerpt(text)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it wraps; `requests` and urllib3 keep that in three different places."""
    following: object = error
    seen: set[int] = set()
    while isinstance(following, BaseException) and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = [getattr(following, "reason", None), *following.args[:2]]
        following = next((e for e in inner if isinstance(e, BaseException)), None)

"""From what Cloud Storage and its SDK answer to the errors of statebucket."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import requests
import urllib3.exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidCredentials,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
    UntrustedCertificate,
)
from statebucket.port.retry_after import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION_ERRORS = (OSError, urllib3.exceptions.HTTPError, GoogleAuthError)
"""What a request through the SDK's session may raise; `requests`' errors are `OSError`."""

HINT = (
    "set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, attach a "
    "service account, or pass client="
)
"""What to do where credentials are missing or refused."""

_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "SlowDown"})
_SHOWN = 300  # characters of the service's own message


class Answer(msgspec.Struct, frozen=True):
    """An answer of the service, its body read whole.

    Attributes:
        status: The status code.
        headers: The headers; names in any case.
        body: The body, decoded.
        writes: Whether the request would have changed something.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    writes: bool

    @property
    def missing(self) -> bool:
        """Whether the object does not exist, though the bucket may."""
        return self.status == HTTPStatus.NOT_FOUND and not self.bucket_missing

    @property
    def bucket_missing(self) -> bool:
        """Whether it says that the bucket does not exist; an object's absence reads differently."""
        if self.status != HTTPStatus.NOT_FOUND:
            return False
        reason, message = _explanation(self)
        return reason == "NoSuchBucket" or "bucket does not exist" in message


class _Detail(msgspec.Struct):
    reason: str = ""


class _Inner(msgspec.Struct):
    message: str = ""
    errors: list[_Detail] = []


class _Error(msgspec.Struct):
    error: _Inner


def error_of(answer: Answer, bucket: str) -> StateBucketError:
    """The error for an answer that is no success.

    Args:
        answer: The answer.
        bucket: The bucket's name.
    """
    status = answer.status
    reason, message = _explanation(answer)
    text = " ".join(filter(None, ["Cloud Storage answered", str(status), reason]))
    if message:
        text += f": {message[:_SHOWN]}"
    error: StateBucketError = RequestRejected(text)
    if status == HTTPStatus.UNAUTHORIZED:
        error = InvalidCredentials(f"{text} ({HINT})")
    elif status == HTTPStatus.TOO_MANY_REQUESTS or reason in _RATE_REASONS:
        error = Throttled(text)
    elif status == HTTPStatus.FORBIDDEN:
        error = AccessDenied(
            f"{text} (without storage.objects.list, a missing object is forbidden, too)"
        )
    elif status == HTTPStatus.NOT_FOUND and "kms" not in message.lower():
        error = BucketNotFound(f"the bucket {bucket!r} does not exist ({text})")
    elif status == HTTPStatus.PRECONDITION_FAILED and reason != "orgPolicyConstraintFailed":
        error = PreconditionFailed(text)
    elif status == HTTPStatus.CONFLICT or "match calculated" in message:
        # "Edited during the operation, please try again"; or the body came in altered.
        error = Unavailable(text)
    elif status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Even a 503 may come from a front end whose back end has carried the request out.
        error = Unavailable(text, outcome="unknown" if answer.writes else "none")
    error.code = reason or str(status)
    if error.transient:
        error.retry_after = seconds_of(answer.headers.get("Retry-After"))
    return error


def failure_of(error: BaseException, *, writes: bool) -> StateBucketError:
    """The error for a request that got no answer."""
    if isinstance(error, GoogleAuthError):  # raised before anything is sent
        text = _cut(error)
        if isinstance(error, TransportError) or (
            isinstance(error, RefreshError) and error.retryable
        ):
            return Unavailable(f"no access token: {text}")
        return InvalidCredentials(f"no usable credentials: {text} ({HINT})")
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UntrustedCertificate(
                f"Cloud Storage's certificate is not trusted: {cause} "
                "(REQUESTS_CA_BUNDLE names others)"
            )
    unsent = any(
        isinstance(
            cause,
            (
                requests.exceptions.ConnectTimeout,
                urllib3.exceptions.NewConnectionError,
                urllib3.exceptions.ConnectTimeoutError,
            ),
        )
        for cause in chain
    )
    return Unavailable(
        f"no answer from Cloud Storage: {_cut(chain[-1])}",
        outcome="unknown" if writes and not unsent else "none",
    )


def _cut(error: BaseException) -> str:
    # A RefreshError's further arguments hold all that the token service has answered.
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return f"{type(error).__name__}: {text[:_SHOWN]}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it wraps; `requests` and urllib3 keep that in three different places."""
    following: object = error
    seen: set[int] = set()
    while isinstance(following, BaseException) and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = [getattr(following, "reason", None), *following.args[:2]]
        following = next((e for e in inner if isinstance(e, BaseException)), None)


def _explanation(answer: Answer) -> tuple[str, str]:
    """The reason and message of an error, from the JSON or the XML API's form."""
    try:
        inner = msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = answer.body.decode(errors="replace")
        found = {
            tag: match[1]
            for tag in ("Code", "Message", "Details")
            if (match := re.search(f"<{tag}>([^<]*)</{tag}>", text))
        }
        message = " ".join(filter(None, [found.get("Message"), found.get("Details")]))
        return found.get("Code", ""), message
    return (inner.errors[0].reason if inner.errors else ""), inner.message

"""Translates the errors of the SDK's session to those of statebucket."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from google.auth.exceptions import GoogleAuthError

from statebucket.errors import (
    InvalidArgument,
    RequestRejected,
    StateBucketError,
    Unavailable,
    UntrustedCertificate,
)
from statebucket_gcs import auth_errors
from statebucket_gcs.auth_errors import auth_failure, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION_ERRORS = (OSError, urllib3.exceptions.HTTPError, GoogleAuthError)
"""What a request through the SDK's session may raise; errors of `requests` are `OSError`."""


def failure_of(
    error: BaseException, base: str | None, *, writes: bool, sent: bool
) -> StateBucketError:
    """The error for a request without a reply.

    Args:
        error: What the SDK's session raised.
        base: The URL of the endpoint; None while the request was still being prepared.
        writes: Whether the request would change something.
        sent: Whether it may have been sent.
    """
    if isinstance(error, GoogleAuthError):  # raised before anything is sent
        return auth_failure(error)
    if base is None:
        return Unavailable(f"no access token: {text_of(error)}")
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
    text = text_of(chain[-1])
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
"""What is wrong with the request itself, or with its proxy."""

_UNSENT = (
    requests.exceptions.ConnectTimeout,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)
"""Errors of connecting, which come before the request is sent."""

_TUNNEL = "Tunnel connection failed"  # a proxy refused it


def cause_of(error: BaseException) -> BaseException | None:
    """The error as the cause of ours, if its text contains no secret.

    An error about a URL may contain a proxy's password; see also `statebucket_gcs.auth_errors`.
    """
    if isinstance(error, GoogleAuthError):
        return auth_errors.cause_of(error)
    return None if isinstance(error, _MALFORMED) else error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those it wraps; `requests` and urllib3 keep these in three different places."""
    following: object = error
    seen: set[int] = set()
    while isinstance(following, BaseException) and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = [getattr(following, "reason", None), *following.args[:2]]
        following = next((e for e in inner if isinstance(e, BaseException)), None)

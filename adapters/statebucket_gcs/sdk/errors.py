"""From what the SDK's session raises to the errors of statebucket."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from statebucket.errors import (
    InvalidArgument,
    InvalidCredentials,
    RequestRejected,
    StateBucketError,
    Unavailable,
    UntrustedCertificate,
    excerpt,
)
from statebucket_gcs.errors import HINT

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION_ERRORS = (OSError, urllib3.exceptions.HTTPError, GoogleAuthError)
"""What a request through the SDK's session may raise; `requests`' errors are `OSError`."""


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

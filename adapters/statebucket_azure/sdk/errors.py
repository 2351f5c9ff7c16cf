"""Translates the SDK's errors to those of statebucket."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestTimeoutError,
)

from statebucket.errors import (
    InvalidCredentials,
    RequestRejected,
    StateBucketError,
    Unavailable,
    UntrustedCertificate,
    excerpt,
)
from statebucket_azure.causes import chained, shows_secret
from statebucket_azure.codes import ERRORS, HINTS, READS, BlobNotFound, malformed, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

# Errors of connecting, which come before the request is sent.
_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)
_PROXY_LOGIN = 407


async def sdk_call(request: Awaitable[T], *, writes: bool = False) -> T:
    """The result of an SDK call, with its errors translated.

    Args:
        request: The SDK's coroutine.
        writes: Whether the request changes something, so that its outcome is unknown without a
            response.
    """
    try:
        return await request
    except StateBucketError:  # some are ValueErrors, too
        raise
    except AzureError as error:
        failure = _translated(error, writes=writes)
    except (LookupError, ValueError, zlib.error) as error:  # of what the SDK cannot decode
        failure = chained(malformed(writes=writes), error)
    # Outside the handler, so that an error left out as the cause is not its context either.
    raise failure


def failure_of(
    reply: Any,  # noqa: ANN401  (the SDK has unrelated classes of replies)
    error: AzureError | None = None,
) -> StateBucketError:
    """The error for a reply that is not a success.

    Args:
        reply: The service's reply.
        error: The SDK's error, for the cause.
    """
    request = reply.request
    failure = refusal(
        reply.status_code,
        reply.headers,
        _body(reply),
        writes=request.method not in READS,
        tags="x-ms-tags" in request.headers,
    )
    if not isinstance(failure, BlobNotFound):  # a reply, not a failure
        chained(failure, error or HttpResponseError(response=reply))
    return failure


def _body(reply: Any) -> bytes:  # noqa: ANN401  (as above)
    body: bytes = reply.content if hasattr(reply, "content") else reply.body()  # a batch's is older
    return body


def connection_failure(
    error: AzureError | RuntimeError, url: str | None, *, writes: bool, sent: bool = True
) -> StateBucketError:
    """The error for a request that got no response.

    Args:
        error: What the SDK raised.
        url: Where the request went; None if that is not known.
        writes: Whether the request would have changed something.
        sent: Whether it may have been sent.
    """
    inner = (error.inner_exception if isinstance(error, AzureError) else None) or error
    reason = _reason(inner)
    where = f" at {_endpoint(url)}" if url else ""
    failure: StateBucketError
    if isinstance(inner, aiohttp.ClientConnectorCertificateError):
        failure = UntrustedCertificate(
            f"the certificate of Azure Blob{where} is not trusted: {reason} "
            "(set SSL_CERT_FILE to trust other CAs)"
        )
    elif isinstance(inner, aiohttp.ClientHttpProxyError) and inner.status == _PROXY_LOGIN:
        failure = RequestRejected(
            f"the proxy before Azure Blob{where} answered 407 to the user and password in its "
            "environment variable"
        )
    elif not sent or isinstance(inner, _UNSENT) or isinstance(error, ServiceRequestTimeoutError):
        failure = Unavailable(f"Azure Blob{where} cannot be reached ({reason})")
    else:
        failure = Unavailable(
            f"no response from Azure Blob{where}: the connection broke off ({reason})",
            outcome="unknown" if writes else "none",
        )
    return chained(failure, error)


def _translated(error: AzureError, *, writes: bool) -> StateBucketError:
    reply = getattr(error, "response", None)
    if reply is not None and reply.status_code >= ERRORS:
        return failure_of(reply, error)
    if reply is not None:
        return chained(malformed(writes=writes), error)
    if isinstance(error, ClientAuthenticationError):
        hint = HINTS[InvalidCredentials]
        return chained(InvalidCredentials(f"the request could not be signed: {hint}"), error)
    return connection_failure(error, None, writes=writes)  # from the caller's client


def _reason(error: BaseException) -> str:
    """The text of an error, unless it may have a secret: aiohttp's may quote a signed URL."""
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        text = f"{error.status}, {error.message}"
    shown = "" if shows_secret(text) else f": {excerpt(text)}"
    return f"{type(error).__name__}{shown}"


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

"""The SDK's errors, and the replies in a batch, as those of statebucket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestTimeoutError,
)

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidCredentials,
    Outcome,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
    UntrustedCertificate,
)
from statebucket.port.retry_after import seconds_of
from statebucket_azure.options import CONNECTION_STRING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

T = TypeVar("T")


class BlobNotFound(PreconditionFailed):
    """There is no such blob (but there is the container): for a write, a condition that fails."""


_BY_CODE: dict[str, type[StateBucketError]] = {
    "BlobNotFound": BlobNotFound,
    "BlobAlreadyExists": PreconditionFailed,
    "ContainerNotFound": BucketNotFound,
    "ContainerBeingDeleted": BucketNotFound,
    "AuthenticationFailed": InvalidCredentials,
    "InvalidAuthenticationInfo": InvalidCredentials,
    "NoAuthenticationInformation": InvalidCredentials,
    "KeyBasedAuthenticationNotPermitted": InvalidCredentials,
    "PublicAccessNotPermitted": InvalidCredentials,
    "ServerBusy": Throttled,
    # The body was altered on its way to the service, which has refused it.
    "Md5Mismatch": Unavailable,
    # The blob is leased by somebody else; answered with 412, but no condition of ours.
    "LeaseIdMissing": RequestRejected,
}
_BY_STATUS: dict[int, type[StateBucketError]] = {
    304: PreconditionFailed,
    401: InvalidCredentials,
    403: AccessDenied,
    408: Unavailable,
    412: PreconditionFailed,
    429: Throttled,
    501: RequestRejected,
    505: RequestRejected,
}
_HINTS: dict[type[StateBucketError], str] = {
    BucketNotFound: "the container does not exist; statebucket never creates one",
    InvalidCredentials: (
        f"check the key or SAS in {CONNECTION_STRING}, or the identity that is used instead of it, "
        "and this machine's clock"
    ),
    AccessDenied: (
        "the identity needs the role Storage Blob Data Contributor on the container, "
        f"a SAS the rights r, w, d and l; a key in {CONNECTION_STRING} must be the account's"
    ),
}
_TAG_HINTS: dict[type[StateBucketError], str] = {
    AccessDenied: (
        "to write index tags it needs Storage Blob Data Owner, a SAS the right t; "
        "ttl_tags=false does without tags"
    ),
    RequestRejected: (
        "an account with a hierarchical namespace takes no index tags: "
        "ttl_tags=false does without them"
    ),
}
ERRORS = 300
"""The first status that is no success."""

_SERVER_ERRORS = 500
_READS = {"GET", "HEAD"}
# In the texts of errors: a SAS or its parts, and what the service says of a wrong signature.
_SECRET = re.compile(r"sig=|signature|sharedkey|accountkey|bearer ", re.IGNORECASE)


async def asked(request: Awaitable[T], *, writes: bool = False) -> T:
    """The answer to a request, with the SDK's errors translated.

    Args:
        request: The SDK's coroutine.
        writes: Whether the request changes something, so that a lost answer leaves it open.
    """
    try:
        return await request
    except AzureError as error:
        failure = _translated(error, writes=writes)
    except (LookupError, ValueError) as error:  # from headers or text that the SDK cannot decode
        failure = _chain(garbled(writes=writes), error)
    # Out of the handler, so that an error that is left out as the cause is no context either.
    raise failure


def failure_of(
    reply: Any,  # noqa: ANN401  (the SDK has unrelated classes of replies)
    error: AzureError | None = None,
) -> StateBucketError:
    """What a reply means that is no success, as an error.

    Args:
        reply: The service's reply.
        error: What the SDK made of it, for the cause.
    """
    asks = reply.request
    failure = refusal(
        reply.status_code,
        reply.headers,
        writes=asks.method not in _READS,
        tags="x-ms-tags" in asks.headers,
    )
    if not isinstance(failure, BlobNotFound):  # which is an answer, not a failure
        _chain(failure, error or HttpResponseError(response=reply))
    return failure


def refusal(
    status: int, headers: Mapping[str, str], *, writes: bool, tags: bool = False
) -> StateBucketError:
    """What a reply means that is no success.

    Args:
        status: Its status code.
        headers: Its headers.
        writes: Whether the request would have changed something.
        tags: Whether the request would have written index tags.
    """
    code = headers.get("x-ms-error-code") or ""
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None:
        kind = Unavailable if status >= _SERVER_ERRORS else RequestRejected
    message = f"Azure Blob answered {status} {code}".rstrip()
    if request_id := headers.get("x-ms-request-id"):
        message += f" (request {request_id})"
    hints = [_HINTS.get(kind), _TAG_HINTS.get(kind) if tags else ""]
    if any(hints):
        message += ": " + "; ".join(filter(None, hints))
    open_ended = kind is Unavailable and code != "Md5Mismatch"
    return kind(
        message,
        outcome="unknown" if open_ended and writes else "none",
        retry_after=_retry_after(headers),
        code=code or str(status),
    )


def garbled(*, writes: bool = False) -> Unavailable:
    """The error for a reply that says success and cannot be read."""
    outcome: Outcome = "unknown" if writes else "none"
    return Unavailable("Azure Blob's answer cannot be read", outcome=outcome)


def _translated(error: AzureError, *, writes: bool) -> StateBucketError:
    reply = getattr(error, "response", None)
    if reply is not None and reply.status_code >= ERRORS:
        return failure_of(reply, error)
    failure: StateBucketError
    if reply is not None:
        failure = garbled(writes=writes)
    elif isinstance(error, ClientAuthenticationError):
        hint = _HINTS[InvalidCredentials]
        failure = InvalidCredentials(f"the request could not be signed: {hint}")
    else:
        # By the error behind it: the SDK takes a connection that breaks later for unsent, too.
        inner = error.inner_exception or error
        unsent = isinstance(error, ServiceRequestTimeoutError) or isinstance(
            inner, aiohttp.ClientConnectorError
        )
        what = "cannot be reached" if unsent else "broke off before its answer was read"
        text = "" if _tells_secret(inner) else f": {inner}"
        if isinstance(inner, aiohttp.ClientConnectorCertificateError):
            failure = UntrustedCertificate(
                f"Azure Blob's certificate is not trusted{text} (SSL_CERT_FILE names others)"
            )
        else:
            failure = Unavailable(
                f"Azure Blob {what} ({type(inner).__name__}{text})",
                outcome="unknown" if writes and not unsent else "none",
            )
    return _chain(failure, error)


def _chain(failure: StateBucketError, cause: BaseException) -> StateBucketError:
    """Sets the cause, unless that would show a secret."""
    failure.__cause__ = None if _tells_secret(cause) else cause
    return failure


def _tells_secret(error: BaseException | None) -> bool:
    """Whether the text of an error or one behind it has a secret, or may have."""
    while error is not None:
        if _SECRET.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the service asks to wait."""
    milliseconds = seconds_of(headers.get("x-ms-retry-after-ms"))
    return seconds_of(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000

"""Translates the SDK's errors to ours."""

from __future__ import annotations

import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from botocore import exceptions as sdk

from statebucket import errors
from statebucket.errors import excerpt, shown
from statebucket.port.retry_after import seconds_of
from statebucket_s3.codes import MISSING, in_headers, of_code, refused_keys, unreadable

if TYPE_CHECKING:
    from statebucket_s3.codes import Requested

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.RefreshWithMFAUnsupportedError,
)
# What the SDK requests of other services than S3, for a key to sign with.
_OF_KEYS = frozenset(
    {"AssumeRole", "AssumeRoleWithWebIdentity", "CreateToken", "GetRoleCredentials"}
)
_EXPIRED = "the refreshed credentials are still expired"  # message of a bare RuntimeError
_NOT_SENT = (
    sdk.ConnectTimeoutError,
    sdk.ProxyConnectionError,
    sdk.SSLError,
    aiohttp.ClientConnectorError,
)
_LOST = (
    sdk.HTTPClientError,
    sdk.ConnectionError,
    sdk.IncompleteReadError,
    sdk.FlexibleChecksumError,
    aiohttp.ClientError,
    OSError,
)
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)  # of the SDK's parser
_ABOUT_AN_OBJECT = frozenset({"put_object", "get_object", "head_object", "delete_object"})
_SHOW_SECRETS = (UnicodeEncodeError, sdk.ProxyConnectionError, aiohttp.ClientHttpProxyError)


_PROXY_LOGIN = 407

_has_answer: ContextVar[bool] = ContextVar("has_answer", default=False)


def note_request() -> None:
    """Records that a request of this task begins."""
    _has_answer.set(False)


def note_answer() -> None:
    """Records that it has a reply: what the SDK raises from now on is about that."""
    _has_answer.set(True)


def shows_secret(error: Exception) -> bool:
    """Whether an SDK's error must not be chained to ours.

    An encoding error shows the text, which may be a key. An error about a proxy, or the error that
    botocore made it from, shows the proxy's URL with its password. A token service may quote what
    it received.
    """
    return any(
        isinstance(one, _SHOW_SECRETS)
        or (isinstance(one, sdk.ClientError) and one.operation_name in _OF_KEYS)
        for one in (error, error.__cause__, error.__context__)
    )


def translated(error: Exception, requested: Requested) -> errors.StateBucketError | None:
    """The error of one request as one of ours; None for an error that is not from a request.

    The outcome is that of a write; for reads the core ignores it.

    Args:
        error: What the SDK raised.
        requested: What was requested of S3.
    """
    if isinstance(error, errors.StateBucketError):
        return error
    if isinstance(error, sdk.HTTPClientError):
        inner = error.kwargs.get("error")  # one of ours, which the SDK has wrapped
        if isinstance(inner, errors.StateBucketError):
            return inner
    if isinstance(error, sdk.ClientError):
        return _answered(error, requested)
    if _is_of_the_parser(error):
        return unreadable()
    if (unusable_keys := _of_credentials(error)) is not None:
        return unusable_keys
    if isinstance(error, sdk.SSLError) and isinstance(
        error.kwargs.get("error"), aiohttp.ClientConnectorCertificateError
    ):
        return errors.UntrustedCertificate(
            f"S3's certificate is not trusted: {error.kwargs['error']} "
            "(set AWS_CA_BUNDLE to trust other CAs)"
        )
    if _exiting(error):
        return errors.Unavailable(
            "nothing was sent to S3: Python is shutting down and starts no more threads"
        )
    if isinstance(error, _NOT_SENT) or _never_connected(error):
        return _unreachable(error)
    if isinstance(error, _LOST):
        return errors.Unavailable(
            f"the connection to S3{_place(error)} was lost ({_reason(error)})", outcome="unknown"
        )
    if isinstance(error, sdk.BotoCoreError | ValueError):
        return errors.RequestRejected(f"the SDK rejected the request ({type(error).__name__})")
    return None


def _is_of_the_parser(error: Exception) -> bool:
    """Whether the SDK could not read a reply; for a wrong number it raises what Python does."""
    if type(error).__name__ == "ResponseParserError":
        return True
    return isinstance(error, _UNREADABLE) and _has_answer.get()


def _of_credentials(error: Exception) -> errors.InvalidCredentials | None:
    """Our error for an error about the credentials; None for any other."""
    if isinstance(error, sdk.ProfileNotFound):
        return errors.InvalidCredentials(
            f"AWS's configuration has no profile {shown(error.kwargs.get('profile'))}: AWS_PROFILE "
            "(or AWS_DEFAULT_PROFILE) must name one of ~/.aws/config or ~/.aws/credentials; or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY without it"
        )
    if isinstance(error, _NO_CREDENTIALS) or _EXPIRED in str(error):
        return errors.InvalidCredentials(
            f"no usable AWS credentials ({type(error).__name__}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role"
        )
    if isinstance(error, UnicodeEncodeError):  # of the secret, the only text that we do not check
        return unusable()
    return None


def unusable() -> errors.InvalidCredentials:
    """The error for a key or token that cannot be signed or sent with; it shows none of it."""
    return errors.InvalidCredentials(
        "the AWS credentials contain a line break or another invalid character"
    )


def _place(error: Exception) -> str:
    """Where the request went, if the SDK's error names it: only the URL's host."""
    arguments = getattr(error, "kwargs", {})
    url = arguments.get("proxy_url") or arguments.get("endpoint_url") or ""
    parts = urlsplit(str(url))
    host = parts.netloc.rpartition("@")[2]
    through = " through the proxy " if "proxy_url" in arguments else " at "
    return f"{through}{excerpt(host)}" if host else ""


def _reason(error: Exception) -> str:
    """The error's kind and, if the SDK has wrapped another, what that one reports.

    Only for errors that quote nothing of the request, whose text has a signature and a token.
    """
    inner = getattr(error, "kwargs", {}).get("error")
    text = type(error).__name__
    if isinstance(inner, aiohttp.ClientResponseError):
        text += f": {excerpt(inner.message)}"
    elif isinstance(inner, OSError) and inner.strerror:
        text += f": {excerpt(inner.strerror)}"
    elif isinstance(inner, Exception):
        text += f": {type(inner).__name__}"
    return text


def _unreachable(error: Exception) -> errors.StateBucketError:
    """The error for a request that got no connection."""
    inner = getattr(error, "kwargs", {}).get("error")
    if isinstance(inner, aiohttp.ClientHttpProxyError) and inner.status == _PROXY_LOGIN:
        return errors.RequestRejected(  # the next try would meet the same answer
            f"S3{_place(error)} cannot be reached: the proxy answered 407 to the user and password "
            "in its environment variable"
        )
    return errors.Unavailable(f"S3{_place(error)} cannot be reached ({_reason(error)})")


def _exiting(error: Exception) -> bool:
    """Whether it needed a thread, which the interpreter no longer starts at shutdown."""
    inner = getattr(error, "kwargs", {}).get("error", error)
    return isinstance(inner, RuntimeError) and "shutdown" in str(inner)


def _never_connected(error: Exception) -> bool:
    """Whether the SDK's endpoint error is about connecting, not about a later reset."""
    if not isinstance(error, sdk.EndpointConnectionError):
        return False
    return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)


def is_missing(error: Exception, operation: str) -> bool:
    """Whether the reply reports that the object does not exist (not: the bucket, nor the endpoint).

    A bare 404 is enough only for a HEAD, since its reply has no body. A request that is about the
    bucket, such as a listing, finds no object missing.
    """
    if operation not in _ABOUT_AN_OBJECT or not isinstance(error, sdk.ClientError):
        return False
    code, _ = _named(error)
    return code in MISSING or (operation == "head_object" and code in {"404", "NotFound"})


def _named(error: sdk.ClientError) -> tuple[str, str]:
    """The code and text of S3's reply, which has none in its body if that is empty."""
    reported, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(reported.get("Code", "")), str(reported.get("Message", ""))
    named, described = in_headers(meta.get("HTTPHeaders", {}))
    if named and code == str(meta.get("HTTPStatusCode")):  # the SDK's, in place of one
        return named, described
    return code, message


def _answered(error: sdk.ClientError, requested: Requested) -> errors.StateBucketError:
    if error.operation_name in _OF_KEYS:
        return refused_keys(error.response, error.operation_name)
    meta = error.response.get("ResponseMetadata", {})
    code, message = _named(error)
    result = of_code(
        code,
        message,
        meta.get("HTTPStatusCode", 0),
        requested=requested,
        header=str(error.response.get("Error", {}).get("Header", "")),
    )
    result.retry_after = seconds_of(meta.get("HTTPHeaders", {}).get("retry-after"))
    return result

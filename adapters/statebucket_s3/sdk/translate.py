"""The SDK's errors as ours."""

from __future__ import annotations

import socket

import aiohttp
from botocore import exceptions as sdk

from statebucket import errors
from statebucket.port.retry_after import seconds_of
from statebucket_s3.codes import MISSING, of_code

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ProfileNotFound,
    sdk.RefreshWithMFAUnsupportedError,
)
_EXPIRED = "the refreshed credentials are still expired"  # of a bare RuntimeError
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


def translated(error: Exception) -> errors.StateBucketError | None:
    """The error of one request as one of ours; None for an error that is no answer of a service.

    The outcome is that of a write; a read's is the core's to ignore.
    """
    if isinstance(error, errors.StateBucketError):
        return error
    if isinstance(error, sdk.HTTPClientError):
        inner = error.kwargs.get("error")  # of ours, where the SDK has wrapped what we raised in it
        if isinstance(inner, errors.StateBucketError):
            return inner
    if isinstance(error, sdk.ClientError):
        return _answered(error)
    if isinstance(error, _NO_CREDENTIALS) or _EXPIRED in str(error):
        return errors.InvalidCredentials(
            f"no usable AWS credentials ({type(error).__name__}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the function a role"
        )
    if isinstance(error, sdk.SSLError) and isinstance(
        error.kwargs.get("error"), aiohttp.ClientConnectorCertificateError
    ):
        return errors.UntrustedCertificate(
            f"S3's certificate is not trusted: {error.kwargs['error']} (AWS_CA_BUNDLE names others)"
        )
    if isinstance(error, _NOT_SENT) or _never_connected(error):
        return errors.Unavailable(f"S3 cannot be reached ({type(error).__name__})")
    if isinstance(error, _LOST):
        return errors.Unavailable(
            f"the connection to S3 was lost ({type(error).__name__})", outcome="unknown"
        )
    if type(error).__name__ == "ResponseParserError":
        return unreadable()
    if isinstance(error, UnicodeEncodeError):  # of the secret, the one text that we do not check
        return unusable()
    if isinstance(error, sdk.BotoCoreError | ValueError):
        return errors.RequestRejected(f"the SDK refuses the request ({type(error).__name__})")
    return None


def unusable() -> errors.InvalidCredentials:
    """The error for a key or token that cannot be signed or sent with; it shows none of it."""
    return errors.InvalidCredentials(
        "the AWS credentials hold a line break or another character that no key or token has"
    )


def unreadable() -> errors.Unavailable:
    """The error for a reply that says success and is not what S3 answers."""
    return errors.Unavailable("S3's answer cannot be read", outcome="unknown")


def _never_connected(error: Exception) -> bool:
    """Whether the SDK's error for an endpoint is that of connecting, not of a reset later on."""
    if not isinstance(error, sdk.EndpointConnectionError):
        return False
    return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)


def is_missing(error: Exception, operation: str) -> bool:
    """Whether the reply says that the object does not exist (not: the bucket, nor the endpoint).

    Only a HEAD, whose reply has no body to say so in, is taken at its bare 404.
    """
    if not isinstance(error, sdk.ClientError):
        return False
    code = error.response.get("Error", {}).get("Code", "")
    return code in MISSING or (operation == "head_object" and code in {"404", "NotFound"})


def _answered(error: sdk.ClientError) -> errors.StateBucketError:
    said = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    result = of_code(
        str(said.get("Code", "")), str(said.get("Message", "")), meta.get("HTTPStatusCode", 0)
    )
    result.retry_after = seconds_of(meta.get("HTTPHeaders", {}).get("retry-after"))
    return result

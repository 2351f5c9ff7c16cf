"""The SDK's errors as ours."""

from __future__ import annotations

import socket

import aiohttp
from botocore import exceptions as sdk

from statebucket import errors
from statebucket.retry import seconds_of

_CREDENTIALS = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
)
# The request was refused or did not arrive whole: nothing was written, and it may be sent again.
_NOT_DONE = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "OperationAborted",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ProfileNotFound,
    sdk.RefreshWithMFAUnsupportedError,
)
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
_NOT_FOUND = 404
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_CONFLICT = 412
_TOO_MANY = 429
_SERVER = 500


def translated(error: Exception) -> errors.StateBucketError | None:
    """The error of one request as one of ours; None for an error that is no answer of a service.

    The outcome is that of a write; a read's is the core's to ignore.
    """
    if isinstance(error, errors.StateBucketError):
        return error
    if isinstance(error, sdk.ClientError):
        return _answered(error)
    if isinstance(error, _NO_CREDENTIALS):
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
    if isinstance(error, sdk.BotoCoreError | ValueError):
        return errors.RequestRejected(f"the SDK refuses the request ({type(error).__name__})")
    return None


def unreadable() -> errors.Unavailable:
    """The error for a reply that says success and is not what S3 answers."""
    return errors.Unavailable("S3's answer cannot be read", outcome="unknown")


def _never_connected(error: Exception) -> bool:
    """Whether the SDK's error for an endpoint is that of connecting, not of a reset later on."""
    if not isinstance(error, sdk.EndpointConnectionError):
        return False
    return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)


def of_code(code: str, message: str, status: int = 0) -> errors.StateBucketError:
    """The error for a code in S3's reply, or in an entry of a batch delete's reply."""
    said = f"S3 answered {code}{f' ({status})' if status else ''}: {message}"
    if code == "NoSuchBucket":
        return errors.BucketNotFound(said)
    if code in _CREDENTIALS or status == _UNAUTHORIZED:
        return errors.InvalidCredentials(said)
    if code in _NOT_DONE:
        return errors.Unavailable(said)
    if code in {"AccessDenied", "AllAccessDisabled", "403"} or status == _FORBIDDEN:
        return errors.AccessDenied(
            f"{said} (S3 also answers so for a missing object where s3:ListBucket is not granted, "
            "and for a write with ttl_tags where s3:PutObjectTagging is not)"
        )
    if status == _CONFLICT or code in {"PreconditionFailed", "412"}:
        return errors.PreconditionFailed(said)
    if code in _THROTTLED or status == _TOO_MANY:
        return errors.Throttled(said)
    if code == "NotImplemented":
        return errors.RequestRejected(f"{said} (a service without tagging: ttl_tags=false)")
    if status >= _SERVER or code in {"InternalError", "ServiceUnavailable"}:
        return errors.Unavailable(said, outcome="unknown")
    if status == _NOT_FOUND:
        said += " (is endpoint_url that of an S3 service?)"
    return errors.RequestRejected(said)


def is_missing(error: Exception, operation: str) -> bool:
    """Whether the reply says that the object does not exist (not: the bucket, nor the endpoint).

    Only a HEAD, whose reply has no body to say so in, is taken at its bare 404.
    """
    if not isinstance(error, sdk.ClientError):
        return False
    code = error.response.get("Error", {}).get("Code", "")
    return code in {"NoSuchKey", "NoSuchVersion"} or (
        operation == "head_object" and code in {"404", "NotFound"}
    )


def _answered(error: sdk.ClientError) -> errors.StateBucketError:
    said = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    result = of_code(
        str(said.get("Code", "")), str(said.get("Message", "")), meta.get("HTTPStatusCode", 0)
    )
    result.retry_after = seconds_of(meta.get("HTTPHeaders", {}).get("retry-after"))
    return result

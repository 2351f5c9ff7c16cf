"""Azure Blob's error codes, and what each means for a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    excerpt,
)
from statebucket.port.retry_after import seconds_of
from statebucket_azure.causes import shows_secret
from statebucket_azure.options import CONNECTION_STRING

if TYPE_CHECKING:
    from collections.abc import Mapping


class BlobNotFound(PreconditionFailed):
    """The blob does not exist, though its container does; for a write, a failed condition."""


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
    # The body was altered on its way to the service, which refused it.
    "Md5Mismatch": Unavailable,
    # Answered with 409 to a request beside a write of the same blob, read or write, and in no list
    # of codes: https://github.com/Azure/azure-sdk-for-python/issues/26126 and
    # https://github.com/Azure/azure-sdk-for-net/issues/19311.
    "BlobHasBeenModified": Unavailable,
    "BlobModifiedWhileReading": Unavailable,
    # Someone else has leased the blob; answered with 412, but not about our condition.
    "LeaseIdMissing": RequestRejected,
    # Answered with 403, but about the account or the key that encrypts it and not about a right.
    "AccountIsDisabled": RequestRejected,
    "KeyVaultAccessTokenCannotBeAcquired": RequestRejected,
    "KeyVaultEncryptionKeyNotFound": RequestRejected,
    "KeyVaultVaultNotFound": RequestRejected,
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
HINTS: dict[type[StateBucketError], str] = {
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
"""What to do about one kind of error."""

_CODE_HINTS = {
    "AuthorizationFailure": (
        "the account's firewall answers this to networks that it does not allow, and its rules for "
        "addresses do not cover callers in its own region"
    ),
    "AuthorizationPermissionMismatch": (
        "a new role assignment may take ten minutes to apply; an identity with a role on another "
        "container gets this answer for one that does not exist"
    ),
    "InvalidAuthenticationInfo": (
        "a token must be from the Entra tenant of the account's subscription"
    ),
}
_BETTER_HINTS = {
    "AuthorizationProtocolMismatch": "the SAS is for https only",
    "AuthorizationResourceTypeMismatch": "an account SAS needs the resource types c and o",
    "AuthorizationServiceMismatch": "the account SAS is not for blobs (b)",
    "AuthorizationSourceIPMismatch": (
        "the SAS is for other addresses; callers in the account's own region have private ones"
    ),
    "KeyBasedAuthenticationNotPermitted": (
        "the account accepts neither its keys nor a SAS signed with one; an identity is used if "
        f"{CONNECTION_STRING} is not set"
    ),
    "PublicAccessNotPermitted": (
        "the account accepts no request without credentials: give a key, a SAS or an identity"
    ),
}
_WITHOUT_TAGS = (
    "index tags need an account of kind StorageV2 or BlockBlobStorage without a hierarchical "
    "namespace; ttl_tags=false does without them"
)
_TAG_HINTS = {
    "AuthorizationPermissionMismatch": (
        "to write index tags it needs Storage Blob Data Owner, a SAS the right t; "
        "ttl_tags=false does without tags"
    ),
    "BlobTagsNotSupportedForAccountType": _WITHOUT_TAGS,
    "FeatureNotEnabled": _WITHOUT_TAGS,
    "FeatureNotYetSupportedForHierarchicalNamespaceAccounts": _WITHOUT_TAGS,
    "UnsupportedHeader": _WITHOUT_TAGS,
}
ERRORS = 300
"""The first status that is not a success."""

_SERVER_ERRORS = 500
READS = {"GET", "HEAD"}
"""The methods that change nothing."""


_MESSAGE = rb"<Message>([^<]*)</Message>"


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, writes: bool, tags: bool = False
) -> StateBucketError:
    """The error for a reply that is not a success.

    Args:
        status: Its status code.
        headers: Its headers.
        body: Its body, which says why a request was rejected.
        writes: Whether the request would have changed something.
        tags: Whether the request would have written index tags.
    """
    code = excerpt(headers.get("x-ms-error-code") or "")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None:
        kind = Unavailable if status >= _SERVER_ERRORS else RequestRejected
    message = f"Azure Blob answered {status} {code}".rstrip()
    if request_id := headers.get("x-ms-request-id"):
        message += f" (request {excerpt(request_id)})"
    said = _reason(body) if kind is RequestRejected else ""
    usual = _BETTER_HINTS.get(code) or HINTS.get(kind)
    hints = [said, _CODE_HINTS.get(code), usual, _TAG_HINTS.get(code) if tags else ""]
    if any(hints):
        message += ": " + "; ".join(filter(None, hints))
    open_ended = kind is Unavailable and code != "Md5Mismatch"
    return kind(
        message,
        outcome="unknown" if open_ended and writes else "none",
        retry_after=_retry_after(headers),
        code=code or str(status),
    )


def _reason(body: bytes) -> str:
    """The service's own text in the body of a refusal, unless it may show a secret."""
    from html import unescape  # noqa: PLC0415  (off the cold-start path)

    found = re.search(_MESSAGE, body)
    text = "" if found is None else unescape(found[1].decode(errors="replace"))
    text = text.partition("\nRequestId:")[0]
    return "" if shows_secret(text) else excerpt(text).rstrip(".")


def malformed(what: str = "", *, writes: bool = False) -> Unavailable:
    """The error for a successful reply that is not the service's reply to the request.

    Args:
        what: What is wrong with it.
        writes: Whether the request would have changed something.
    """
    outcome: Outcome = "unknown" if writes else "none"
    detail = f": {what}" if what else ""
    return Unavailable(f"not a valid Azure Blob response{detail}", outcome=outcome)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait that the service asks for."""
    milliseconds = seconds_of(headers.get("x-ms-retry-after-ms"))
    return seconds_of(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000

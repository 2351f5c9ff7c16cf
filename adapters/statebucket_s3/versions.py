"""A version as a request's ``If-Match`` header, and what may be wrong if S3 refuses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from statebucket.errors import PreconditionFailed, shown

if TYPE_CHECKING:
    from statebucket.contract.versions import Version
    from statebucket_s3.options import BucketOptions

T = TypeVar("T", bound="BucketOptions")

_ETAG = r'"([!#-~]+)"'


def if_match(version: Version, options: BucketOptions) -> str:
    """The header's value.

    Args:
        version: The version that the object must be at.
        options: The store's options; with ``etag_quotes=False`` the value goes without its quotes.

    Raises:
        PreconditionFailed: The version does not have S3's form, so no object has it.
    """
    found = re.fullmatch(_ETAG, version.token)
    if found is None:
        raise PreconditionFailed(f"{shown(version.token)} is not a valid S3 version (an ETag)")
    return found[0] if options.etag_quotes else found[1]


def remedy(options: BucketOptions) -> str:
    """What to do if a service refuses a condition that holds."""
    if options.etag_quotes:
        return "etag_quotes=false sends If-Match without quotes, which Ceph RGW 16 needs"
    return (
        "S3 and most services need If-Match with its quotes: leave out etag_quotes=false. Where "
        "neither form is accepted (Ceph RGW 16 with versioning on), use a bucket without versioning"
    )


def other_quotes(options: T) -> tuple[str, T]:
    """The options with the other form of ``If-Match``, and the parameter for it in the URL."""
    quotes = not options.etag_quotes
    return (
        f"etag_quotes={str(quotes).lower()}",
        msgspec.structs.replace(options, etag_quotes=quotes),
    )

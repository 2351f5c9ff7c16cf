"""The options of ``s3://`` that every engine has, in the URL or keywords of ``open_store``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from statebucket.errors import InvalidArgument, shown
from statebucket.port.url import check_endpoint, read_options
from statebucket_s3.partitions import is_region

if TYPE_CHECKING:
    from statebucket.port.bucket import Location

_KEY_ID = r"[A-Za-z0-9:/_-]+"


class BucketOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a bucket on S3, and how to write to it.

    Attributes:
        region: The bucket's region; by default from the environment or AWS's configuration.
        endpoint_url: An endpoint other than AWS's, for S3-compatible services.
        insecure_endpoint: Whether to send over plain HTTP to another machine. Anyone on the way can
            then read and change bodies, and use a session token.
        addressing_style: "path" or "virtual"; by default ("auto") "virtual" on AWS, "path" with an
            ``endpoint_url``, as few services have a DNS name for each bucket.
        sse: Server-side encryption requested with each write; by default the bucket's own.
        sse_kms_key_id: The key for ``sse=aws:kms``; by default the account's S3 key.
        ttl_tags: Whether to tag objects with their TTL class. False for services without tagging
            and roles without ``s3:PutObjectTagging``; ``sweep`` then removes expired objects.
        etag_quotes: Whether ``If-Match`` has the ETag's quotes, as AWS documents it. False for
            services that compare it without them (Ceph RGW 16) and so refuse every replacement.
    """

    region: str | None = None
    endpoint_url: str | None = None
    insecure_endpoint: bool = False
    addressing_style: Literal["path", "virtual", "auto"] = "auto"
    sse: Literal["AES256", "aws:kms"] | None = None
    sse_kms_key_id: str | None = None
    ttl_tags: bool = True
    etag_quotes: bool = True

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value.
            InvalidURL: ``endpoint_url`` is not a plain server URL.
        """
        options = read_options(location.options, cls, keywords=location.keywords)
        if options.endpoint_url is not None:
            check_endpoint(options.endpoint_url)
        if options.region is not None and not is_region(options.region):
            raise InvalidArgument(
                f"region must be letters, digits and inner hyphens: {shown(options.region)}"
            )
        if options.sse_kms_key_id is not None and not re.fullmatch(_KEY_ID, options.sse_kms_key_id):
            raise InvalidArgument(
                f"sse_kms_key_id must be a key's id, ARN or alias: {shown(options.sse_kms_key_id)}"
            )
        if options.sse_kms_key_id is not None and options.sse != "aws:kms":
            raise InvalidArgument("sse_kms_key_id requires sse='aws:kms'")
        return options

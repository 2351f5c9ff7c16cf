"""The options of ``s3://``, as parameters in the URL or keywords of ``open_store``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from statebucket.errors import InvalidArgument
from statebucket.url import read_options

if TYPE_CHECKING:
    from statebucket.bucket import Location


class S3Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a bucket on S3, and how to write to it.

    Attributes:
        region: The bucket's region; by default what the SDK finds in the environment.
        endpoint_url: Another endpoint than AWS's own, for S3-compatible services.
        addressing_style: "path" or "virtual"; by default "path" with an ``endpoint_url`` that is
            not AWS's, since few such services have a DNS name for each bucket.
        sse: Server-side encryption asked for with each write; by default the bucket's own.
        sse_kms_key_id: The key for ``sse=aws:kms``; by default the account's S3 key.
        ttl_tags: Whether to tag objects with their TTL class. False for services without tagging
            and roles without ``s3:PutObjectTagging``; then ``sweep`` does the removing.
        session: An ``aioboto3.Session`` (or aiobotocore ``AioSession``) of the caller's, for its
            credentials and settings.
    """

    region: str | None = None
    endpoint_url: str | None = None
    addressing_style: Literal["path", "virtual", "auto"] | None = None
    sse: Literal["AES256", "aws:kms"] | None = None
    sse_kms_key_id: str | None = None
    ttl_tags: bool = True
    session: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown, or not what it may be.
        """
        options = read_options(location.options, cls)
        if options.sse_kms_key_id is not None and options.sse != "aws:kms":
            raise InvalidArgument("sse_kms_key_id goes with sse='aws:kms' only")
        session = options.session
        if session is not None and not (
            hasattr(session, "client") or hasattr(session, "create_client")
        ):
            raise InvalidArgument(
                f"session must be an aioboto3.Session, not {type(session).__name__}"
            )
        return options

    @property
    def style(self) -> str:
        """The addressing style to use."""
        if self.addressing_style is not None:
            return self.addressing_style
        foreign = self.endpoint_url is not None and "amazonaws.com" not in self.endpoint_url
        return "path" if foreign else "auto"

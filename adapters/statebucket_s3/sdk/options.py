"""The options of ``s3://``, as parameters in the URL or keywords of ``open_store``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket.port.endpoint import require_tls
from statebucket_s3.options import BucketOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class S3Options(BucketOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and the SDK's session.

    Attributes:
        session: The caller's ``aioboto3.Session`` (or aiobotocore ``AioSession``), for its
            credentials and settings.
    """

    session: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value; or ``endpoint_url`` is plain
                HTTP to another machine.
            InvalidURL: ``endpoint_url`` is not a plain server URL.
        """
        options = super().of(location)
        if options.endpoint_url is not None:
            require_tls(options.endpoint_url, insecure=options.insecure_endpoint)
        session = options.session
        kind = type(session)
        if session is not None and (
            not (hasattr(session, "client") or hasattr(session, "create_client"))
            or kind.__module__.partition(".")[0] in {"boto3", "botocore"}  # its clients block
        ):
            raise InvalidArgument(
                f"session must be an aioboto3.Session, not {kind.__module__}.{kind.__name__}"
            )
        return options

"""The options of ``gs://…?engine=http``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket_gcs.options import BucketOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class HTTPOptions(BucketOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and where the credentials come from.

    Attributes:
        credentials: The caller's google-auth credentials, used unchanged.
    """

    credentials: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads and checks the options.

        Raises:
            InvalidURL: ``endpoint_url`` is not a plain server URL.
            InvalidArgument: An option is unknown, of the wrong type, or contradicts another; or
                credentials would be sent in clear text.
        """
        options = super().of(location)
        credentials = options.credentials
        if credentials is None:
            return options
        if options.anonymous:
            raise InvalidArgument("credentials and anonymous contradict each other")
        if not callable(getattr(credentials, "refresh", None)) or not hasattr(credentials, "token"):
            raise InvalidArgument(
                "credentials must be google.auth.credentials.Credentials, not a "
                f"{type(credentials).__module__}.{type(credentials).__qualname__}"
            )
        return options

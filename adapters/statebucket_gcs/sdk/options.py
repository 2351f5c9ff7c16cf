"""The options of ``gs://`` through the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from google.cloud.storage import Client  # type: ignore[import-untyped]

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket_gcs.options import BucketOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class SDKOptions(BucketOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and a client.

    Attributes:
        client: The caller's ``google.cloud.storage.Client``, used unchanged and never closed.
    """

    client: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads and checks the options.

        Raises:
            InvalidURL: ``endpoint_url`` is not a plain server URL.
            InvalidArgument: An option is unknown, of the wrong type, or contradicts another; or
                credentials would be sent in clear text.
        """
        options = super().of(location)
        client = options.client
        if client is None:
            return options
        if not isinstance(client, Client):
            raise InvalidArgument(
                "client must be a google.cloud.storage.Client, not a "
                f"{type(client).__module__}.{type(client).__qualname__}"
            )
        if options.project is not None or options.endpoint_url is not None or options.anonymous:
            raise InvalidArgument(
                "client comes with its own project, endpoint and credentials: leave out "
                "project, endpoint_url and anonymous"
            )
        return options

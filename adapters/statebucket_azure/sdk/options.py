"""The options of ``az://`` through the SDK."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import InvalidArgument
from statebucket.port.complete_types import complete_at_once
from statebucket_azure.options import BlobOptions

if TYPE_CHECKING:
    from statebucket.port.bucket import Location


@complete_at_once
class AzureOptions(BlobOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine, and the caller's client.

    Attributes:
        client: The caller's ``ContainerClient`` or ``BlobServiceClient`` (of
            ``azure.storage.blob.aio``), bound to the caller's event loop and never closed here. Its
            transport and time-outs are the caller's, and it may repeat reads by itself.
    """

    client: Any = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads the options.

        Raises:
            InvalidArgument: One is unknown or has an invalid value.
            InvalidURL: ``endpoint_url`` is not an account URL.
        """
        options = super().of(location)
        if options.client is not None and options.credential is not None:
            raise InvalidArgument(
                "client and credential cannot be combined: a client has its own credential"
            )
        get_token = getattr(options.credential, "get_token", None)
        if get_token is not None and not inspect.iscoroutinefunction(get_token):
            raise InvalidArgument(
                f"credential is synchronous ({type(options.credential).__name__}): "
                "take it from azure.identity.aio"
            )
        return options

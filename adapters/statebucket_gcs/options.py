"""What ``gs://`` URLs and ``open_store`` take beyond the core's own options."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.errors import InvalidArgument
from statebucket.port.endpoint import require_tls
from statebucket.port.url import check_endpoint, read_options

if TYPE_CHECKING:
    from statebucket.port.bucket import Location

_KEY_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")


class GCSOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The adapter's options.

    Attributes:
        project: The project of the SDK's client; no call of the adapter needs one.
        endpoint_url: Another endpoint than Google's, such as an emulator's; by default the
            SDK's own choice, which is ``STORAGE_EMULATOR_HOST`` where that is set.
        anonymous: Send no credentials, for emulators.
        insecure_endpoint: Whether credentials may be sent over plain HTTP to another machine, for
            a server in a network that you trust. To this machine they always may.
        kms_key_name: The customer-managed key, ``projects/…/cryptoKeys/…``, that encrypts what is
            written; by default the bucket's own.
        client: A ``google.cloud.storage.Client`` of the caller's, used as it is and never closed.
    """

    project: str | None = None
    endpoint_url: str | None = None
    anonymous: bool = False
    insecure_endpoint: bool = False
    kms_key_name: str | None = None
    client: Any = None


def options_of(location: Location) -> GCSOptions:
    """Reads and checks the options.

    Raises:
        InvalidURL: ``endpoint_url`` is no plain URL of a server.
        InvalidArgument: An option is unknown, not of its type, or contradicts another; or
            credentials would be sent in clear text.
    """
    options = read_options(location.options, GCSOptions)
    if options.endpoint_url is not None:
        check_endpoint(options.endpoint_url)
        # With an emulator's host in the environment, the SDK sends no credentials.
        if not options.anonymous and not os.environ.get("STORAGE_EMULATOR_HOST"):
            require_tls(options.endpoint_url, insecure=options.insecure_endpoint)
    if options.kms_key_name is not None and not _KEY_NAME.fullmatch(options.kms_key_name):
        raise InvalidArgument(
            "kms_key_name must be projects/P/locations/L/keyRings/R/cryptoKeys/K: "
            f"{options.kms_key_name!r}"
        )
    if options.client is not None:
        _check_client(options)
    return options


def _check_client(options: GCSOptions) -> None:
    from google.cloud.storage import (  # type: ignore[import-untyped]  # noqa: PLC0415  (lazy)
        Client,
    )

    if not isinstance(options.client, Client):
        raise InvalidArgument(
            "client must be a google.cloud.storage.Client, not a "
            f"{type(options.client).__module__}.{type(options.client).__qualname__}"
        )
    if options.project is not None or options.endpoint_url is not None or options.anonymous:
        raise InvalidArgument(
            "client comes with its own project, endpoint and credentials: leave out "
            "project, endpoint_url and anonymous"
        )

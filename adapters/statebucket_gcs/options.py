"""What ``gs://`` URLs and ``open_store`` take besides the core's own options, with any engine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Self

import msgspec

from statebucket.errors import InvalidArgument, shown
from statebucket.port.endpoint import require_tls
from statebucket.port.url import check_endpoint, read_options

if TYPE_CHECKING:
    from statebucket.port.bucket import Location

_PROJECT = r"[A-Za-z0-9.:_-]{1,100}"
_KEY_NAME = r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+"
_EMULATOR = "STORAGE_EMULATOR_HOST"
_OVERRIDE = "API_ENDPOINT_OVERRIDE"
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

SCOPE = "https://www.googleapis.com/auth/devstorage.full_control"
"""The scope that tokens are requested for; the identity's roles decide what they allow."""


METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata"})
"""The names that machines have for their metadata server."""


class BucketOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of every engine.

    Attributes:
        project: The project of the SDK's client; no call of the adapter needs one.
        endpoint_url: An endpoint other than Google's, such as an emulator's; by default the
            SDK's own choice, which is ``STORAGE_EMULATOR_HOST`` if that is set.
        anonymous: Send no credentials, for emulators.
        insecure_endpoint: Whether credentials may be sent over plain HTTP to another machine, for
            a server in a network that you trust. To this machine they always may.
        kms_key_name: The customer-managed key, ``projects/…/cryptoKeys/…``, that encrypts what is
            written; by default the bucket's own.
    """

    project: str | None = None
    endpoint_url: str | None = None
    anonymous: bool = False
    insecure_endpoint: bool = False
    kms_key_name: str | None = None

    @classmethod
    def of(cls, location: Location) -> Self:
        """Reads and checks the options.

        Raises:
            InvalidURL: ``endpoint_url`` is not a plain server URL.
            InvalidArgument: An option is unknown, of the wrong type, or contradicts another; or
                credentials would be sent in clear text.
        """
        options = read_options(location.options, cls, keywords=location.keywords)
        if options.endpoint_url is not None:
            check_endpoint(options.endpoint_url)
            # With an emulator's host in the environment, the SDK sends no credentials.
            if not options.anonymous and emulator() is None:
                require_tls(options.endpoint_url, insecure=options.insecure_endpoint)
        if options.project is not None and not re.fullmatch(_PROJECT, options.project):
            raise InvalidArgument(
                f"project must be a project's id, such as my-project-1: {shown(options.project)}"
            )
        if options.kms_key_name is not None and not re.fullmatch(_KEY_NAME, options.kms_key_name):
            raise InvalidArgument(
                "kms_key_name must be projects/P/locations/L/keyRings/R/cryptoKeys/K: "
                f"{shown(options.kms_key_name)}"
            )
        return options


def emulator() -> str | None:
    """The URL of the emulator that the environment names; it gets no credentials."""
    host = os.environ.get(_EMULATOR)
    # Other languages' SDKs take it without a scheme.
    return host if not host or "://" in host else f"http://{host}"


def environment_endpoint() -> str | None:
    """The URL of an endpoint other than Google's that the environment names, as for the SDK."""
    return emulator() or os.environ.get(_OVERRIDE)


def ca_bundle() -> str | None:
    """The file or folder of certificate authorities that the environment names.

    Raises:
        InvalidArgument: It does not exist.
    """
    for variable in _CA_VARIABLES:
        if path := os.environ.get(variable):
            if not os.path.exists(path):  # noqa: PTH110  (pathlib costs 5 ms)
                raise InvalidArgument(
                    f"{variable} must be a file or folder of certificates: {shown(path)} does not "
                    "exist"
                )
            return path
    return None

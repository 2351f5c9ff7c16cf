"""The environment's connection string, and what host names say about an account."""

from __future__ import annotations

import os
import re

from statebucket.errors import InvalidArgument
from statebucket.port.url import split
from statebucket_azure.options import CONNECTION_STRING

# Hosts whose first label is the account on any network: in the public and sovereign clouds, in DNS
# zones, and in private links to either. Any other host may be a custom
# domain, or a name in a private network, and does not name the account.
_ACCOUNT_HOST = (
    r"([a-z0-9]{3,24})(?:-[a-z0-9-]+)?(?:\.privatelink)?\."
    r"(?:z[0-9]{1,2}\.(?:privatelink\.)?blob\.storage\.azure\.net"
    r"|blob\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de))"
)

# The meaning of UseDevelopmentStorage=true: the emulator's account and key, which are published and
# the same everywhere. The SDK reads that setting since 12.25, and only without BlobEndpoint.
_EMULATOR = {
    "accountname": "devstoreaccount1",
    "accountkey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw==",
    "blobendpoint": "http://127.0.0.1:10000/devstoreaccount1",
}


def from_environment(endpoint_url: str | None) -> dict[str, str]:
    """The connection string's settings, by name in lower case; empty if there is none.

    Args:
        endpoint_url: The endpoint to use instead of the connection string's; None for that one.

    Raises:
        InvalidArgument: It is not a connection string; the message does not show it.
    """
    text = os.environ.get(CONNECTION_STRING, "").strip()
    if not text:
        return {}
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    settings = {name.strip().lower(): value for name, _, value in pairs}
    if not pairs or not all(equals for _, equals, _ in pairs):
        raise no_connection_string()
    if settings.get("usedevelopmentstorage", "").lower() == "true":
        settings = dict(_EMULATOR)
    if endpoint_url is not None:
        settings["blobendpoint"] = endpoint_url
    return settings


def no_connection_string() -> InvalidArgument:
    """The error for an invalid connection string, without its text."""
    return InvalidArgument(f"{CONNECTION_STRING} is not a valid connection string")


def account_at(url: str) -> str | None:
    """The account that a URL's host names; None if it names none."""
    host = split(url).hostname or ""
    found = re.fullmatch(_ACCOUNT_HOST, host) if ".blob." in host else None
    return found[1] if found else None

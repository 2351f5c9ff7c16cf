"""The connection string of the environment, and what hosts say of an account."""

from __future__ import annotations

import os
import re

from statebucket.errors import InvalidArgument
from statebucket.port.url import split
from statebucket_azure.options import CONNECTION_STRING

# Hosts whose first label is the account, whatever network the request takes: of the public and the
# sovereign clouds, of DNS zones, and of private links to either. Any other host may be a custom
# domain, or a name in a private network, and does not name the account.
_ACCOUNT_HOST = (
    r"([a-z0-9]{3,24})(?:-[a-z0-9-]+)?(?:\.privatelink)?\."
    r"(?:z[0-9]{1,2}\.(?:privatelink\.)?blob\.storage\.azure\.net"
    r"|blob\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de))"
)

# What UseDevelopmentStorage=true means: the emulator's account and key, which are the same
# everywhere and published. The SDK reads that setting from 12.25 on, and without BlobEndpoint only.
_EMULATOR = {
    "accountname": "devstoreaccount1",
    "accountkey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw==",
    "blobendpoint": "http://127.0.0.1:10000/devstoreaccount1",
}


def from_environment(endpoint_url: str | None) -> dict[str, str]:
    """The connection string's settings, by name in lower case; empty if there is none.

    Args:
        endpoint_url: The endpoint to use instead of the one that it names; None for that one.

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

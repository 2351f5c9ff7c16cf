"""The owner of a credential, as far as it shows, as findings for ``statebucket doctor``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_azure.options import CONNECTION_STRING
from statebucket_azure.remedies import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDED = {"r": "read", "w": "write", "d": "delete", "l": "list"}
_TAGS = {"t": "write index tags"}
_HARMLESS = {"a", "c", "f"}  # add and create are part of write; find by tags is part of read
_NO_KEY = Remedy(
    advice=f"grant the function's identity the rights, and unset {CONNECTION_STRING}",
    terraform=REMEDIES.rights.terraform,
)

ANONYMOUS = Finding(check="identity", status="note", message="no credentials are sent")
"""The finding for requests without credentials."""


def of_key(account: str) -> Finding:
    """The finding for an account's key."""
    return Finding(
        check="identity",
        status="warning",
        message=f"the key of account {account}: it may do anything there, "
        "change settings and delete every container included",
        remedy=_NO_KEY,
    )


def of_sas(signature: str, *, tags: bool) -> Iterator[Finding]:
    """The findings for a shared access signature.

    Args:
        signature: The signature, as a query.
        tags: Whether the store writes index tags.
    """
    query = parse_qs(signature.lstrip("?"))
    sas = {name: values[0] for name, values in query.items() if name != "sig"}
    until = f"until {sas['se']}" if "se" in sas else "as long as its stored policy says"
    kind = "an account SAS" if "srt" in sas else "a SAS"
    yield Finding(
        check="identity",
        status="ok",
        message=f"{kind}, {until}" + (f", of {sas['skoid']}" if "skoid" in sas else ""),
    )
    if "sp" not in sas:
        message = "the SAS's rights stand in the container's stored access policy"
        yield Finding(check="rights", status="unknown", message=message)
        return
    needed = _NEEDED | (_TAGS if tags else {})
    narrower = Remedy(command=f"az storage container generate-sas --permissions {''.join(needed)}")
    if missing := [
        f"{letter} ({means})" for letter, means in needed.items() if letter not in sas["sp"]
    ]:
        yield Finding(
            check="rights",
            status="fault",
            message=f"the SAS lacks {', '.join(missing)}",
            remedy=narrower,
        )
    excess = sorted(set(sas["sp"]) - set(needed) - _HARMLESS)
    if excess:
        yield Finding(
            check="rights",
            status="warning",
            message=f"not needed: the SAS's rights {', '.join(excess)}",
            remedy=narrower,
        )
    if "srt" in sas:
        can_delete = "c" in sas["srt"] and "d" in sas["sp"]
        yield Finding(
            check="rights",
            status="warning",
            message="not needed: the SAS reaches every container of the account"
            + (", and can delete each" if can_delete else ""),
            remedy=narrower,
        )


def of_token(token: str) -> Finding:
    """The finding for the owner named by a token."""
    try:
        part = token.split(".")[1]
        padded = part + "=" * (-len(part) % 4)
        claims = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
    except (IndexError, binascii.Error, msgspec.MsgspecError, UnicodeError) as error:
        return unknown(type(error).__name__)
    person = claims.get("upn") or claims.get("unique_name")
    who = f"object id {claims.get('oid', '?')}, application {claims.get('appid', '?')}"
    if resource := claims.get("xms_mirid"):
        who += f", {resource}"
    if person:
        return Finding(
            check="identity",
            status="note",
            message=f"{person} ({who}): a person's rights, which a function's may differ from",
            remedy=REMEDIES.rights,
        )
    return Finding(check="identity", status="ok", message=who)


def unknown(reason: str) -> Finding:
    """The finding for an owner that does not show, and why."""
    return Finding(
        check="identity",
        status="unknown",
        message=f"the credential does not show its owner ({reason})",
        remedy=Remedy(command="az account show"),
    )

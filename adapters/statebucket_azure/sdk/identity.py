"""Whose credential it is, as far as it shows, for ``statebucket doctor``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError

from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_azure.options import CONNECTION_STRING
from statebucket_azure.remedies import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCOPE = "https://storage.azure.com/.default"
_NEEDED = {"r": "read", "w": "write", "d": "delete", "l": "list"}
_TAGS = {"t": "write index tags"}
_HARMLESS = {"a", "c", "f"}  # adding and creating are parts of writing; finding by tags of reading
_NO_KEY = Remedy(
    advice=f"grant the function's identity the rights, and unset {CONNECTION_STRING}",
    terraform=REMEDIES.rights.terraform,
)


async def identity(credential: Any, url: str, *, tags: bool) -> list[Finding]:  # noqa: ANN401
    """A credential's owner and rights, as far as it shows them: at most 1 request, for a token.

    Args:
        credential: The container client's.
        url: The client's URL, which a SAS may be part of.
        tags: Whether the store writes index tags.
    """
    if isinstance(credential, AzureSasCredential):
        return list(_sas(parse_qs(credential.signature.lstrip("?")), tags=tags))
    if hasattr(credential, "get_token"):
        return [await _principal(credential)]
    if hasattr(credential, "account_key"):
        return [
            Finding(
                check="identity",
                status="warning",
                message=f"the key of account {credential.account_name}: it may do anything there, "
                "change settings and delete every container included",
                remedy=_NO_KEY,
            )
        ]
    query = parse_qs(urlsplit(url).query)
    if "sig" in query:
        return list(_sas(query, tags=tags))
    return [Finding(check="identity", status="note", message="no credentials are sent")]


def _sas(query: Mapping[str, list[str]], *, tags: bool) -> Iterator[Finding]:
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


async def _principal(credential: Any) -> Finding:  # noqa: ANN401  (of any class of azure-identity)
    try:
        token = (await credential.get_token(_SCOPE)).token
        part = token.split(".")[1]
        padded = part + "=" * (-len(part) % 4)
        claims = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
    except (AzureError, IndexError, binascii.Error, msgspec.MsgspecError) as error:
        return Finding(
            check="identity",
            status="unknown",
            message=f"the credential does not show its owner ({type(error).__name__})",
            remedy=Remedy(command="az account show"),
        )
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

"""The owner of the SDK's credential, for ``statebucket doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError

from statebucket_azure import identities

if TYPE_CHECKING:
    from statebucket.port.findings import Finding

_SCOPE = "https://storage.azure.com/.default"


async def identity(credential: Any, url: str, *, tags: bool) -> list[Finding]:  # noqa: ANN401
    """A credential's owner and rights, as far as it shows them: at most 1 request, for a token.

    Args:
        credential: The container client's credential.
        url: The client's URL, which a SAS may be part of.
        tags: Whether the store writes index tags.
    """
    if isinstance(credential, AzureSasCredential):
        return list(identities.of_sas(credential.signature, tags=tags))
    if hasattr(credential, "get_token"):
        return [await _principal(credential)]
    if hasattr(credential, "account_key"):
        return [identities.of_key(credential.account_name)]
    query = urlsplit(url).query
    if "sig" in parse_qs(query):
        return list(identities.of_sas(query, tags=tags))
    return [identities.ANONYMOUS]


async def _principal(credential: Any) -> Finding:  # noqa: ANN401  (of any class of azure-identity)
    try:
        token = (await credential.get_token(_SCOPE)).token
    except AzureError as error:
        return identities.unknown(type(error).__name__)
    return identities.of_token(token)

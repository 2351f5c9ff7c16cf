"""Asks Azure about a container and the caller, for ``statebucket doctor``; our own requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from statebucket.errors import StateBucketError
from statebucket_azure import identities
from statebucket_azure.codes import malformed
from statebucket_azure.findings import LOOKED_AT, Account, Blob, Container, Replies, findings_of
from statebucket_azure.http.access import KeyGrant, SasGrant, TokenGrant
from statebucket_azure.http.replies import root_of
from statebucket_azure.http.requests import VERSION
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.port.findings import Finding
    from statebucket_azure.http.access import Access, Grant
    from statebucket_http.wire import Reply

T = TypeVar("T")

_ACCOUNT = Request("GET", "", "comp=properties&restype=account", VERSION)
_CONTAINER = Request("GET", "", "restype=container", VERSION)
_SETTINGS = Request("GET", "/", "comp=properties&restype=service", VERSION)
_CONTAINERS = Request("GET", "/", "comp=list&maxresults=1", VERSION)


async def examine(
    account: str,
    container: str,
    prefix: str,
    access: Access,
    of_container: Callable[[Request], Awaitable[Reply]],
    of_account: Callable[[Request], Awaitable[Reply]],
    *,
    tags: bool,
) -> Sequence[Finding]:
    """Checks identity, rights, versions, soft delete, access and the clock: 5 requests.

    Args:
        account: The account's name; empty if it is not known.
        container: The container's name.
        prefix: Where to list.
        access: What authorizes requests.
        of_container: Sends a request to the container.
        of_account: Sends a request to the account.
        tags: Whether the store writes index tags.
    """
    looked = "&".join(
        [
            "comp=list&include=versions,deleted",
            f"maxresults={LOOKED_AT}&prefix={quote(prefix, safe='~')}&restype=container",
        ]
    )
    grant = await _grant(access)
    date: list[str | None] = []

    def blobs(reply: Reply) -> list[Blob]:
        date.append(reply.headers.get("date"))
        return _blobs(reply)

    found, settings, described, listed, seen = await asyncio.gather(
        _told(of_container(_ACCOUNT), _account),
        _told(of_account(_SETTINGS), _kept_days),
        _told(of_container(_CONTAINER), _container),
        _told(of_account(_CONTAINERS), _is_listing),
        _told(of_container(Request("GET", "", looked, VERSION)), blobs),
    )
    replies = Replies(found, settings, described, listed, seen, date[0] if date else None)
    may_all = isinstance(grant, KeyGrant)
    return [
        *_identity(grant, account, tags=tags),
        *findings_of(account, container, replies, tags=tags, may_all=may_all),
    ]


async def _grant(access: Access) -> Grant | StateBucketError:
    try:
        return await access.grant()
    except StateBucketError as error:
        return error


def _identity(grant: Grant | StateBucketError, account: str, *, tags: bool) -> list[Finding]:
    if isinstance(grant, StateBucketError):
        return [identities.unknown(type(grant).__name__)]
    if isinstance(grant, KeyGrant):
        return [identities.of_key(account)]
    if isinstance(grant, SasGrant):
        return list(identities.of_sas(grant.query, tags=tags))
    return [
        identities.of_token(grant.token) if isinstance(grant, TokenGrant) else identities.ANONYMOUS
    ]


async def _told(request: Awaitable[Reply], read: Callable[[Reply], T]) -> T | StateBucketError:
    """The content of the reply, or the error in its place."""
    try:
        return read(await request)
    except StateBucketError as error:
        return error
    except ValueError:  # another document than the one requested
        return malformed()


def _account(reply: Reply) -> Account:
    headers = reply.headers
    hierarchical = headers.get("x-ms-is-hns-enabled") == "true"
    return Account(headers.get("x-ms-account-kind"), headers.get("x-ms-sku-name"), hierarchical)


def _kept_days(reply: Reply) -> int | None:
    root = root_of(reply.body)
    if root.tag != "StorageServiceProperties":
        raise ValueError("no settings")
    policy = root.find("DeleteRetentionPolicy")
    if policy is None or policy.findtext("Enabled") != "true":
        return None
    return int(policy.findtext("Days") or 0)


def _container(reply: Reply) -> Container:
    headers = reply.headers
    return Container(
        headers.get("x-ms-has-legal-hold") == "true",
        headers.get("x-ms-has-immutability-policy") == "true",
        headers.get("x-ms-blob-public-access", ""),
    )


def _is_listing(reply: Reply) -> bool:
    if root_of(reply.body).tag != "EnumerationResults":
        raise ValueError("no listing")
    return True


def _blobs(reply: Reply) -> list[Blob]:
    root = root_of(reply.body)
    if root.tag != "EnumerationResults":
        raise ValueError("no listing")
    return [
        Blob(
            blob.findtext("VersionId") or "",
            blob.findtext("Deleted") == "true",
            blob.findtext("Properties/AccessTier") or "",
        )
        for blob in root.iterfind("Blobs/Blob")
    ]

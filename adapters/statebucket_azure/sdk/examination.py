"""Asks Azure, through the SDK, about a container and the caller, for ``statebucket doctor``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.errors import StateBucketError
from statebucket_azure.findings import LOOKED_AT, Account, Blob, Container, Replies, findings_of
from statebucket_azure.sdk.errors import sdk_call
from statebucket_azure.sdk.identity import identity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob.aio import ContainerClient

    from statebucket.port.findings import Finding

T = TypeVar("T")


async def examine(
    container: ContainerClient, prefix: str, how: dict[str, Any], *, tags: bool
) -> Sequence[Finding]:
    """Checks identity, rights, versions, soft delete, access and the clock: 5 requests.

    Args:
        container: The container's client.
        prefix: Where to list.
        how: Further arguments of each request.
        tags: Whether the store writes index tags.
    """
    service = container._get_blob_service_client()  # noqa: SLF001  (the public way up is a new one)
    dates: list[str | None] = []

    def note(reply: PipelineResponse[Any, Any]) -> None:
        dates.append(reply.http_response.headers.get("Date"))

    who, account, settings, described, listed, blobs = await asyncio.gather(
        identity(container.credential, container.url, tags=tags),
        _told(container.get_account_information(**how), _account),
        _told(service.get_service_properties(**how), _kept_days),
        _told(container.get_container_properties(**how), _container),
        _told(_first_page(service.list_containers(results_per_page=1, **how)), lambda _: True),
        _told(
            _first_page(
                container.list_blobs(
                    name_starts_with=prefix,
                    include=["versions", "deleted"],
                    results_per_page=LOOKED_AT,
                    raw_response_hook=note,
                    **how,
                )
            ),
            _blobs,
        ),
    )
    replies = Replies(account, settings, described, listed, blobs, date=dates[0] if dates else None)
    name, of = container.account_name or "", container.container_name
    may_all = hasattr(container.credential, "account_key")  # its finding says so
    return [*who, *findings_of(name, of, replies, tags=tags, may_all=may_all)]


async def _told(request: Awaitable[Any], read: Callable[[Any], T]) -> T | StateBucketError:
    """The content of the reply, or the error in its place."""
    try:
        return read(await sdk_call(request))
    except StateBucketError as error:
        return error


async def _first_page(items: Any) -> list[Any]:  # noqa: ANN401  (the SDK's pager of anything)
    page = await anext(items.by_page(), None)
    return [] if page is None else [item async for item in page]


def _account(found: Any) -> Account:  # noqa: ANN401  (the SDK's, as below)
    kind, sku = found.get("account_kind"), found.get("sku_name")
    return Account(kind, sku, bool(found.get("is_hns_enabled")))


def _kept_days(found: Any) -> int | None:  # noqa: ANN401
    policy = found["delete_retention_policy"]
    return int(policy.days or 0) if policy.enabled else None


def _container(found: Any) -> Container:  # noqa: ANN401
    return Container(
        bool(found.has_legal_hold),
        bool(found.has_immutability_policy),
        str(found.public_access or ""),
    )


def _blobs(found: Any) -> list[Blob]:  # noqa: ANN401
    return [
        Blob(blob.version_id or "", bool(blob.deleted), str(blob.blob_tier or "")) for blob in found
    ]

"""What only Azure's own API tells of a container and who asks, for ``statebucket doctor``.

Settings belong to the storage account and its management plane. What of them shows through the
blobs' own API is looked at; that the rest is out of sight is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.errors import StateBucketError
from statebucket.port.clock import clock_finding
from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_azure.remedies import REMEDIES, terraform
from statebucket_azure.sdk.errors import sdk_call
from statebucket_azure.sdk.identity import identity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import ContainerClient

T = TypeVar("T")

_LOOKED_AT = 100
_COOL = {"Cool", "Cold", "Archive"}


async def examine(
    container: ContainerClient, prefix: str, how: dict[str, Any], *, tags: bool
) -> Sequence[Finding]:
    """Looks at identity, rights, versions, soft delete, access and the clock: 5 requests.

    Args:
        container: The container's client.
        prefix: Where to list.
        how: What each request takes besides.
        tags: Whether the store writes index tags.
    """
    service = container._get_blob_service_client()  # noqa: SLF001  (the public way up is a new one)
    dates: list[str | None] = []

    def note(reply: PipelineResponse[Any, Any]) -> None:
        dates.append(reply.http_response.headers.get("Date"))

    who, account, settings, described, others, blobs = await asyncio.gather(
        identity(container.credential, container.url, tags=tags),
        _told(container.get_account_information(**how)),
        _told(service.get_service_properties(**how)),
        _told(container.get_container_properties(**how)),
        _told(_first_page(service.list_containers(results_per_page=1, **how))),
        _told(
            _first_page(
                container.list_blobs(
                    name_starts_with=prefix,
                    include=["versions", "deleted"],
                    results_per_page=_LOOKED_AT,
                    raw_response_hook=note,
                    **how,
                )
            )
        ),
    )
    name = f"--account-name {container.account_name}"
    update = f"az storage account blob-service-properties update {name}"
    found = list(who)
    if not hasattr(container.credential, "account_key"):  # whose finding says that it may do all
        found += _excess(settings, described, others)
    found += _versions(blobs, update)
    found.append(_soft_delete(settings, blobs, update))
    found += _account(account, tags=tags)
    found += _container(described, container.container_name, name)
    found += _tier(blobs, name)
    hidden = {
        "account kind": account,
        "soft delete": settings,
        "public access and immutability": described,
        "versions": blobs,
    }
    unseen = [what for what, seen in hidden.items() if isinstance(seen, StateBucketError)]
    if unseen:
        found.append(
            Finding(
                check="settings",
                status="unknown",
                message=f"not to be seen with these rights: {', '.join(unseen)}",
                remedy=Remedy(command=f"az storage account blob-service-properties show {name}"),
            )
        )
    return [*found, clock_finding(dates[0] if dates else None)]


async def _told(request: Awaitable[T]) -> T | StateBucketError:
    """The answer, or the error that stands for it."""
    try:
        return await sdk_call(request)
    except StateBucketError as error:
        return error


async def _first_page(items: Any) -> list[Any]:  # noqa: ANN401  (the SDK's pager of anything)
    page = await anext(items.by_page(), None)
    return [] if page is None else [item async for item in page]


def _excess(settings: object, described: object, others: object) -> Iterator[Finding]:
    """Rights that the store does not need and that reading tells of."""
    if not isinstance(others, StateBucketError):
        yield Finding(
            check="rights",
            status="warning",
            message="not needed: it can list the account's containers, as with a role on the "
            "account instead of the container",
            remedy=REMEDIES.rights,
        )
    if not isinstance(settings, StateBucketError):
        yield Finding(
            check="rights",
            status="warning",
            message="not needed: it can read the settings of the account's blob service",
            remedy=REMEDIES.rights,
        )
    if not isinstance(described, StateBucketError):
        yield Finding(
            check="rights",
            status="note",
            message="it can read the container's properties; the built-in roles that can and may "
            "write blobs may also delete the container, which the module's role may not",
            remedy=REMEDIES.rights,
        )


def _versions(blobs: list[BlobProperties] | StateBucketError, update: str) -> Iterator[Finding]:
    if isinstance(blobs, StateBucketError):
        return
    if any(blob.version_id for blob in blobs):
        yield Finding(
            check="versions",
            status="note",
            message="versioning is enabled: every save is kept, and billed, until a rule removes "
            "old versions",
            remedy=terraform(
                "versioning = false, or a small noncurrent_days",
                command=f"{update} --enable-versioning false",
            ),
        )
    elif blobs:
        yield Finding(
            check="versions", status="ok", message="versioning is off: a save costs one blob"
        )
    else:
        yield Finding(
            check="versions",
            status="unknown",
            message="versioning shows on blobs, of which there are none yet",
        )


def _soft_delete(
    settings: dict[str, Any] | StateBucketError,
    blobs: list[BlobProperties] | StateBucketError,
    update: str,
) -> Finding:
    remedy = terraform("soft_delete_days = 0", command=f"{update} --enable-delete-retention false")
    kept = "keeps what was replaced or deleted, every save of a snapshot included"
    if not isinstance(settings, StateBucketError):
        policy = settings["delete_retention_policy"]
        if not policy.enabled:
            return Finding(check="versions", status="ok", message="soft delete is off")
        message = f"soft delete {kept}, for {policy.days} days, and bills it"
        return Finding(check="versions", status="note", message=message, remedy=remedy)
    if not isinstance(blobs, StateBucketError) and any(blob.deleted for blob in blobs):
        message = f"soft delete is on: it {kept}, and bills it"
        return Finding(check="versions", status="note", message=message, remedy=remedy)
    return Finding(
        check="versions", status="unknown", message="whether soft delete is on does not show"
    )


def _account(account: dict[str, Any] | StateBucketError, *, tags: bool) -> Iterator[Finding]:
    if isinstance(account, StateBucketError):
        return
    kind, sku = account.get("account_kind"), account.get("sku_name")
    if account.get("is_hns_enabled") and tags:
        yield Finding(
            check="account",
            status="fault",
            message="the account has a hierarchical namespace, which takes no index tags: no save "
            "with a TTL succeeds",
            remedy=Remedy(
                advice="put ttl_tags=false into the URL, and run this", command="statebucket sweep"
            ),
        )
    elif kind == "Storage":
        yield Finding(
            check="account",
            status="warning",
            message="the account is of kind Storage (v1), without index tags and lifecycle rules",
            remedy=terraform(),
        )
    else:
        yield Finding(check="account", status="ok", message=f"{kind}, {sku}")


def _container(described: Any, container: str, account: str) -> Iterator[Finding]:  # noqa: ANN401
    if isinstance(described, StateBucketError):
        return
    held = (
        (described.has_legal_hold, "a legal hold", "legal-hold clear --tags …"),
        (described.has_immutability_policy, "an immutability policy", "immutability-policy delete"),
    )
    for there, what, command in held:
        if there:
            yield Finding(
                check="retention",
                status="fault",
                message=f"{what} of the container refuses each save and removal of what is there",
                remedy=Remedy(
                    command=f"az storage container {command} {account} --container-name {container}"
                ),
            )
    if described.public_access:
        yield Finding(
            check="public",
            status="warning",
            message=f"anybody may read the container ({described.public_access})",
            remedy=Remedy(
                command=f"az storage container set-permission {account} --name {container} "
                "--public-access off"
            ),
        )
    else:
        yield Finding(check="public", status="ok", message="the container is private")


def _tier(blobs: list[BlobProperties] | StateBucketError, account: str) -> Iterator[Finding]:
    if isinstance(blobs, StateBucketError):
        return
    tiers = sorted({str(tier) for blob in blobs if (tier := blob.blob_tier) in _COOL})
    if tiers:
        yield Finding(
            check="place",
            status="warning",
            message=f"blobs are in the tier {', '.join(tiers)}: each save is billed for a minimum "
            "of 30 days or more, each load for retrieval",
            remedy=Remedy(
                command="az storage account update "
                f"{account.replace('--account-name', '--name')} --access-tier Hot"
            ),
        )

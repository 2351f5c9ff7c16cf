"""What Azure's API says about a container and the caller, for ``statebucket doctor``.

Settings belong to the storage account and its management plane. Those that show through the blobs'
own API are checked; the findings say which ones cannot be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from statebucket.errors import StateBucketError
from statebucket.port.clock import clock_finding
from statebucket.port.findings import Finding
from statebucket.port.remedies import Remedy
from statebucket_azure.remedies import REMEDIES, terraform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOKED_AT = 100
"""How many blobs are looked at."""

_UNTAGGED = {"Storage", "BlobStorage"}
"""Kinds of accounts that have no index tags."""

_COOL = {"Cool", "Cold", "Archive"}


class Account(NamedTuple):
    """What ``Get Account Information`` says.

    Attributes:
        kind: The account's kind.
        sku: Its kind of redundancy.
        hierarchical: Whether it has a hierarchical namespace.
    """

    kind: str | None
    sku: str | None
    hierarchical: bool


class Container(NamedTuple):
    """What ``Get Container Properties`` says.

    Attributes:
        legal_hold: Whether there is a legal hold.
        immutable: Whether there is an immutability policy.
        public: What anyone may read; empty for nothing.
    """

    legal_hold: bool
    immutable: bool
    public: str


class Blob(NamedTuple):
    """What a listing with versions and deleted blobs says about a blob.

    Attributes:
        version: Its version's id; empty without versions.
        deleted: Whether it is kept by soft delete only.
        tier: Its access tier.
    """

    version: str
    deleted: bool
    tier: str


class Replies(NamedTuple):
    """The answers to all requests, or why there is none.

    Attributes:
        account: The account.
        kept_days: The days that soft delete keeps deleted blobs; None if it is off.
        container: The container.
        listed: Whether the account's containers were listed: True, or the error.
        blobs: Some blobs below the store's prefix.
        date: The ``Date`` header of a reply; None if it had none.
    """

    account: Account | StateBucketError
    kept_days: int | StateBucketError | None
    container: Container | StateBucketError
    listed: bool | StateBucketError
    blobs: Sequence[Blob] | StateBucketError
    date: str | None


def findings_of(
    account: str, container: str, replies: Replies, *, tags: bool, may_all: bool
) -> list[Finding]:
    """Rights, versions, soft delete, access and the clock.

    Args:
        account: The account's name.
        container: The container's.
        replies: The answers about them.
        tags: Whether the store writes index tags.
        may_all: Whether the caller is known to have all rights.
    """
    name = f"--account-name {account}"
    update = f"az storage account blob-service-properties update {name}"
    found = [] if may_all else list(_excess(replies))
    found += _versions(replies.blobs, update)
    found.append(_soft_delete(replies.kept_days, replies.blobs, update))
    found += _account(replies.account, tags=tags)
    found += _container(replies.container, container, name)
    found += _tier(replies.blobs, name)
    hidden = {
        "account kind": replies.account,
        "soft delete": replies.kept_days,
        "public access and immutability": replies.container,
        "versions": replies.blobs,
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
    return [*found, clock_finding(replies.date)]


def _excess(replies: Replies) -> Iterator[Finding]:
    """Rights that the store does not need, as far as reading shows them."""
    if not isinstance(replies.listed, StateBucketError):
        yield Finding(
            check="rights",
            status="warning",
            message="not needed: it can list the account's containers, as with a role on the "
            "account instead of the container",
            remedy=REMEDIES.rights,
        )
    if not isinstance(replies.kept_days, StateBucketError):
        yield Finding(
            check="rights",
            status="warning",
            message="not needed: it can read the settings of the account's blob service",
            remedy=REMEDIES.rights,
        )
    if not isinstance(replies.container, StateBucketError):
        yield Finding(
            check="rights",
            status="note",
            message="it can read the container's properties; the built-in roles that can and may "
            "write blobs may also delete the container, which the module's role may not",
            remedy=REMEDIES.rights,
        )


def _versions(blobs: Sequence[Blob] | StateBucketError, update: str) -> Iterator[Finding]:
    if isinstance(blobs, StateBucketError):
        return
    if any(blob.version for blob in blobs):
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
    kept_days: int | StateBucketError | None,
    blobs: Sequence[Blob] | StateBucketError,
    update: str,
) -> Finding:
    remedy = terraform("soft_delete_days = 0", command=f"{update} --enable-delete-retention false")
    kept = "keeps what was replaced or deleted, every save of a snapshot included"
    if not isinstance(kept_days, StateBucketError):
        if kept_days is None:
            return Finding(check="versions", status="ok", message="soft delete is off")
        message = f"soft delete {kept}, for {kept_days} days, and bills it"
        return Finding(check="versions", status="note", message=message, remedy=remedy)
    if not isinstance(blobs, StateBucketError) and any(blob.deleted for blob in blobs):
        message = f"soft delete is on: it {kept}, and bills it"
        return Finding(check="versions", status="note", message=message, remedy=remedy)
    return Finding(
        check="versions", status="unknown", message="whether soft delete is on does not show"
    )


def _account(account: Account | StateBucketError, *, tags: bool) -> Iterator[Finding]:
    if isinstance(account, StateBucketError):
        return
    has = "has a hierarchical namespace" if account.hierarchical else f"is of kind {account.kind}"
    if tags and (account.hierarchical or account.kind in _UNTAGGED):
        yield Finding(
            check="account",
            status="fault",
            message=f"the account {has} and takes no index tags: no save with a TTL succeeds",
            remedy=Remedy(
                advice="put ttl_tags=false into the URL, and run this", command="statebucket sweep"
            ),
        )
    elif account.kind == "Storage":
        yield Finding(
            check="account",
            status="warning",
            message="the account is of kind Storage (v1), without lifecycle rules",
            remedy=terraform(),
        )
    else:
        yield Finding(check="account", status="ok", message=f"{account.kind}, {account.sku}")


def _container(
    described: Container | StateBucketError, container: str, account: str
) -> Iterator[Finding]:
    if isinstance(described, StateBucketError):
        return
    held = (
        (described.legal_hold, "a legal hold", "legal-hold clear --tags …"),
        (described.immutable, "an immutability policy", "immutability-policy delete"),
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
    if described.public:
        yield Finding(
            check="public",
            status="warning",
            message=f"anyone may read the container ({described.public})",
            remedy=Remedy(
                command=f"az storage container set-permission {account} --name {container} "
                "--public-access off"
            ),
        )
    else:
        yield Finding(check="public", status="ok", message="the container is private")


def _tier(blobs: Sequence[Blob] | StateBucketError, account: str) -> Iterator[Finding]:
    if isinstance(blobs, StateBucketError):
        return
    tiers = sorted({blob.tier for blob in blobs if blob.tier in _COOL})
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

"""Counting what a store, or a part of it, holds, by listings alone."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from statebucket.admin.holdings import OPERATION, Holdings
from statebucket.admin.opened import context_of
from statebucket.contract.callbacks import called, check_progress
from statebucket.contract.reports import Brief, earlier
from statebucket.store.extent import Extent
from statebucket.store.reported import opened_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from statebucket.contract.partition import Partition
    from statebucket.contract.state_store import StateStore
    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.layout import Kind, Place


class Inventory(Brief, msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds, including expired objects that are not removed yet.

    Attributes:
        listed: Objects seen so far, written by statebucket or not.
        tenants: What each tenant has, by its id.
        shared: Keys that were set without a tenant.
        owners: Owner records; None if one tenant was counted. A tenant's records are spread over
            the whole index, so only a count of the store reads them.
        foreign: Objects outside the folders of tenants and shared keys, written by other programs.
        as_of: When the inventory report was taken that they were counted in; None if the store
            was listed.
    """

    listed: int = 0
    tenants: dict[str, Holdings] = {}
    shared: Holdings = Holdings(name="")
    owners: int | None = 0
    foreign: int = 0
    as_of: datetime | None = None

    @property
    def objects(self) -> int:
        """How many objects of ours these are, owner records included if they were counted."""
        held = sum(one.objects for one in self.tenants.values()) + self.shared.objects
        return held + (self.owners or 0)

    def __add__(self, other: Inventory) -> Inventory:
        tenants = dict(self.tenants)
        for name, more in other.tenants.items():
            tenants[name] = tenants[name] + more if name in tenants else more
        return Inventory(
            listed=self.listed + other.listed,
            tenants=tenants,
            shared=self.shared + other.shared,
            owners=None
            if self.owners is None or other.owners is None
            else self.owners + other.owners,
            foreign=self.foreign + other.foreign,
            as_of=earlier(self.as_of, other.as_of),
        )


async def inventory(
    store: StateStore,
    *,
    tenant: str | None = None,
    partition: Partition | None = None,
    report: str | None = None,
    progress: Callable[[Inventory], None] | None = None,
) -> Inventory:
    """Counts what a store holds: 1 request per 1,000 objects.

    Memory grows with the number of tenants only.

    By an inventory report it is 2 requests for the manifest, and for each file 1 and 1 for each
    4 MiB.

    Args:
        store: The store, or a tenant's view of it.
        tenant: Count what this tenant has, except its owner records.
        partition: Count only what lies in this part, as ``store.partitions(…)`` returns it. The
            results of several parts add up.
        report: Count what the inventory report names whose manifest has this address, instead of
            listing the store; see `StateStore.sweep`. What was written since is not counted.
        progress: Called after each page, with only ``listed`` set.

    Raises:
        InvalidArgument: It is not a store from `statebucket.open_store`, or not a partition.
        InvalidReport: The report is of another bucket, without a column that is needed, or altered.
        TenantMismatch: The store is bound to another tenant.
        StateBucketError: The store could not be reached, or refused the call.
    """
    context = context_of(store)
    check_progress(progress)
    counts = _Counts()
    extent = Extent.of(context, tenant, partition, reported=True)
    as_of: datetime | None = None

    def count(page: list[ObjectInfo]) -> None:
        places = map(context.layout.parse, [info.name for info in page])
        counts.add(zip(places, [info.size for info in page], strict=True))
        counts.listed += len(page)
        if progress is not None:
            called("inventory: progress", progress, Inventory(listed=counts.listed))

    if report is None and (partition is None or partition.report is None):
        for piece in extent.pieces():
            async with aclosing(piece.pages(context.objects, OPERATION, context.deadline)) as pages:
                async for page in pages:
                    count(page)
    else:
        async with opened_part(context, OPERATION, report, partition) as (reported, part):
            as_of = reported.taken_at
            async with aclosing(reported.pages(part, extent.folders)) as pages:
                async for page in pages:
                    count(page)
    found = counts.inventory(as_of)
    return found if extent.tenant_id is None else msgspec.structs.replace(found, owners=None)


class _Counts:
    """What was counted so far.

    Attributes:
        listed: Objects seen.
    """

    def __init__(self) -> None:
        self.listed = 0
        self._foreign = 0
        self._counts: dict[tuple[Kind, str | None], list[int]] = {}  # a number and their bytes

    def add(self, found: Iterable[tuple[Place | None, int]]) -> None:
        """Counts objects: what each is, and its size."""
        counts = self._counts
        for place, size in found:
            if place is None:
                self._foreign += 1
                continue
            kind = (place.kind, place.tenant)
            counted = counts.get(kind)
            if counted is None:
                counted = counts[kind] = [0, 0]
            counted[0] += 1
            counted[1] += size

    def inventory(self, as_of: datetime | None) -> Inventory:
        """All of it."""
        owners = sum(number for (kind, _), (number, _) in self._counts.items() if kind == "owner")
        found = dict.fromkeys(name for kind, name in self._counts if kind != "owner")
        return Inventory(
            listed=self.listed,
            tenants={name: self._holdings(name) for name in found if name is not None},
            shared=self._holdings(None),
            owners=owners,
            foreign=self._foreign,
            as_of=as_of,
        )

    def _holdings(self, name: str | None) -> Holdings:
        kinds: tuple[Kind, ...] = ("snapshot", "key", "lease")
        counted = [self._counts.get((kind, name), [0, 0]) for kind in kinds]
        (snapshots, keys, leases), sizes = zip(*counted, strict=True)
        return Holdings(
            name=name or "", snapshots=snapshots, keys=keys, leases=leases, bytes=sum(sizes)
        )

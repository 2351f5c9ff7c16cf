"""Counting what is in a bucket, by listing prefixes alone, and removing what was counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from statebucket.admin.opened import context_of
from statebucket.store.removal import Remover
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.contract.reports import DeletionReport
    from statebucket.contract.state_store import StateStore
    from statebucket.store.context import StoreContext

OPERATION = "inventory"


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored for one tenant, execution or scope.

    Attributes:
        name: The tenant or execution.
        snapshots: Snapshots, including expired ones that are not removed yet; the same for the
            others.
        keys: Keys.
        leases: Lease records.
        bytes: The stored size of all of them.
        foreign: Objects in the same place that statebucket does not write, and never removes.
    """

    name: str
    snapshots: int = 0
    keys: int = 0
    leases: int = 0
    bytes: int = 0
    foreign: int = 0

    @property
    def objects(self) -> int:
        """How many objects of ours these are."""
        return self.snapshots + self.keys + self.leases

    def __add__(self, other: Holdings) -> Holdings:
        return Holdings(
            name=self.name,
            snapshots=self.snapshots + other.snapshots,
            keys=self.keys + other.keys,
            leases=self.leases + other.leases,
            bytes=self.bytes + other.bytes,
            foreign=self.foreign + other.foreign,
        )


def keeps_owner_records(store: StateStore) -> bool:
    """Whether a store keeps owner records, and keys without a tenant: 0 requests."""
    return context_of(store).owners is not None


def lists_expiry(store: StateStore) -> bool:
    """Whether a store's listings show when objects expire: 0 requests."""
    return context_of(store).objects.bucket.limits.lists_metadata


async def recorded_owner(store: StateStore, execution_id: str) -> str | None:
    """The tenant that has an owner record of an execution, even an expired one: 1 request.

    None if there is no record, or the store has none. A tenant's view sees only that tenant's.

    Raises:
        AmbiguousExecution: The store is bound to no tenant, and several have the execution.
    """
    context = context_of(store)
    if context.owners is None:
        return None
    call = context.call(OPERATION)
    if context.tenant is None:
        return await context.owners.tenant_of(call, execution_id)
    name = context.layout.owner(execution_id, context.tenant)
    found = await context.objects.look(call, name)
    return None if found is None else context.tenant


async def has_state(store: StateStore, tenant_id: str) -> bool:
    """Whether a tenant has anything: 1 request."""
    context = context_of(store)
    context.check_tenant(tenant_id)
    prefix = context.layout.tenant(tenant_id)
    async for page in context.objects.all_pages(OPERATION, prefix, context.deadline):
        if any(context.layout.parse(info.name) is not None for info in page):
            return True
    return False


async def of_tenant(store: StateStore, tenant_id: str) -> Holdings:
    """Counts what a tenant has: 1 request per 1,000 objects, and 1 where there are none."""
    context = context_of(store)
    context.check_tenant(tenant_id)
    return await _count(context, context.layout.tenant(tenant_id), tenant_id)


async def of_shared(store: StateStore) -> Holdings:
    """Counts the keys that were set without a tenant: 1 request per 1,000 objects."""
    context = context_of(store)
    return await _count(context, context.layout.shared, "")


async def of_tenants(store: StateStore, tenants: list[str]) -> list[Holdings]:
    """Counts what each of several tenants has, in their order: at least 1 request each."""

    async def one(tenant_id: str) -> Holdings:
        return await of_tenant(store, tenant_id)

    return await in_order(one, tenants)


async def of_execution(store: StateStore, execution_id: str, tenant_id: str | None) -> Holdings:
    """Counts what an execution has, as ``delete_execution_state`` would find it.

    Args:
        store: The store, or a tenant's view of it.
        execution_id: The execution.
        tenant_id: The tenant that owns it; None if no tenant does.
    """
    context = context_of(store)
    layout = context.layout
    snapshots = size = 0
    if tenant_id is not None:
        name = layout.snapshot(tenant_id, execution_id)
        info = await context.objects.look(context.call(OPERATION), name)
        if info is not None:
            snapshots, size = 1, info.size
    below = [
        await _count(context, layout.execution(scope, execution_id), execution_id)
        for scope in _scopes(context, tenant_id)
    ]
    return Holdings(
        name=execution_id,
        snapshots=snapshots,
        keys=sum(one.keys for one in below),
        bytes=size + sum(one.bytes for one in below),
        foreign=sum(one.foreign for one in below),
    )


async def remove_execution(
    store: StateStore,
    execution_id: str,
    tenant_id: str | None,
    progress: Callable[[DeletionReport], None],
) -> DeletionReport:
    """Removes what `of_execution` counts, as ``delete_execution_state`` does.

    `delete_execution_state` would look up the tenant again, and remove the execution of another
    tenant that has come to have the same id since the user was asked.

    Args:
        store: The store, or a tenant's view of it.
        execution_id: The execution.
        tenant_id: The execution's tenant; None for the keys that were set without a tenant.
        progress: Called with what was removed so far, after each batch.

    Raises:
        StateBucketError: See `StateStore.delete_execution_state`.
    """
    context = context_of(store)
    remover = Remover(context, "delete_execution_state", progress=progress)
    return await remover.execution(execution_id, tenant_id, _scopes(context, tenant_id))


def _scopes(context: StoreContext, tenant_id: str | None) -> list[str | None]:
    """The scopes of an execution's keys: its tenant's, and on the store the shared one."""
    return [tenant_id] if tenant_id is None or context.tenant is not None else [tenant_id, None]


async def _count(context: StoreContext, prefix: str, name: str) -> Holdings:
    """Counts what is below a prefix."""
    kinds: Counter[str] = Counter()
    size = 0
    async for page in context.objects.all_pages(OPERATION, prefix, context.deadline):
        for info in page:
            place = context.layout.parse(info.name)
            kinds["foreign" if place is None else place.kind] += 1
            size += 0 if place is None else info.size
    return Holdings(
        name=name,
        snapshots=kinds["snapshot"],
        keys=kinds["key"],
        leases=kinds["lease"],
        bytes=size,
        foreign=kinds["foreign"],
    )

"""Counting what is in a bucket, by prefix listings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.store.retry import Call
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from statebucket.store.context import Parts

OPERATION = "inventory"


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored for one tenant, execution or scope.

    Attributes:
        name: The tenant or execution.
        snapshots: Snapshots, expired ones that are still there included; so are the others.
        keys: Keys.
        leases: Lease records.
        bytes: The stored size of all of them.
    """

    name: str
    snapshots: int = 0
    keys: int = 0
    leases: int = 0
    bytes: int = 0

    @property
    def objects(self) -> int:
        """How many objects these are."""
        return self.snapshots + self.keys + self.leases


async def of_tenant(parts: Parts, tenant_id: str) -> Holdings:
    """Counts what a tenant has: 1 request per 1,000 objects, and 1 where there are none."""
    return await of_prefix(parts, parts.names.tenant(tenant_id), tenant_id)


async def of_prefix(parts: Parts, prefix: str, name: str = "") -> Holdings:
    """Counts what is below a scope's prefix: 1 request per 1,000 objects."""
    kinds = {"snapshots": 0, "keys": 0, "leases": 0}
    size = 0
    async for page in parts.objects.all_pages(OPERATION, prefix, parts.seconds):
        for info in page:
            kind = info.name[len(prefix) :].partition("/")[0]
            kinds[kind if kind in kinds else "keys"] += 1
            size += info.size
    return Holdings(name=name, bytes=size, **kinds)


async def of_tenants(parts: Parts, tenants: list[str]) -> list[Holdings]:
    """Counts what each of several tenants has, in their order: at least 1 request each."""

    async def one(tenant_id: str) -> Holdings:
        return await of_tenant(parts, tenant_id)

    return await in_order(one, tenants)


async def of_execution(parts: Parts, execution_id: str, tenant_id: str | None) -> Holdings:
    """Counts what an execution has, as ``delete_execution_state`` would find it.

    Args:
        parts: The store's.
        execution_id: The execution.
        tenant_id: The tenant that owns it; None where no one does.
    """
    objects, names = parts.objects, parts.names
    scopes: list[str | None] = [tenant_id]
    if parts.tenant is None and tenant_id is not None:
        scopes.append(None)
    snapshots = keys = size = 0
    if tenant_id is not None:
        call = Call(OPERATION, parts.seconds)
        info = await objects.look(call, names.snapshot(tenant_id, execution_id))
        if info is not None:
            snapshots, size = 1, info.size
    for scope in scopes:
        prefix = names.execution(scope, execution_id)
        async for page in objects.all_pages(OPERATION, prefix, parts.seconds):
            keys += len(page)
            size += sum(info.size for info in page)
    return Holdings(name=execution_id, snapshots=snapshots, keys=keys, bytes=size)

"""The calls of a store that list what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.errors import InvalidArgument
from statebucket.store.base import ContextStore
from statebucket.store.objects import PAGE
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Listings(ContextStore):
    """The listings."""

    async def list_snapshots(
        self, tenant_id: TenantId | str, limit: int = PAGE
    ) -> list[ExecutionId]:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise InvalidArgument(f"limit must be a whole number, 0 or more: {limit!r}")
        found: list[ExecutionId] = []
        prefix = self._snapshot_prefix(tenant_id)
        if limit == 0:
            return found
        pages = self._objects.pages(
            "list_snapshots", prefix, self.context.deadline, limit=min(limit, PAGE)
        )
        async for page in pages:
            found += [id_ for info in page if (id_ := self._execution(info.name)) is not None]
            if len(found) >= limit:
                break
        return found[:limit]

    async def iter_snapshots(
        self, tenant_id: TenantId | str, *, live: bool = False
    ) -> AsyncIterator[ExecutionId]:
        prefix = self._snapshot_prefix(tenant_id)
        async for page in self._objects.pages("iter_snapshots", prefix, self.context.deadline):
            names = [info.name for info in page]
            if live and not self._objects.bucket.limits.lists_metadata:
                alive = await in_order(self._alive, names)
                names = [name for name, there in zip(names, alive, strict=True) if there]
            for name in names:
                execution_id = self._execution(name)
                if execution_id is not None:
                    yield execution_id

    async def _alive(self, name: str) -> bool:
        return await self._objects.head(self.context.call("iter_snapshots"), name) is not None

    async def iter_keys(self, execution_id: ExecutionId | str | None = None) -> AsyncIterator[str]:
        self.context.check_scope("iter_keys")
        if execution_id is None:
            prefix = self._layout.keys(self._tenant)
        else:
            prefix = self._layout.execution(self._tenant, execution_id)
        async for page in self._objects.pages("iter_keys", prefix, self.context.deadline):
            for info in page:
                place = self._layout.parse(info.name)
                if place is not None:
                    yield place.public_key

    async def iter_tenants(self) -> AsyncIterator[TenantId]:
        if self._tenant is not None:
            own = self._layout.tenant(self._tenant)
            async for page in self._objects.all_pages(
                "iter_tenants", own, self.context.deadline, limit=1
            ):
                if page:
                    yield TenantId(self._tenant)
                    return
            return
        prefix = self._layout.tenants
        async for found in self._objects.prefixes("iter_tenants", prefix, self.context.deadline):
            tenant_id = self._layout.tenant_of(found)
            if tenant_id is not None:
                yield TenantId(tenant_id)

    def _snapshot_prefix(self, tenant_id: str) -> str:
        prefix = self._layout.snapshots(tenant_id)
        self.context.check_tenant(tenant_id)
        return prefix

    def _execution(self, name: str) -> ExecutionId | None:
        """The execution whose snapshot this is; None for an object that no store wrote."""
        place = self._layout.parse(name)
        return None if place is None or place.execution is None else ExecutionId(place.execution)

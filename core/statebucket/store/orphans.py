"""Executions whose keys have outlived their snapshot: a sweep finds them and may remove them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from statebucket.errors import VersionConflict
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.context import StoreContext
    from statebucket.store.retry import Call

_AT_ONCE = 16


class Execution(NamedTuple):
    """An execution with keys: a tenant's, or with None the keys that were set without one."""

    tenant: str | None
    id: str


class OrphanFinder:
    """Looks for the snapshot of executions that have keys.

    Args:
        context: The store's.
        margin_ms: How long ago a key must have been written, and a snapshot have expired.
        dry_run: Only count it.
        count: Adds to the sweep's report.
    """

    def __init__(
        self,
        context: StoreContext,
        *,
        margin_ms: int,
        dry_run: bool,
        count: Callable[..., None],
    ) -> None:
        self._context = context
        self._objects = context.objects
        self._layout = context.layout
        self._margin_ms = margin_ms
        self._dry_run = dry_run
        self._count = count

    async def examine(self, execution: Execution, *, removes: bool) -> None:
        """Counts an execution without a live snapshot, and removes its keys.

        1 request to find out; for keys set without a tenant 1, and 1 for each tenant. 2 lists to
        remove them, and 1 request for each key, at the version that was listed.

        Args:
            execution: The execution. For keys without a tenant, only its owner records say which
                tenants have it.
            removes: Whether to remove its keys.
        """
        if await self._has_live_snapshot(execution):
            return
        self._count(orphans=1)
        if not removes or not await self._all_old(execution):
            return
        async with aclosing(self._keys(execution)) as pages:
            async for page in pages:
                # Written again since it was listed: a worker is using the execution, and needs the
                # other keys too.
                if not all(map(self._is_old, page)) or not await self._remove(page):
                    return

    async def _has_live_snapshot(self, execution: Execution) -> bool:
        for tenant_id in await self._tenants(execution):
            name = self._layout.snapshot(tenant_id, execution.id)
            info = await self._objects.look(self._call(), name)
            # A snapshot that cannot be read exists all the same.
            if info is not None and not self._objects.surely_expired(info, self._margin_ms):
                return True
        return False

    async def _tenants(self, execution: Execution) -> list[str]:
        """The tenants that may have the execution's snapshot."""
        if execution.tenant is not None:
            return [execution.tenant]
        prefix = self._layout.owners_of(execution.id)
        return [
            place.tenant
            async for page in self._objects.all_pages("sweep", prefix, self._context.deadline)
            for info in page
            if (place := self._layout.parse(info.name)) is not None and place.tenant is not None
        ]

    async def _all_old(self, execution: Execution) -> bool:
        async with aclosing(self._keys(execution)) as pages:
            async for page in pages:
                if not all(map(self._is_old, page)):
                    return False
        return True

    async def _keys(self, execution: Execution) -> AsyncGenerator[list[ObjectInfo], None]:
        prefix = self._layout.execution(*execution)
        async for page in self._objects.all_pages("sweep", prefix, self._context.deadline):
            yield [info for info in page if self._layout.parse(info.name) is not None]

    async def _remove(self, page: list[ObjectInfo]) -> bool:
        """Removes keys; False if one has been written again."""
        raced = False

        async def one(info: ObjectInfo) -> None:
            nonlocal raced
            if raced:
                return
            if not self._dry_run:
                try:
                    existed = await self._objects.delete(
                        self._call(), info.name, info.version, expired=True
                    )
                except VersionConflict:
                    raced = True
                    self._count(raced=1)
                    return
                if existed is False:  # it was gone already
                    return
            self._count(orphan_keys=1, bytes=info.size)

        async with AtMost(_AT_ONCE) as tasks:
            for info in page:
                await tasks.start(one(info))
        return not raced

    def _is_old(self, info: ObjectInfo) -> bool:
        """Whether a key was written before the margin; False if its time is not known."""
        if info.modified_at is None:
            return False
        return info.modified_at.timestamp() * 1000 + self._margin_ms <= self._objects.now_ms()

    def _call(self) -> Call:
        return self._context.call("sweep")

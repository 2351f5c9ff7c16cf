"""One copy of tenants from one store to another; `statebucket.admin.copy` runs it.

Each object is read, written on condition of what was seen at the destination, and read back. An
execution is copied as one, with its keys that were set without a tenant: where the destination's
snapshot is newer, nothing of it is touched; else its keys are made those of the source, and the
snapshot follows last, so that a snapshot at the destination says that its keys are there; where a
key could not be copied, the snapshot waits. A key of no execution has nothing that tells older from
newer: one that differs stays as it is, unless the caller says otherwise.

What is there already and equal is not written again, so that an interrupted copy is gone on with by
running it again. Expiry is kept to the millisecond. Leases are not copied; their fences grow with
the clock in any store. What the source has deleted since an earlier copy stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.admin.copy_report import CopyReport
from statebucket.admin.object_copier import OPERATION, ObjectCopier
from statebucket.errors import (
    AmbiguousExecution,
    CorruptObject,
    InvalidKey,
    RequestRejected,
    StateBucketError,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statebucket.store.context import StoreContext
    from statebucket.store.layout import Place

_AT_ONCE = 16

# Any other error is the store's, not this object's: it ends the copy, to be gone on with later.
_OF_ONE_OBJECT = (
    AmbiguousExecution,
    CorruptObject,
    InvalidKey,
    RequestRejected,
    UnsupportedOperation,
    VersionConflict,
)


class Copier:
    """One copy.

    Args:
        source: What to copy from.
        target: Where to.
        replace_keys: Replace keys of no execution that differ.
        dry_run: Write nothing.
        total: Objects to copy, for the report.
        tenants: Tenants to copy, for the report.
        progress: Called after each object with what was done so far.
    """

    def __init__(
        self,
        source: StoreContext,
        target: StoreContext,
        *,
        replace_keys: bool,
        dry_run: bool,
        total: int,
        tenants: int,
        progress: Callable[[CopyReport], None] | None,
    ) -> None:
        self._source = source
        self._copier = ObjectCopier(source, target, dry_run=dry_run)
        self._replace_keys = replace_keys
        self._progress = progress
        self._failures: dict[str, str] = {}
        self._along: set[str] | None = None
        self._done: set[str] = set()  # executions whose keys without a tenant `tenant` copied
        self._report = CopyReport(total=total, tenants=tenants, failures=self._failures)

    @property
    def report(self) -> CopyReport:
        """What was done so far."""
        return self._report

    async def tenant(self, tenant_id: str) -> None:
        """Copies a tenant: its executions, with those of their keys that have no tenant; its keys.

        An execution's keys that were set without a tenant go with its snapshot.
        """
        self._at(tenant_id)
        layout = self._source.layout
        along = await self._shared_executions()
        async with AtMost(_AT_ONCE) as tasks:
            seen: set[str] = set()
            async for place in self._places(layout.snapshots(tenant_id)):
                if place.execution is None:
                    continue
                seen.add(place.execution)
                scopes: list[str | None] = [tenant_id]
                if place.execution in along:
                    scopes.append(None)
                await tasks.start(self._execution(place.execution, scopes, snapshot=place))
            self._done |= seen & along
            # Executions that have keys, but no snapshot (yet, or any more).
            async for execution_id in self._executions(tenant_id):
                if execution_id not in seen:
                    await tasks.start(self._execution(execution_id, [tenant_id]))
        await self._keys(tenant_id)

    async def shared(self) -> None:
        """Copies the keys that were set without a tenant, but for those that `tenant` copied."""
        if self._source.owners is None:
            return
        self._at(None)
        async with AtMost(_AT_ONCE) as tasks:
            for execution_id in sorted(await self._shared_executions() - self._done):
                await tasks.start(self._execution(execution_id, [None]))
        await self._keys(None)

    async def _shared_executions(self) -> set[str]:
        """The executions that have keys without a tenant; listed once."""
        if self._along is None:
            self._along = set()
            if self._source.owners is not None:
                self._along = {execution_id async for execution_id in self._executions(None)}
        return self._along

    async def _executions(self, tenant_id: str | None) -> AsyncIterator[str]:
        """The executions that have keys in a scope."""
        source = self._source
        prefix = source.layout.executions(tenant_id)
        async for found in source.objects.prefixes(OPERATION, prefix, source.deadline):
            execution_id = source.layout.execution_of(tenant_id, found)
            if execution_id is not None:
                yield execution_id

    async def _keys(self, tenant_id: str | None) -> None:
        """Copies a scope's keys that belong to no execution."""
        async with AtMost(_AT_ONCE) as tasks:
            async for place in self._places(self._source.layout.keys(tenant_id)):
                await tasks.start(self._one(place, replace=self._replace_keys))

    async def _execution(
        self, execution_id: str, scopes: list[str | None], *, snapshot: Place | None = None
    ) -> None:
        """Copies an execution.

        Args:
            execution_id: The execution.
            scopes: The tenants (None: no tenant) whose keys of the execution to copy.
            snapshot: Its snapshot, where there is one.
        """
        whole = True
        stay: dict[str, int] | None = None

        async def key(place: Place) -> None:
            nonlocal whole
            if not await self._one(place, replace=True):
                whole = False

        async with AtMost(_AT_ONCE) as tasks:
            for scope in scopes:
                prefix = self._source.layout.execution(scope, execution_id)
                async for place in self._places(prefix):
                    if stay is None:
                        stay = await self._staying(execution_id, scopes[0])
                        whole = "failed" not in stay
                    if stay:
                        self._count(seen=1, **stay)
                    else:
                        await tasks.start(key(place))
        if snapshot is None:
            return
        if whole:
            await self._one(snapshot, replace=True)
        else:
            # The snapshot says that its keys are there.
            self._count(seen=1, failed=1)

    async def _staying(self, execution_id: str, tenant_id: str | None) -> dict[str, int]:
        """What each key of an execution counts as that is not to be copied; nothing else."""
        try:
            ahead = await self._copier.is_ahead(execution_id, tenant_id)
        except _OF_ONE_OBJECT as error:
            layout = self._source.layout
            if tenant_id is None:
                blamed = layout.execution(None, execution_id)
            else:
                blamed = layout.snapshot(tenant_id, execution_id)
            self._failures[blamed] = _described(error)
            return {"failed": 1}
        return {"newer": 1} if ahead else {}

    async def _one(self, place: Place, *, replace: bool) -> bool:
        """Copies one object, and returns whether nothing went wrong."""
        try:
            result = await self._copier.copy(place, replace=replace)
        except _OF_ONE_OBJECT as error:
            self._failures[self._source.layout.name(place)] = _described(error)
            self._count(seen=1, failed=1)
            return False
        self._count(seen=1, **result)
        return True

    async def _places(self, prefix: str) -> AsyncIterator[Place]:
        """The places of the objects of ours below a prefix of the source."""
        source = self._source
        async for page in source.objects.pages(OPERATION, prefix, source.deadline):
            for info in page:
                place = source.layout.parse(info.name)
                if place is not None:
                    yield place

    def _count(self, **more: int) -> None:
        # No await between reading and writing: many tasks count at once.
        numbers = {name: getattr(self._report, name) + number for name, number in more.items()}
        self._set(**numbers)

    def _at(self, tenant_id: str | None) -> None:
        self._set(tenant=tenant_id)

    def _set(self, **fields: int | str | None) -> None:
        self._report = msgspec.structs.replace(self._report, **fields)
        if self._progress is not None:
            self._progress(self._report)


def _described(error: StateBucketError) -> str:
    return f"{type(error).__name__}: {error}"

"""One copy of tenants from one store to another; `statebucket.admin.copy` runs it.

Each object is read, written on the condition that the destination has not changed, and read back.
An execution is copied as a whole. If the destination's snapshot is newer, nothing of it is touched.
Otherwise its keys are made equal to the source's, and the snapshot is copied last, as it was before
its keys were listed: a snapshot at the destination implies that its keys are complete, even if the
source goes on. If a key could not be copied, the snapshot is not. Its keys that were set without a
tenant go with the first of its tenants, unless any tenant's snapshot of it is newer at the
destination. For a key of no execution there is no way to tell which side is newer: if it differs it
stays as it is, unless the caller says otherwise.

What is equal at the destination is not written again, so running an interrupted copy again
continues it. Expiry is kept to the millisecond. Leases are not copied; their fences grow with the
clock in any store. What the source has deleted since an earlier copy stays.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from statebucket.admin.copy_report import CopyReport
from statebucket.admin.object_copier import OPERATION, ObjectCopier
from statebucket.contract.callbacks import called
from statebucket.errors import (
    CorruptObject,
    InvalidKey,
    OutOfSpace,
    RequestRejected,
    StateBucketError,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.store.failures import MAX_SAMPLE, Streak
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

    from statebucket.store.context import StoreContext
    from statebucket.store.envelope import Found
    from statebucket.store.layout import Place

_AT_ONCE = 16

# Any other error concerns the store, not this object: it ends the copy, which can be continued
# later, and so does OutOfSpace. A transient one may concern either, see `Streak`.
_OF_ONE_OBJECT = (
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
        target: Where to copy to.
        replace_keys: Replace keys of no execution that differ.
        dry_run: Write nothing.
        total: Objects to copy, for the report.
        tenants: The tenants that are copied; None for all.
        progress: Called after each object with what was done so far.
        in_part: Whether tenants are counted as they are found.
    """

    def __init__(
        self,
        source: StoreContext,
        target: StoreContext,
        *,
        replace_keys: bool,
        dry_run: bool,
        total: int,
        tenants: Collection[str] | None,
        progress: Callable[[CopyReport], None] | None,
        in_part: bool = False,
    ) -> None:
        self._source = source
        self._copier = ObjectCopier(source, target, tenants=tenants, dry_run=dry_run)
        self._replace_keys = replace_keys
        self._progress = progress
        self._failures: dict[str, str] = {}
        self._streak = Streak()
        self._along: set[str] | None = None
        # For executions whose keys without a tenant were copied: whether that went well.
        self._done: dict[str, bool] = {}
        self._met: set[str] = set()
        self._report = CopyReport(
            total=total,
            tenants=0 if in_part else len(tenants or ()),
            failures=self._failures,
            names=self._met,
        )

    @property
    def report(self) -> CopyReport:
        """The report so far."""
        return self._report

    def meet(self, tenant_id: str | None) -> None:
        """Records that a tenant has something in the part."""
        if tenant_id is not None and tenant_id not in self._met:
            self._met.add(tenant_id)
            self._set(tenants=len(self._met))

    async def tenant(self, tenant_id: str) -> None:
        """Copies a tenant: its executions, with those of their keys that have no tenant; its keys.

        An execution's keys that were set without a tenant go with its snapshot.
        """
        self._at(tenant_id)
        layout = self._source.layout
        along = await self._shared_executions()
        async with AtMost(_AT_ONCE) as tasks:
            seen: set[str] = set()
            async with aclosing(self._places(layout.snapshots(tenant_id))) as places:
                async for place in places:
                    if place.execution is None:
                        continue
                    seen.add(place.execution)
                    shared = place.execution in along
                    await tasks.start(self._execution(tenant_id, place, shared=shared))
            # Executions that have keys, but no snapshot (not yet, or no longer).
            async with aclosing(self._executions(tenant_id)) as executions:
                async for execution_id in executions:
                    if execution_id not in seen:
                        await tasks.start(self.keys_of(execution_id, tenant_id))
        await self._keys(tenant_id)

    async def shared(self) -> None:
        """Copies the keys that were set without a tenant, except those that `tenant` copied."""
        if self._source.owners is None:
            return
        self._at(None)
        async with AtMost(_AT_ONCE) as tasks:
            for execution_id in sorted(await self._shared_executions() - self._done.keys()):
                await tasks.start(self.keys_of(execution_id, None))
        await self._keys(None)

    async def _shared_executions(self) -> set[str]:
        """The executions that have keys without a tenant; listed once."""
        if self._along is None:
            self._along = set()
            if self._source.owners is not None:
                self._along = {execution_id async for execution_id in self._executions(None)}
        return self._along

    async def _executions(self, tenant_id: str | None) -> AsyncGenerator[str, None]:
        """The executions that have keys in a scope."""
        source = self._source
        prefix = source.layout.executions(tenant_id)
        async for found in source.objects.prefixes(OPERATION, prefix, source.deadline):
            execution_id = source.layout.execution_of(tenant_id, found)
            if execution_id is not None:
                yield execution_id

    async def _keys(self, tenant_id: str | None) -> None:
        """Copies a scope's keys that belong to no execution."""
        places = self._places(self._source.layout.keys(tenant_id))
        async with AtMost(_AT_ONCE) as tasks, aclosing(places):
            async for place in places:
                await tasks.start(self.key(place))

    async def _execution(self, tenant_id: str, snapshot: Place, *, shared: bool) -> None:
        """Copies an execution.

        Args:
            tenant_id: Its tenant.
            snapshot: Its snapshot.
            shared: Whether it has keys that were set without a tenant.
        """
        assert snapshot.execution is not None  # noqa: S101  (a snapshot is of one)
        execution_id = snapshot.execution

        async def keys() -> bool:
            whole = await self.keys_of(execution_id, tenant_id)
            if shared:
                if execution_id not in self._done:
                    self._done[execution_id] = await self.keys_of(execution_id, None)
                whole = self._done[execution_id] and whole
            return whole

        await self.execution(snapshot, keys)

    async def execution(self, snapshot: Place, keys: Callable[[], Awaitable[bool]]) -> None:
        """Copies a snapshot and, before it, its execution's keys, which it implies.

        The snapshot is read before its keys are listed. One that is saved while they are copied may
        have keys that the listing lacks.

        Args:
            snapshot: The snapshot.
            keys: Copies the keys, and returns whether nothing went wrong.
        """
        try:
            mine = await self._copier.read(snapshot)
        except StateBucketError as error:
            self._fail(self._source.layout.name(snapshot), error)
            await keys()
            self._count(seen=1, failed=1)
            return
        if not await keys():
            self._count(seen=1, failed=1)
        elif mine is None:
            self._count(seen=1, gone=1)
        else:
            await self._one(snapshot, replace=True, mine=mine)

    async def keys_of(
        self,
        execution_id: str,
        scope: str | None,
        *,
        counts: Callable[[], Awaitable[bool]] | None = None,
    ) -> bool:
        """Copies an execution's keys, and returns whether nothing went wrong.

        Args:
            execution_id: The execution.
            scope: The tenant whose keys of it to copy; None for those that were set without one.
            counts: Called if there are any, to decide whether they are counted; by default they
                are.
        """
        whole = counted = True
        stay: dict[str, int] | None = None

        async def key(place: Place) -> None:
            nonlocal whole
            if not await self._one(place, replace=True, counted=counted):
                whole = False

        places = self._places(self._source.layout.execution(scope, execution_id))
        async with AtMost(_AT_ONCE) as tasks, aclosing(places):
            async for place in places:
                if stay is None:
                    stay = await self._staying(execution_id, scope)
                    whole = "failed" not in stay
                    counted = counts is None or await counts()
                if stay and counted:
                    self._count(seen=1, **stay)
                elif not stay:
                    await tasks.start(key(place))
        return whole

    async def _staying(self, execution_id: str, scope: str | None) -> dict[str, int]:
        """Only counts each key of an execution that is not to be copied."""
        layout = self._source.layout
        try:
            if scope is None:
                blamed = layout.execution(None, execution_id)
                ahead = await self._copier.is_ahead_for_any(execution_id)
            else:
                blamed = layout.snapshot(scope, execution_id)
                ahead = await self._copier.is_ahead(execution_id, scope)
        except StateBucketError as error:
            self._fail(blamed, error)
            return {"failed": 1}
        return {"newer": 1} if ahead else {}

    async def key(self, place: Place) -> None:
        """Copies a key that belongs to no execution."""
        await self._one(place, replace=self._replace_keys)

    async def _one(
        self, place: Place, *, replace: bool, mine: Found | None = None, counted: bool = True
    ) -> bool:
        """Copies one object, and returns whether nothing went wrong."""
        try:
            result = await self._copier.copy(place, replace=replace, mine=mine)
        except StateBucketError as error:
            self._fail(self._source.layout.name(place), error)
            result, whole = {"failed": 1}, False
        else:
            self._streak.ends()
            whole = True
        if counted:
            self._count(seen=1, **result)
        return whole

    async def _places(self, prefix: str) -> AsyncGenerator[Place, None]:
        """The places of the objects of ours below a prefix of the source."""
        source = self._source
        async for page in source.objects.pages(OPERATION, prefix, source.deadline):
            for info in page:
                place = source.layout.parse(info.name)
                if place is not None:
                    yield place

    def _fail(self, name: str, error: StateBucketError) -> None:
        """Records the failure of one object; must be called where the error is handled.

        Raises:
            StateBucketError: The same error, if it concerns the store.
        """
        of_one = isinstance(error, _OF_ONE_OBJECT) and not isinstance(error, OutOfSpace)
        if not of_one and (not error.transient or self._streak.fails()):
            raise error
        if len(self._failures) < MAX_SAMPLE:
            self._failures[name] = f"{type(error).__name__}: {error}"

    def _count(self, **more: int) -> None:
        # No await between reading and writing: many tasks count at once.
        numbers = {name: getattr(self._report, name) + number for name, number in more.items()}
        self._set(**numbers)

    def _at(self, tenant_id: str | None) -> None:
        self._set(tenant=tenant_id)

    def _set(self, **fields: int | str | None) -> None:
        self._report = msgspec.structs.replace(self._report, **fields)
        if self._progress is not None:
            called("copy: progress", self._progress, self._report)

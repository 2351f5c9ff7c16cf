"""Removal of expired objects now, for TTLs below a day and services without lifecycle rules."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import msgspec

from statebucket.contract.callbacks import called, check_progress
from statebucket.contract.reports import SweepReport
from statebucket.errors import (
    CorruptObject,
    StateBucketError,
    SweepIncomplete,
    VersionConflict,
)
from statebucket.port.complete_types import complete
from statebucket.port.expiry import Expiry
from statebucket.store.envelope import expires_ms, is_kept
from statebucket.store.failures import Failures, Streak
from statebucket.store.orphans import Execution, OrphanFinder
from statebucket.store.owners import OwnerRecord
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.contract.partition import Partition
    from statebucket.contract.versions import Version
    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.context import StoreContext
    from statebucket.store.envelope import Found
    from statebucket.store.extent import Extent, Piece
    from statebucket.store.layout import Place
    from statebucket.store.owners import OwnerIndex
    from statebucket.store.reported import Reported
    from statebucket.store.retry import Call

T = TypeVar("T")

_AT_ONCE = 64


class Sweeper:
    """One sweep.

    Args:
        context: The store's.
        margin_ms: How long an object must have been expired, for clocks that differ.
        orphans: Remove the keys of executions without a live snapshot.
        dry_run: Remove and write nothing.
        progress: Called after each page with what was done so far.
    """

    def __init__(
        self,
        context: StoreContext,
        *,
        margin_ms: int,
        orphans: bool,
        dry_run: bool,
        progress: Callable[[SweepReport], None] | None,
    ) -> None:
        self._context = context
        self._objects = context.objects
        self._layout = context.layout
        self._owners = context.owners
        self._margin_ms = margin_ms
        self._dry_run = dry_run
        check_progress(progress)
        self._progress = progress
        self._of_caller: StateBucketError | None = None  # the error that ``progress`` raised
        self._report = SweepReport()
        self._failures = Failures()
        self._streak = Streak()
        self._stopped: StateBucketError | None = None  # the failure that ended the sweep
        self._reported: Reported | None = None  # the report that the names are from
        self._with_keys: set[Execution] = set()  # those whose snapshot has not been looked up yet
        self._kept: set[Execution] = set()  # those of them that are marked to be kept
        self._removes_orphans = orphans
        self._lost: set[str] = set()  # executions whose owner record was not written again
        self._records_hold = False  # whether every tenant's owner records were checked
        self._orphans = OrphanFinder(
            context, margin_ms=margin_ms, dry_run=dry_run, count=self._count
        )

    async def run(self, extent: Extent) -> SweepReport:
        """Sweeps one tenant, the whole store, or a part of either."""
        for piece in extent.pieces():
            # For keys without a tenant, only owner records say which tenants have the execution. If
            # another call sweeps (some of) the tenants, missing records may not be repaired yet.
            self._records_hold = extent.whole and not self._failures
            try:
                await self._piece(piece)
            except StateBucketError as error:
                if error is self._of_caller or not self._report.scanned:
                    raise  # nothing was done: this error says it all
                if error is not self._stopped:
                    self._failures.add(error.object_name or piece.folder, error)
                break
        return self._concluded()

    async def run_reported(
        self, reported: Reported, partition: Partition, folders: Sequence[str]
    ) -> SweepReport:
        """Sweeps what an inventory report names, or a part of it.

        What a report says is old: nothing is done to an object that was not looked at. It does not
        say which keys an execution has now, so that there is no looking for orphans.

        Args:
            reported: The report.
            partition: The part.
            folders: What the names of objects begin with that are the store's, or the tenant's.
        """
        self._reported = reported
        self._report = SweepReport(as_of=reported.taken_at)
        owners = self._layout.owners
        try:
            # Owner records come last, as in a listing: whether an execution has anything left is
            # known once that was swept.
            async with aclosing(reported.pages(partition, folders, last=owners)) as pages:
                async for page in pages:
                    await self._judge_all(page)
                    self._report_progress()
        except StateBucketError as error:
            if error is self._of_caller or not self._report.scanned:
                raise
            if error is not self._stopped:
                self._failures.add(error.object_name or partition.report or "", error)
        return self._concluded()

    def _concluded(self) -> SweepReport:
        """What was done.

        Raises:
            SweepIncomplete: Something could not be.
        """
        if self._failures:
            name, first = self._failures.first
            raise SweepIncomplete(
                f"sweep: {self._failures.count:,} failures, among them {name!r}: {first.message}",
                failures=self._failures.sample,
                failed=self._failures.count,
                report=self._report,
            ) from first
        return self._report

    async def _piece(self, piece: Piece) -> None:
        async with aclosing(piece.pages(self._objects, "sweep", self._context.deadline)) as pages:
            async for page in pages:
                await self._judge_all(page)
                await self._examine(self._complete(page))
                self._report_progress()
        await self._examine(set(self._with_keys))
        self._report_progress()

    async def _judge_all(self, page: list[ObjectInfo]) -> None:
        async with AtMost(_AT_ONCE) as tasks:
            for info in page:
                self._count(scanned=1)
                await tasks.start(self._guarded(info.name, self._judge, info))

    def _report_progress(self) -> None:
        if self._progress is None:
            return
        try:
            called("sweep: progress", self._progress, self._report)
        except StateBucketError as error:
            self._of_caller = error
            raise

    def _complete(self, page: list[ObjectInfo]) -> set[Execution]:
        """The executions whose keys have all been listed with this page."""
        if not page or not self._objects.bucket.limits.lists_in_order:
            return set()
        last = page[-1].name
        return {one for one in self._with_keys if not last.startswith(self._layout.execution(*one))}

    async def _examine(self, executions: set[Execution]) -> None:
        self._with_keys -= executions
        executions, kept = executions - self._kept, executions & self._kept
        self._kept -= kept
        async with AtMost(_AT_ONCE) as tasks:
            for execution in executions:
                name = self._layout.execution(*execution)
                await tasks.start(self._guarded(name, self._orphan, execution))

    async def _orphan(self, execution: Execution) -> None:
        """Counts an execution's keys if they are orphans, and removes them if that is certain."""
        if execution.tenant is None and execution.id in self._lost:
            return  # it has a live snapshot
        certain = execution.tenant is not None or self._records_hold
        await self._orphans.examine(execution, removes=self._removes_orphans and certain)
        self._streak.ends()

    async def _guarded(self, name: str, work: Callable[[T], Awaitable[None]], item: T) -> None:
        try:
            await work(item)
        except CorruptObject:
            self._count(corrupt=1)  # it stays; reading it will raise the error
        except StateBucketError as error:
            self._failures.add(name, error)
            if error.transient and self._streak.fails():
                self._stopped = self._stopped or error
                raise

    async def _judge(self, listed: ObjectInfo) -> None:
        place = self._layout.parse(listed.name)
        if place is None and not self._layout.is_probe(listed.name):
            return  # not decided here
        info: ObjectInfo | None = listed
        if self._must_look(listed):
            info = await self._objects.look(self._call(), listed.name)
            self._streak.ends()
        if info is None:
            return  # gone since it was listed
        if self._is_expired(info):
            self._count(expired=1)
            await self._remove(info)
        elif place is None:
            return
        elif place.kind == "key" and place.execution is not None and self._reported is None:
            execution = Execution(place.tenant, place.execution)
            self._with_keys.add(execution)
            if is_kept(info):
                self._kept.add(execution)
        elif self._owners is not None and place.kind == "owner":
            await self._owner_record(place, self._owners)
        elif self._owners is not None and place.kind == "snapshot":
            await self._repair(place, info, self._owners)

    def _must_look(self, listed: ObjectInfo) -> bool:
        """Whether it takes a request to know if an object that was named has expired."""
        if self._reported is None:
            return not self._objects.bucket.limits.lists_metadata
        return not self._reported.lists_metadata or self._is_expired(listed)

    def _is_expired(self, info: ObjectInfo) -> bool:
        return self._objects.surely_expired(info, self._margin_ms)

    async def _remove(self, info: ObjectInfo) -> None:
        if not self._dry_run:
            try:
                gone = await self._delete(info.name, info.version)
            except VersionConflict:
                self._count(raced=1)  # written again since: it is live
                return
            if gone:
                return
        self._count(removed=1, bytes=info.size)

    async def _delete(self, name: str, version: Version) -> bool:
        """Removes an object; True if it was gone already, as after another sweep, which counts it.

        Raises:
            VersionConflict: It was written again.
        """
        existed = await self._objects.delete(self._call(), name, version, expired=True)
        self._streak.ends()
        return existed is False

    async def _owner_record(self, place: Place, owners: OwnerIndex) -> None:
        """Removes the record of an execution that has nothing left."""
        tenant_id, execution_id = _of(place)
        name = self._layout.name(place)
        found = await self._objects.get(self._call(), name)
        self._streak.ends()
        # A record that was written a moment ago may precede its snapshot.
        if found is None or _written_ms(found) + self._margin_ms > self._objects.now_ms():
            return
        if await self._has_state(tenant_id, execution_id):
            return
        if not self._dry_run:
            try:
                gone = await self._delete(name, found.info.version)
            except VersionConflict:
                return  # written again since: its writer is about to save
            owners.forget(execution_id, tenant_id)
            if gone:
                return
        self._count(owners=1)

    async def _has_state(self, tenant_id: str, execution_id: str) -> bool:
        name = self._layout.snapshot(tenant_id, execution_id)
        if await self._objects.head(self._call(), name) is not None:
            return True
        prefix = self._layout.execution(tenant_id, execution_id)
        async for page in self._objects.all_pages("sweep", prefix, self._context.deadline, limit=1):
            if page:
                return True
        return False

    async def _repair(self, place: Place, info: ObjectInfo, owners: OwnerIndex) -> None:
        """Writes the owner record that a live snapshot is missing."""
        tenant_id, execution_id = _of(place)
        name = self._layout.owner(execution_id, tenant_id)
        there = await self._objects.head(self._call(), name)
        self._streak.ends()
        if there is not None:
            return
        if self._reported is not None:  # by which the snapshot may long be gone
            found = await self._objects.head(self._call(), info.name)
            if found is None:
                return
            info = found
        try:
            at_ms = expires_ms(info)
            if self._dry_run:
                self._lost.add(execution_id)
            else:
                owners.forget(execution_id, tenant_id)
                expiry = None if at_ms is None else Expiry.until(at_ms, self._objects.now_ms())
                await owners.ensure(self._call(), execution_id, tenant_id, expiry)
        except StateBucketError:
            self._lost.add(execution_id)
            raise
        self._count(repaired=1)

    def _count(self, **more: int) -> None:
        # No await between reading and writing: many tasks count at once.
        current = {name: getattr(self._report, name) + number for name, number in more.items()}
        self._report = msgspec.structs.replace(self._report, **current)

    def _call(self) -> Call:
        return self._context.call("sweep")


def _of(place: Place) -> tuple[str, str]:
    """The tenant and the execution that a snapshot or an owner record belongs to."""
    assert place.tenant is not None  # noqa: S101  (each of them belongs to a tenant's execution)
    assert place.execution is not None  # noqa: S101
    return place.tenant, place.execution


def _written_ms(found: Found) -> int:
    try:
        return msgspec.json.decode(found.body, type=complete(OwnerRecord)).written_ms
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CorruptObject("not an owner record", object_name=found.info.name) from error

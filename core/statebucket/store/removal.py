"""Removal: of an execution, and of a tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.contract.callbacks import called, check_progress
from statebucket.contract.reports import DeletionReport
from statebucket.contract.segments import encode
from statebucket.contract.versions import Version
from statebucket.errors import DeleteIncomplete, StateBucketError
from statebucket.store.extent import TENANTS, Extent, Piece
from statebucket.store.failures import Failures
from statebucket.store.tasks import AtMost, in_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from statebucket.contract.partition import Partition
    from statebucket.port.bucket import Deletion, ObjectInfo
    from statebucket.store.context import StoreContext
    from statebucket.store.layout import Kind, Place
    from statebucket.store.retry import Call

T = TypeVar("T")

_BATCHES_AT_ONCE = 4
"""Batches in flight beside the listing."""

_OBJECTS_AT_ONCE = 16
"""Deletes in flight beside the listing, where each object takes a request of its own."""

_OBJECTS_OF_A_BATCH = _OBJECTS_AT_ONCE // _BATCHES_AT_ONCE
"""The same, for each batch of objects, after the service has refused batches."""

_OWNERS_AT_ONCE = 32


class Remover:
    """Removes objects by prefix, in batches beside the listing that finds them.

    Running it again after an interruption goes on with what is left.

    Args:
        context: The store's.
        operation: The public call, for errors.
        progress: Called after each batch and owner record with what was removed so far.
    """

    def __init__(
        self,
        context: StoreContext,
        operation: str,
        *,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> None:
        self._context = context
        self._objects = context.objects
        self._layout = context.layout
        self._owners = context.owners
        self._operation = operation
        check_progress(progress)
        self._progress = progress
        self._found: dict[str, tuple[int, Kind]] = {}  # what was listed: its size and kind
        self._failures = Failures()
        self._unlisted: StateBucketError | None = None
        self._sent = False
        self._snapshots: int | None = 0
        self._unreported = self._keys = self._leases = self._removed_owners = self._bytes = (
            self._foreign
        ) = 0

    async def execution(
        self, execution_id: str, tenant_id: str | None, scopes: Sequence[str | None]
    ) -> DeletionReport:
        """Removes an execution's keys and snapshot, then its owner record.

        1 list a scope, 1 batch for up to a page, and 1 for the owner record (2 when not seen).

        Args:
            execution_id: The execution.
            tenant_id: Whose snapshot and record to remove; None for neither.
            scopes: The tenants (None: no tenant) whose keys of the execution to remove.
        """
        first = [] if tenant_id is None else [self._layout.snapshot(tenant_id, execution_id)]
        prefixes = [self._layout.execution(scope, execution_id) for scope in scopes]
        within = set(scopes)

        def inside(place: Place) -> bool:
            return (
                place.kind == "key" and place.execution == execution_id and place.tenant in within
            )

        await self._remove(self._listed(map(Piece, prefixes)), first, inside)
        if tenant_id is not None and not self._failures:
            self._context.note(tenant_id, execution_id, Version.ABSENT)
        # Last, and only when all else is gone: a run through the store finds the tenant by it.
        if self._owners is not None and tenant_id is not None and not self._failures:
            await self._remove_owner(execution_id, tenant_id)
        return self._report()

    async def tenant(self, tenant_id: str, partition: Partition | None) -> DeletionReport:
        """Removes a tenant's owner records, then everything in its prefix, or a part of both.

        The records go first here: a run that is cut short finds by the listing what it left, which
        would no longer name the executions if their objects had been removed before their records.
        """
        extent = Extent.of(self._context, tenant_id, partition)
        if self._owners is not None:
            # One after the other: an execution with a snapshot and keys is in both.
            for executions in self._executions(tenant_id, extent):
                async with AtMost(_OWNERS_AT_ONCE) as tasks:
                    async for execution_id in executions:
                        await tasks.start(self._remove_owner(execution_id, tenant_id))
        # What another run can finish is left to it. A record that will never go keeps nothing else.
        if not self._failures.transient:
            listed = self._listed(extent.pieces())
            await self._remove(listed, [], lambda place: place.tenant == tenant_id)
        return self._report()

    async def owner_records(self, tenant_id: str) -> DeletionReport:
        """Removes a tenant's owner records, whatever else it has, found among those of all tenants.

        1 list per 1,000 records of the store, and 1 batch for as many of the tenant's.
        """
        listed = self._listed([Piece(self._layout.owners, nested=True)])
        await self._remove(self._own(listed, tenant_id), [], lambda place: place.kind == "owner")
        return self._report()

    async def _own(
        self, pages: AsyncIterator[list[ObjectInfo]], tenant_id: str
    ) -> AsyncIterator[list[ObjectInfo]]:
        """What is one tenant's of a listing."""
        async for page in pages:
            places = [(info, self._layout.parse(info.name)) for info in page]
            yield [info for info, place in places if place and place.tenant == tenant_id]

    async def keys(self, names: Mapping[str, str]) -> DeletionReport:
        """Removes keys: 1 request a batch.

        Args:
            names: Their object names, with the key that each stands for.
        """
        self._failures = Failures(limit=None)
        await self._remove(_no_pages(), list(names), lambda _: True)
        self._failures.sample = {
            names[name]: error for name, error in self._failures.sample.items()
        }
        return self._report("key")

    async def _remove_owner(self, execution_id: str, tenant_id: str) -> None:
        assert self._owners is not None  # noqa: S101  (for the type checker)
        self._sent = True
        try:
            removed = await self._owners.remove(self._call(), execution_id, tenant_id)
        except StateBucketError as error:
            self._failures.add(self._layout.owner(execution_id, tenant_id), error)
        else:
            self._removed_owners += removed
            self._report_progress()

    def _executions(self, tenant_id: str, extent: Extent) -> Iterator[AsyncIterator[str]]:
        """The executions of a tenant that have a snapshot, and those that have keys."""
        ids = extent.ids(TENANTS, encode(tenant_id, what="tenant id"))
        if ids is None:
            return
        yield self._named(Piece(self._layout.snapshots(tenant_id), *ids))
        executions = Piece(self._layout.executions(tenant_id), *ids, nested=True)
        # A listing of prefixes cannot begin in the middle.
        yield self._named(executions) if executions.bounded else self._with_keys(tenant_id)

    async def _named(self, piece: Piece) -> AsyncIterator[str]:
        last = None
        async for page in self._listed([piece]):
            for info in page:
                place = self._layout.parse(info.name)
                if place is not None and place.execution not in {None, last}:
                    last = place.execution
                    yield place.execution

    async def _with_keys(self, tenant_id: str) -> AsyncIterator[str]:
        prefix = self._layout.executions(tenant_id)
        found = self._objects.prefixes(self._operation, prefix, self._context.deadline)
        async for execution in self._noted(found, prefix):
            execution_id = self._layout.execution_of(tenant_id, execution)
            if execution_id is not None:
                yield execution_id

    async def _listed(self, pieces: Iterable[Piece]) -> AsyncIterator[list[ObjectInfo]]:
        for piece in pieces:
            pages = piece.pages(self._objects, self._operation, self._context.deadline)
            async for page in self._noted(pages, piece.folder):
                yield page

    async def _noted(self, listing: AsyncIterator[T], prefix: str) -> AsyncIterator[T]:
        """A listing that ends where it fails: what is under way is finished first."""
        if self._unlisted is not None:
            return
        try:
            async for item in listing:
                yield item
        except StateBucketError as error:
            self._failures.add(prefix, error)
            self._unlisted = error

    async def _remove(
        self,
        pages: AsyncIterator[list[ObjectInfo]],
        names: list[str],
        inside: Callable[[Place], bool],
    ) -> None:
        """Removes ``names`` and what is listed of ours, in as few batches as hold them.

        Args:
            pages: The listing.
            names: To be removed in any case.
            inside: Whether a place is part of what is removed; nothing else is touched.
        """
        limits = self._objects.bucket.limits
        size, at_once = limits.delete_batch, _BATCHES_AT_ONCE
        if limits.delete_requests:
            # One by one, so that each request has its deadline, which runs while it is in flight.
            size, at_once = 1, min(_OBJECTS_AT_ONCE, self._objects.max_in_flight)
        waiting = names
        async with AtMost(at_once) as tasks:
            async for page in pages:
                places = map(self._layout.parse, [info.name for info in page])
                for info, place in zip(page, places, strict=True):
                    if place is None or not inside(place):
                        self._foreign += 1
                        continue
                    self._found[info.name] = (info.size, place.kind)
                    waiting.append(info.name)
                while len(waiting) > size:
                    batch, waiting = waiting[:size], waiting[size:]
                    await tasks.start(self._remove_batch(batch))
            while waiting and self._unlisted is None:
                batch, waiting = waiting[:size], waiting[size:]
                await tasks.start(self._remove_batch(batch))

    async def _remove_batch(self, names: list[str]) -> None:
        self._sent = True
        for deletion in await self._deleted(names):
            self._count(deletion)
        self._report_progress()

    async def _deleted(self, names: list[str]) -> list[Deletion]:
        """Deletes the objects of a batch, one by one if the service has refused a batch."""
        bucket, alone = self._objects.bucket, len(names) == 1
        done: list[Deletion] = []
        if alone or not bucket.limits.delete_requests:
            done = await self._objects.delete_many(self._call(), names, listed=self._found)
            if alone or not bucket.limits.delete_requests:
                return done
        done = [deletion for deletion in done if deletion.error is None]
        gone = {deletion.name for deletion in done}
        left = [[name] for name in names if name not in gone]
        for rest in await in_order(self._deleted, left, at_once=_OBJECTS_OF_A_BATCH):
            done += rest
        return done

    def _report_progress(self) -> None:
        if self._progress is not None:
            called(f"{self._operation}: progress", self._progress, self._so_far())

    def _count(self, deletion: Deletion) -> None:
        size, kind = self._found.pop(deletion.name, None) or (None, None)
        if deletion.error is not None:
            self._failures.add(deletion.name, deletion.error)
            return
        existed = deletion.existed
        if existed is False:
            # Another call that removes the same was quicker, and counts it.
            if kind == "owner":
                self._forget(deletion.name)
            return
        if existed is None and size is not None:
            existed = True  # it was listed
        self._bytes += size or 0
        if kind is None:
            place = self._layout.parse(deletion.name)
            kind = None if place is None else place.kind
        if kind == "snapshot":
            if existed is None or self._snapshots is None:
                self._snapshots = None
            else:
                self._snapshots += 1
        elif kind == "lease":
            self._leases += 1
        elif kind == "owner":
            self._removed_owners += 1
            self._forget(deletion.name)
        elif existed is None:
            self._unreported += 1
        else:
            self._keys += 1

    def _forget(self, name: str) -> None:
        """Drops what is known of an owner record that is gone."""
        place = self._layout.parse(name)
        if self._owners is not None and place is not None and place.execution and place.tenant:
            self._owners.forget(place.execution, place.tenant)

    def _call(self) -> Call:
        return self._context.call(self._operation)

    def _so_far(self) -> DeletionReport:
        return DeletionReport(
            snapshots=self._snapshots,
            keys=self._keys,
            leases=self._leases,
            owners=self._removed_owners,
            bytes=self._bytes,
            foreign=self._foreign,
            unreported=self._unreported,
        )

    def _report(self, what: str = "object") -> DeletionReport:
        report = self._so_far()
        if self._unlisted is not None and not self._sent:
            raise self._unlisted  # nothing was done: this, and no more, is what is wrong
        if self._failures:
            name, error = self._failures.first
            left = _left(self._failures, what, name)
            if self._unlisted is not None:
                left, error = "not everything was listed", self._unlisted
            raise DeleteIncomplete(
                f"{self._operation}: {left}: {error.message}",
                failures=self._failures.sample,
                failed=self._failures.count,
                report=report,
            ) from error
        return report


def _left(failures: Failures, what: str, name: str) -> str:
    """What a removal has left, as far as that is known."""
    one = failures.count == 1
    verb = "may still be" if failures.open else "is still" if one else "are still"
    if one:
        return f"the {what} {name!r} {verb} there"
    return f"{failures.count:,} {what}s {verb} there, among them {name!r}"


async def _no_pages() -> AsyncIterator[list[ObjectInfo]]:
    """A listing of nothing."""
    pages: list[list[ObjectInfo]] = []
    for page in pages:
        yield page

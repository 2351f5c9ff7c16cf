"""What a call works on: a whole store, one tenant, or a partition of either.

Partitions divide by ids, while in an object's name the id is followed by a slash. So the order of
names differs slightly from that of ids: ``a-b/key`` comes before ``a/key``, although ``a`` comes
before ``a-b``. A range of ids is therefore a range of names plus the names of a few ids that come
late: the last id, and those ids that are a prefix of it.
"""

from __future__ import annotations

from contextlib import aclosing
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from statebucket.contract.partition import AREAS, Position, position
from statebucket.contract.segments import encode
from statebucket.errors import InvalidArgument, shown
from statebucket.store.objects import PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from statebucket.contract.partition import Partition
    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.context import StoreContext
    from statebucket.store.layout import Layout
    from statebucket.store.objects import Objects

TENANTS, SHARED, OWNERS = range(len(AREAS))

_LAST = "\x7f"
"""Sorts after every character that a segment may contain."""


class _Ending(Enum):
    """Ends a listing early: the rest of it lies outside the range."""

    BEFORE = 1
    END = 2


class Piece(NamedTuple):
    """A range of the segments below a folder.

    Attributes:
        folder: What the names begin with.
        after: The segment after which the range begins; None for the start of the folder.
        until: The last segment of the range; None for the end of the folder.
        open_end: Whether what lies within ``until`` is left out; an object of just that name, which
            no store writes, lies in the range.
        nested: Whether names continue after the segment.
        besides: Folders inside whose content is not part of the piece.
    """

    folder: str
    after: str | None = None
    until: str | None = None
    open_end: bool = False
    nested: bool = False
    besides: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether it is less than the whole folder."""
        return self.after is not None or self.until is not None

    def holds(self, segment: str) -> bool:
        """Whether a segment is in the range."""
        if self.after is not None and segment <= self.after:
            return False
        return not self.is_past(segment)

    def is_past(self, segment: str) -> bool:
        """Whether a segment comes after the range."""
        if self.until is None:
            return False
        return segment > self.until or (self.open_end and segment == self.until)

    def late(self) -> list[str]:
        """The segments of the range whose names may come after the range of names."""
        end = self.until
        if end is None or not self.nested:
            return []
        found = [end[:at] for at in range(1, len(end)) if end[at] < "/"]
        return [one for one in (*found, end) if self.holds(one)]

    async def pages(
        self, objects: Objects, operation: str, seconds: float
    ) -> AsyncGenerator[list[ObjectInfo], None]:
        """The objects of the piece, expired ones too: 1 request a page, and 1 a late segment."""
        if self.besides:
            async with aclosing(self._besides(objects, operation, seconds)) as pages:
                async for page in pages:
                    yield page
            return
        if not self.bounded:
            async for page in objects.all_pages(operation, self.folder, seconds):
                yield page
            return
        late = set(self.late())
        start = None if self.after is None else self.folder + self.after
        # The segment before the range may hold many objects; they are skipped.
        before = f"{start}/" if self.nested and start is not None else None
        ordered = objects.bucket.limits.lists_in_order
        ending: _Ending | None = None
        while ending is not _Ending.END:
            limit = PAGE if before is None else 2
            async for page in objects.all_pages(operation, self.folder, seconds, limit, start):
                kept, ending = self._of_page(page, late, before, ordered=ordered)
                yield kept
                if ending is not None:
                    break
            if before is None or ending is not _Ending.BEFORE:
                break
            start, before = before + _LAST, None
        for segment in sorted(late):  # those that the listing did not reach
            prefix = f"{self.folder}{segment}/"
            async for page in objects.all_pages(operation, prefix, seconds):
                yield page

    def _of_page(
        self, page: list[ObjectInfo], late: set[str], before: str | None, *, ordered: bool
    ) -> tuple[list[ObjectInfo], _Ending | None]:
        """The objects of a page that lie in the range.

        Late segments that are seen on the page are removed from ``late``.
        """
        if ordered and self._holds_all(page):
            return page, None
        kept: list[ObjectInfo] = []
        inside: str | None = None  # how the names of the segment go on that was met last
        for info in page:
            if inside is not None and info.name.startswith(inside):
                kept.append(info)
                continue
            segment, slash, _ = info.name[len(self.folder) :].partition("/")
            if self.holds(segment) or (self.open_end and segment == self.until and not slash):
                kept.append(info)
                if slash:
                    late.discard(segment)  # all its names are adjacent
                    inside = f"{self.folder}{segment}/"
            elif ordered and self.is_past(segment):
                return kept, _Ending.END
            elif ordered and before is not None and info.name.startswith(before):
                return kept, _Ending.BEFORE
        return kept, None

    def _holds_all(self, page: list[ObjectInfo]) -> bool:
        """Whether an ordered page lies in the range as a whole: its first and last name tell.

        They do where each name is a segment, and goes on behind none.
        """
        if self.nested or not page:
            return False
        at = len(self.folder)
        if not (self.holds(page[0].name[at:]) and self.holds(page[-1].name[at:])):
            return False
        slashes = "".join([info.name for info in page]).count("/")
        return slashes == len(page) * self.folder.count("/")

    async def _besides(
        self, objects: Objects, operation: str, seconds: float
    ) -> AsyncGenerator[list[ObjectInfo], None]:
        """The objects of the folder outside its inner folders: 1 request for each of those."""
        left = list(self.besides)
        start: str | None = None
        while True:
            within: str | None = None
            pages = objects.all_pages(operation, self.folder, seconds, 2, start_after=start)
            async for page in pages:
                kept: list[ObjectInfo] = []
                for info in page:
                    inside = next((one for one in self.besides if info.name.startswith(one)), None)
                    if inside is None:
                        kept.append(info)
                    elif inside in left:
                        within = inside
                        break
                yield kept
                if within is not None:
                    break
            if within is None:
                return
            left.remove(within)
            start = within + _LAST


class Extent:
    """What a call works on.

    Args:
        layout: The store's.
        tenant_id: The only tenant to work on; None for the whole store.
        partition: The part of it; None for all.

    Raises:
        InvalidArgument: It is not a partition, or is one of another tenant.
    """

    def __init__(
        self, layout: Layout, tenant_id: str | None = None, partition: Partition | None = None
    ) -> None:
        self._layout = layout
        self.tenant_id = tenant_id
        start, end = bounds(partition)
        self._start = start
        self._end = end

    @classmethod
    def of(
        cls,
        context: StoreContext,
        tenant_id: str | None,
        partition: Partition | None,
        *,
        reported: bool = False,
    ) -> Extent:
        """The extent of a call on a store: its own tenant, the given one, or the partition's.

        Args:
            context: The store's.
            tenant_id: The tenant given.
            partition: The partition.
            reported: Whether the call can read names from an inventory report.

        Raises:
            InvalidArgument: The partition is none, of another tenant, or of a report that the call
                cannot read.
            TenantMismatch: The store is bound to another tenant.
        """
        check_partition(partition)
        if partition is not None and partition.report is not None and not reported:
            raise InvalidArgument(
                "this call lists the store: a partition of an inventory report is for sweep and "
                "inventory"
            )
        theirs = None if partition is None else partition.tenant
        if tenant_id is None:
            tenant_id = theirs if context.tenant is None else context.tenant
        if theirs is not None and tenant_id != theirs:
            raise InvalidArgument(
                f"the partition is one of tenant {shown(theirs)}, the call is for "
                f"{shown(tenant_id)}"
            )
        if tenant_id is not None:
            context.layout.tenant(tenant_id)
            context.check_tenant(tenant_id)
        return cls(context.layout, tenant_id, partition)

    @property
    def whole(self) -> bool:
        """Whether this is all that the store holds."""
        return self.tenant_id is None and self._start is None and self._end is None

    @property
    def folders(self) -> tuple[str, ...]:
        """What the names of all that it holds begin with, where no partition bounds it."""
        return tuple(piece.folder for piece in self.pieces())

    def pieces(self) -> Iterator[Piece]:
        """The ranges that cover the extent, each once; owner records come last.

        For one tenant they are what lies in its prefix.
        """
        layout = self._layout
        if self.tenant_id is not None:
            segment = encode(self.tenant_id, what="tenant id")
            yield from self.scope(TENANTS, segment)
            return
        yield from self._tenants()
        if layout.owner_index:
            yield from self.scope(SHARED)
            owners = self.ids(OWNERS)
            if owners is not None:
                yield Piece(layout.owners, *owners, nested=True)

    def _tenants(self) -> Iterator[Piece]:
        area = self._layout.tenants
        first = self._start if self._start is not None and self._start.area == TENANTS else None
        if self._start is not None and self._start.area > TENANTS:
            return
        last = self._end if self._end is not None and self._end.area == TENANTS else None
        if first is not None and last is not None and first.tenant == last.tenant:
            yield from self.scope(TENANTS, first.tenant)
            return
        if first is not None:
            yield from self.scope(TENANTS, first.tenant)
        yield Piece(
            area,
            None if first is None else first.tenant,
            None if last is None else last.tenant,
            open_end=True,
            nested=True,
        )
        if last is not None:
            yield from self.scope(TENANTS, last.tenant)

    def scope(self, area: int, tenant: str = "") -> Iterator[Piece]:
        """The ranges of one tenant (by its segment), or of what belongs to none, in the extent."""
        ids = self.ids(area, tenant)
        if ids is None:
            return
        layout = self._layout
        folder = layout.shared if area == SHARED else f"{layout.tenants}{tenant}/"
        after, until = ids
        if after is None and until is None:
            yield Piece(folder)
            return
        folders = FOLDERS if area == TENANTS else FOLDERS[:2]
        for name in folders:
            yield Piece(f"{folder}{name}/", after, until, nested=name == "executions")
        if after is None:
            yield Piece(folder, besides=tuple(f"{folder}{name}/" for name in folders))

    def ids(self, area: int, tenant: str = "") -> tuple[str | None, str | None] | None:
        """The range of a scope's ids in the extent; None if there are none.

        Args:
            area: The area.
            tenant: The tenant's segment, in the area of tenants.
        """
        scope = (area, tenant)
        after = until = None
        if self._start is not None:
            if self._start[:2] > scope:
                return None
            if self._start[:2] == scope:
                after = self._start.id
        if self._end is not None:
            if self._end[:2] < scope:
                return None
            if self._end[:2] == scope:
                until = self._end.id
        return after, until


FOLDERS = ("executions", "keys", "leases", "snapshots")
"""The folders of a tenant; the first two also exist for what belongs to no tenant."""


def check_partition(partition: Partition | None) -> None:
    """Checks that a value is a partition, or None.

    Raises:
        InvalidArgument: It is neither.
    """
    from statebucket.contract.partition import Partition as Contract  # noqa: PLC0415  (for its type)

    if partition is not None and not isinstance(partition, Contract):
        raise InvalidArgument(
            "partition must be one of store.partitions(…), or what Partition.from_dict returns: "
            f"{shown(partition)}"
        )


def bounds(partition: Partition | None) -> tuple[Position | None, Position | None]:
    """Where a partition begins and ends."""
    if partition is None:
        return None, None
    start, end = partition.start, partition.end
    return None if start is None else position(start), None if end is None else position(end)

"""The executions of a scope: those with keys and those with a snapshot, each once, in order."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from statebucket.contract.segments import beginnings, decode, encode_execution
from statebucket.store.objects import PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from statebucket.store.context import StoreContext
    from statebucket.store.selection import Selection


async def with_state(
    context: StoreContext, operation: str, tenant_id: str | None, chosen: Selection
) -> AsyncGenerator[str, None]:
    """The executions that have keys or a snapshot: 1 request per 1,000 of either.

    They come in the order of their names with a ``/`` appended, as folders are listed. Where the
    service lists in no order, those with a snapshot come first, or all are sorted if only a part is
    wanted.

    Args:
        context: The store's.
        operation: The public call, for errors.
        tenant_id: The tenant; None for the keys that were set without one.
        chosen: The selection.
    """
    left = chosen.limit
    if left == 0:
        return
    async with aclosing(_all(context, operation, tenant_id, chosen)) as executions:
        async for execution_id in executions:
            yield execution_id
            if left is not None:
                left -= 1
                if left == 0:
                    return


async def _all(
    context: StoreContext, operation: str, tenant_id: str | None, chosen: Selection
) -> AsyncGenerator[str, None]:
    """The executions whose ids begin, and come behind another, as is wanted; in order."""
    ordered = context.objects.bucket.limits.lists_in_order
    sorts = not ordered and (chosen.after is not None or chosen.limit is not None)
    start = "" if chosen.after is None else _folder(chosen.after)
    everything: list[str] = []
    for beginning in beginnings(chosen.prefix):
        if start > beginning and not start.startswith(beginning):
            continue  # all of them come before
        listing = _Listing(context, operation, tenant_id, beginning, chosen)
        found = listing.with_keys()
        if tenant_id is not None:
            if ordered:
                found = _merged(listing.with_snapshot_in_order(), _as_folders(found))
            else:
                found = _each_once(listing.with_snapshot(), found)
        async with aclosing(found):
            async for execution_id in found:
                if _folder(execution_id) <= start or not execution_id.startswith(chosen.prefix):
                    continue
                if sorts:
                    everything.append(execution_id)
                else:
                    yield execution_id
    for execution_id in sorted(everything, key=_folder):
        yield execution_id


class _Listing:
    """The executions whose names begin in one way.

    Args:
        context: The store's.
        operation: The public call, for errors.
        tenant_id: The tenant; None for the keys that were set without one.
        beginning: What the segments of their ids begin with.
        chosen: Behind which id to begin, where the service lists in order, and how many are wanted.
    """

    def __init__(
        self,
        context: StoreContext,
        operation: str,
        tenant_id: str | None,
        beginning: str,
        chosen: Selection,
    ) -> None:
        self._context = context
        self._operation = operation
        self._tenant = tenant_id
        self._beginning = beginning
        self._after: str | None = None
        self._limit = PAGE
        if context.objects.bucket.limits.lists_in_order:
            if chosen.limit is not None:
                self._limit = min(chosen.limit + 1, PAGE)  # the last waits for one behind it
            after = None if chosen.after is None else encode_execution(chosen.after)
            if after is not None and f"{after}/".startswith(beginning):
                self._after = after

    async def with_keys(self) -> AsyncGenerator[str, None]:
        """Those that have keys."""
        context, layout = self._context, self._context.layout
        folders = layout.executions(self._tenant)
        start = None if self._after is None else f"{folders}{self._after}/"
        async for found in context.objects.prefixes(
            self._operation, folders + self._beginning, context.deadline, self._limit, start
        ):
            execution_id = layout.execution_of(self._tenant, found)
            if execution_id is not None:
                yield execution_id

    async def with_snapshot(self) -> AsyncGenerator[str, None]:
        """Those that have a snapshot, in the order of the snapshots' names."""
        context, names = self._context, self._names
        start = None if self._after is None else names + self._after
        async for page in context.objects.pages(
            self._operation, names + self._beginning, context.deadline, self._limit, start
        ):
            for info in page:
                place = context.layout.parse(info.name)
                if place is not None and place.execution is not None:
                    yield place.execution

    async def with_snapshot_in_order(self) -> AsyncGenerator[str, None]:
        """Those that have a snapshot, in the order of folders.

        Some whose names come before the id to begin behind come after it as folders: `_continued`
        names them, and 1 request looks for each whose turn comes.
        """
        before = [] if self._after is None else _continued(self._after, self._beginning)
        async with aclosing(_as_folders(self.with_snapshot())) as executions:
            async for execution_id in executions:
                while before and _folder(before[0]) < _folder(execution_id):
                    if await self._has_snapshot(one := before.pop(0)):
                        yield one
                yield execution_id
        for one in before:
            if await self._has_snapshot(one):
                yield one

    async def _has_snapshot(self, execution_id: str) -> bool:
        """Whether a listing would show a snapshot of this execution."""
        objects = self._context.objects
        call = self._context.call(self._operation)
        info = await objects.look(call, self._names + encode_execution(execution_id))
        if info is None:
            return False
        return not (objects.bucket.limits.lists_metadata and objects.surely_expired(info))

    @property
    def _names(self) -> str:
        assert self._tenant is not None  # noqa: S101  (there are no snapshots without a tenant)
        return self._context.layout.snapshots(self._tenant)


def _continued(segment: str, beginning: str) -> list[str]:
    """The executions that come after this one as folders, though their names come before its name.

    They are those that it continues with a ``-`` or ``.``, which come before ``/``.

    Args:
        segment: The id, as a segment.
        beginning: What their segments begin with.
    """
    found = [
        decode(segment[:at])
        for at in range(len(segment) - 1, max(len(beginning), 1) - 1, -1)
        if segment[at] < "/"
    ]
    return [one for one in found if one is not None]


def _folder(execution_id: str) -> str:
    return f"{encode_execution(execution_id)}/"


async def _as_folders(executions: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Puts executions into the order of folders, from that order or from the order of names.

    The two orders differ where one id is another one followed by ``-`` or ``.``, which sort before
    ``/``: the shorter id waits for the longer ones. At most as many wait as extend each other.
    """
    waiting: list[str] = []
    async with aclosing(executions):
        async for execution_id in executions:
            while waiting and _folder(waiting[-1]) < _folder(execution_id):
                yield waiting.pop()
            waiting.append(execution_id)
    while waiting:
        yield waiting.pop()


async def _merged(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None]
) -> AsyncGenerator[str, None]:
    """Merges two listings that are in the order of folders; what is in both comes once."""
    async with aclosing(first), aclosing(second):
        one, other = await anext(first, None), await anext(second, None)
        while one is not None or other is not None:
            if other is None or (one is not None and _folder(one) <= _folder(other)):
                assert one is not None  # noqa: S101  (for the type checker)
                yield one
                if one == other:
                    other = await anext(second, None)
                one = await anext(first, None)
            else:
                yield other
                other = await anext(second, None)


async def _each_once(
    first: AsyncGenerator[str, None], second: AsyncGenerator[str, None]
) -> AsyncGenerator[str, None]:
    """The first listing, then what only the second has."""
    seen: set[str] = set()
    async with aclosing(first), aclosing(second):
        async for execution_id in first:
            seen.add(execution_id)
            yield execution_id
        async for execution_id in second:
            if execution_id not in seen:
                yield execution_id

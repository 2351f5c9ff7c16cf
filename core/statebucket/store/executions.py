"""The executions of a scope: those with keys and those with a snapshot, each once, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.segments import beginnings, encode_execution

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket.store.context import StoreContext
    from statebucket.store.selection import Selection


async def with_state(
    context: StoreContext, operation: str, tenant_id: str | None, chosen: Selection
) -> AsyncIterator[str]:
    """The executions that have keys or a snapshot: 1 request per 1,000 of either.

    In the order of their names as those of folders, which end in ``/``. Where the service lists in
    no order, those with a snapshot come first, or all are sorted if only a part is wanted.

    Args:
        context: The store's.
        operation: The public call, for errors.
        tenant_id: The tenant; None for the keys that were set without one.
        chosen: Which of them are wanted.
    """
    left = chosen.limit
    start = "" if chosen.after is None else _folder(chosen.after)
    if left == 0:
        return
    async for execution_id in _all(context, operation, tenant_id, chosen):
        if _folder(execution_id) <= start or not execution_id.startswith(chosen.prefix):
            continue
        yield execution_id
        if left is not None:
            left -= 1
            if left == 0:
                return


async def _all(
    context: StoreContext, operation: str, tenant_id: str | None, chosen: Selection
) -> AsyncIterator[str]:
    """The executions whose names begin as those that are wanted, in order where one is."""
    ordered = context.objects.bucket.limits.lists_in_order
    sorts = not ordered and (chosen.after is not None or chosen.limit is not None)
    everything: list[str] = []
    for beginning in beginnings(chosen.prefix):
        found = _with_keys(context, operation, tenant_id, beginning)
        if tenant_id is not None:
            with_snapshot = _with_snapshot(context, operation, tenant_id, beginning)
            if ordered:
                found = _merged(_as_folders(with_snapshot), _as_folders(found))
            else:
                found = _each_once(with_snapshot, found)
        async for execution_id in found:
            if sorts:
                everything.append(execution_id)
            else:
                yield execution_id
    for execution_id in sorted(everything, key=_folder):
        yield execution_id


async def _with_keys(
    context: StoreContext, operation: str, tenant_id: str | None, beginning: str
) -> AsyncIterator[str]:
    layout = context.layout
    prefix = layout.executions(tenant_id) + beginning
    async for found in context.objects.prefixes(operation, prefix, context.deadline):
        execution_id = layout.execution_of(tenant_id, found)
        if execution_id is not None:
            yield execution_id


async def _with_snapshot(
    context: StoreContext, operation: str, tenant_id: str, beginning: str
) -> AsyncIterator[str]:
    prefix = context.layout.snapshots(tenant_id) + beginning
    async for page in context.objects.pages(operation, prefix, context.deadline):
        for info in page:
            place = context.layout.parse(info.name)
            if place is not None and place.execution is not None:
                yield place.execution


def _folder(execution_id: str) -> str:
    return f"{encode_execution(execution_id)}/"


async def _as_folders(executions: AsyncIterator[str]) -> AsyncIterator[str]:
    """Executions in the order of names, or of folders already, in the order of folders.

    The two differ for an id that another continues with ``-`` or ``.``, which come before ``/``: it
    waits for those. That many at most wait as continue each other.
    """
    waiting: list[str] = []
    async for execution_id in executions:
        while waiting and _folder(waiting[-1]) < _folder(execution_id):
            yield waiting.pop()
        waiting.append(execution_id)
    while waiting:
        yield waiting.pop()


async def _merged(first: AsyncIterator[str], second: AsyncIterator[str]) -> AsyncIterator[str]:
    """Two listings in the order of folders as one, what is in both once."""
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


async def _each_once(first: AsyncIterator[str], second: AsyncIterator[str]) -> AsyncIterator[str]:
    """The one listing, then what the other has besides."""
    seen: set[str] = set()
    async for execution_id in first:
        seen.add(execution_id)
        yield execution_id
    async for execution_id in second:
        if execution_id not in seen:
            yield execution_id

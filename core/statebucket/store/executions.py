"""The executions of a scope: those with keys and those with a snapshot, each once, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.segments import encode_execution

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket.store.context import StoreContext


async def with_state(
    context: StoreContext, operation: str, tenant_id: str | None
) -> AsyncIterator[str]:
    """The executions that have keys or a snapshot: 1 request per 1,000 of either.

    In the order of their names as those of folders, which end in ``/``. Where the service lists in
    no order, those with a snapshot come first.

    Args:
        context: The store's.
        operation: The public call, for errors.
        tenant_id: The tenant; None for the keys that were set without one.
    """
    with_keys = _with_keys(context, operation, tenant_id)
    if tenant_id is None:
        async for execution_id in with_keys:
            yield execution_id
        return
    with_snapshot = _with_snapshot(context, operation, tenant_id)
    if context.objects.bucket.limits.lists_in_order:
        merged = _merged(_as_folders(with_snapshot), _as_folders(with_keys))
    else:
        merged = _each_once(with_snapshot, with_keys)
    async for execution_id in merged:
        yield execution_id


async def _with_keys(
    context: StoreContext, operation: str, tenant_id: str | None
) -> AsyncIterator[str]:
    layout = context.layout
    prefix = layout.executions(tenant_id)
    async for found in context.objects.prefixes(operation, prefix, context.deadline):
        execution_id = layout.execution_of(tenant_id, found)
        if execution_id is not None:
            yield execution_id


async def _with_snapshot(
    context: StoreContext, operation: str, tenant_id: str
) -> AsyncIterator[str]:
    prefix = context.layout.snapshots(tenant_id)
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

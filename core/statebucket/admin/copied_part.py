"""Copying one part of a store, while other processes copy the rest.

Each execution is copied by one of them: by the part that holds its snapshot, or if it has none, by
the part that holds its keys. The parts share no memory of what was copied.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from statebucket.admin.object_copier import OPERATION
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from statebucket.admin.copier import Copier
    from statebucket.store.context import StoreContext
    from statebucket.store.extent import Extent
    from statebucket.store.layout import Place

_AT_ONCE = 16


async def copy_part(copier: Copier, source: StoreContext, extent: Extent) -> None:
    """Copies what lies in an extent of the source.

    Beside the copies, 1 request to look for keys of executions without a tenant; where there are
    any, 1 more for each snapshot, and 2 or more for each that has some; and 1 for each execution
    that has keys (2 or more for keys without a tenant).
    """
    along = await _has_shared_executions(source)
    last: tuple[str | None, str | None] | None = None
    async with aclosing(_places(source, extent)) as places, AtMost(_AT_ONCE) as tasks:
        async for place in places:
            if place.kind in {"snapshot", "key"}:
                copier.meet(place.tenant)
            if place.kind == "snapshot" and place.execution is not None:
                await tasks.start(_execution(copier, source, place, along=along))
            elif place.kind == "key" and place.execution is None:
                await tasks.start(copier.key(place))
            elif place.kind == "key" and (place.tenant, place.execution) != last:
                last = (place.tenant, place.execution)
                await tasks.start(_keys_alone(copier, source, place))


async def _execution(copier: Copier, source: StoreContext, snapshot: Place, *, along: bool) -> None:
    execution_id = snapshot.execution
    assert execution_id is not None  # noqa: S101  (a snapshot is of one)

    async def first() -> bool:
        return await _is_first(source, snapshot)

    async def keys() -> bool:
        whole = await copier.keys_of(execution_id, snapshot.tenant)
        if along:
            whole = await copier.keys_of(execution_id, None, counts=first) and whole
        return whole

    await copier.execution(snapshot, keys)


async def _is_first(source: StoreContext, snapshot: Place) -> bool:
    """Whether a snapshot is that of the first of its execution's tenants."""
    assert snapshot.execution is not None  # noqa: S101  (see above)
    for owner in await _owners(source, snapshot.execution):
        if owner == snapshot.tenant:
            return True
        name = source.layout.snapshot(owner, snapshot.execution)
        if await source.objects.head(source.call(OPERATION), name) is not None:
            return False
    return True


async def _keys_alone(copier: Copier, source: StoreContext, key: Place) -> None:
    """Copies the keys of an execution that has no snapshot for them to go with."""
    assert key.execution is not None  # noqa: S101  (see above)
    owners = await _owners(source, key.execution) if key.tenant is None else [key.tenant]
    for owner in owners:
        snapshot = source.layout.snapshot(owner, key.execution)
        if await source.objects.head(source.call(OPERATION), snapshot) is not None:
            return
    await copier.keys_of(key.execution, key.tenant)


async def _owners(source: StoreContext, execution_id: str) -> list[str]:
    prefix = source.layout.owners_of(execution_id)
    pages = source.objects.all_pages(OPERATION, prefix, source.deadline)
    places = [source.layout.parse(info.name) async for page in pages for info in page]
    return [place.tenant for place in places if place is not None and place.tenant is not None]


async def _has_shared_executions(source: StoreContext) -> bool:
    if source.owners is None:
        return False
    prefix = source.layout.executions(None)
    async for page in source.objects.all_pages(OPERATION, prefix, source.deadline, limit=1):
        if page:
            return True
    return False


async def _places(source: StoreContext, extent: Extent) -> AsyncGenerator[Place, None]:
    """The places of the objects of ours in an extent."""
    for piece in extent.pieces():
        if piece.folder == source.layout.owners:
            continue  # a record is written with its snapshot
        async with aclosing(piece.pages(source.objects, OPERATION, source.deadline)) as pages:
            async for page in pages:
                for info in page:
                    place = source.layout.parse(info.name)
                    if place is not None and not source.objects.surely_expired(info):
                        yield place

"""One division of a store for all workers of a run, in whatever order they start.

A division depends on what a worker saw when it made it, so two separate divisions may leave gaps
between them. So the first worker of a run stores its division under a key, which only one worker
can create, and the others read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.admin.holdings import keeps_owner_records
from statebucket.admin.opened import context_of
from statebucket.contract.partition import MAX_PARTITIONS, Partition
from statebucket.contract.versions import Version
from statebucket.errors import CorruptObject, InvalidArgument, VersionConflict, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.contract.state_store import StateStore
    from statebucket.scale.jobs import Job

KEY = "statebucket-partitions:"
KEPT = 14 * 86_400
"""How many seconds a run's division is kept: longer than a run with all its repetitions."""

PARTS_A_WORKER = 8

MAX_WORKERS = MAX_PARTITIONS // PARTS_A_WORKER


async def agreed(
    source: StateStore,
    kept_at: StateStore,
    *,
    workers: int,
    tenant: str | None,
    run: str,
    first: Callable[[], Awaitable[None]] | None = None,
) -> list[Partition]:
    """The division of a run: 1 request, or that of `StateStore.partitions` and 2 for the first.

    Args:
        source: The store to divide.
        kept_at: The store that holds the division; see `keeper`.
        workers: How many workers there are.
        tenant: Divide what this tenant has.
        run: A name that is the same for all workers of the run, and different for other runs.
        first: Called by the worker that divides the store, before it does.

    Raises:
        InvalidArgument: The run has no name.
        UnsupportedOperation: The store has ``owner_index=false``, and no keys without a tenant.
        CorruptObject: The key holds something else.
    """
    if not run:
        raise InvalidArgument(
            "the workers of a run need a common name: pass --run, the same for all workers and a "
            "different one for each run"
        )
    key = f"{KEY}{run}:{workers}:{'' if tenant is None else tenant}"
    found = await kept_at.get_json(key)
    if found is None:
        if first is not None:
            await first()
        parts = await source.partitions(workers * PARTS_A_WORKER, tenant=tenant)
        try:
            await kept_at.set_json(
                key, [part.to_dict() for part in parts], KEPT, if_version=Version.ABSENT
            )
        except VersionConflict:
            found = await kept_at.get_json(key)  # another worker was quicker
        else:
            return parts
    return _read(key, found)


def keeper(job: Job, store: StateStore) -> StateStore:
    """Where a run's division is kept, outside of what the run removes.

    It is a key that belongs to no tenant. If the store has no such keys, or is bound to a tenant,
    it is a key of the tenant that is worked on.

    Args:
        job: What the run does.
        store: The store, or a copy's target.

    Raises:
        InvalidArgument: The run removes that tenant's keys.
    """
    bound = context_of(store).tenant
    if bound is None and keeps_owner_records(store):
        return store
    if job.command == "delete_tenant":
        reason = (
            f"the URL is bound to tenant {shown(bound)}, and what the machines agree on would be "
            "removed with its keys: leave tenant= out of the URL"
            if bound is not None
            else "with owner_index=false only the tenant's own keys could hold what the machines "
            "agree on: leave --partition out, and use --jobs or --dask"
        )
        raise InvalidArgument(f"rm-tenant in parts on several machines: {reason}")
    return store if bound is not None or job.tenant is None else store.tenant(job.tenant)


def of_worker(partitions: list[Partition], index: int, count: int) -> list[Partition]:
    """The parts of one worker; each part belongs to one worker only."""
    return partitions[index::count]


def _read(key: str, found: Any) -> list[Partition]:  # noqa: ANN401  (what JSON holds)
    try:
        parts = [Partition.from_dict(one) for one in found]
    except (InvalidArgument, TypeError) as error:
        raise CorruptObject(f"key {key!r} is not a division of a store") from error
    ends = [None, *(part.end for part in parts)]
    if not parts or ends[-1] is not None or [part.start for part in parts] != ends[:-1]:
        raise CorruptObject(f"key {key!r} is a division that leaves something out")
    return parts

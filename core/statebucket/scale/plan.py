"""One division of a store for all workers of a run, however they start.

A division depends on what a worker saw when it made it, so that of two made apart one may end where
the other does not begin. So the first worker of a run writes its own down, as a key that exists
once, and the others read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.contract.partition import Partition
from statebucket.contract.versions import Version
from statebucket.errors import CorruptObject, InvalidArgument, VersionConflict

if TYPE_CHECKING:
    from statebucket.contract.state_store import StateStore

KEY = "statebucket-partitions:"
KEPT = 14 * 86_400
"""For how many seconds a run's division is kept: longer than a run with all its repetitions."""

PARTS_A_WORKER = 8


async def agreed(
    source: StateStore, kept_at: StateStore, *, workers: int, tenant: str | None, run: str
) -> list[Partition]:
    """The division of a run: 1 request, or that of `StateStore.partitions` and 2 for the first.

    Args:
        source: The store to divide.
        kept_at: The store to keep the division in, among the keys that belong to no tenant.
        workers: How many workers there are.
        tenant: Divide what this tenant has.
        run: What all workers of the run have in common, and no other run has.

    Raises:
        InvalidArgument: The run has no name.
        UnsupportedOperation: The store has ``owner_index=false``, and no keys without a tenant.
        CorruptObject: The key holds something else.
    """
    if not run:
        raise InvalidArgument(
            "the workers of a run need a name in common: pass --run, the same for all of them and "
            "another for each run"
        )
    key = f"{KEY}{run}:{workers}:{'' if tenant is None else tenant}"
    found = await kept_at.get_json(key)
    if found is None:
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


def of_worker(partitions: list[Partition], index: int, count: int) -> list[Partition]:
    """The parts of one worker: each of them is one worker's."""
    return partitions[index::count]


def _read(key: str, found: Any) -> list[Partition]:  # noqa: ANN401  (what JSON holds)
    try:
        parts = [Partition.from_dict(one) for one in found]
    except (InvalidArgument, TypeError) as error:
        raise CorruptObject(f"key {key!r} holds no division of a store") from error
    ends = [None, *(part.end for part in parts)]
    if not parts or ends[-1] is not None or [part.start for part in parts] != ends[:-1]:
        raise CorruptObject(f"key {key!r} holds a division that leaves something out")
    return parts

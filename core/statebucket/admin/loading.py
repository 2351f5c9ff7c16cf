"""Many reads at the same time, within the store's limit on its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import CorruptObject
from statebucket.store.tasks import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.state_store import StateStore
    from statebucket.contract.versions import Stored


async def load_snapshots(
    view: StateStore, executions: Sequence[str]
) -> list[Stored[ExecutionSnapshot] | CorruptObject | None]:
    """Loads the snapshots of several executions of a tenant's view: 1 request each.

    Returns:
        For each execution, in their order: its snapshot, the error if it cannot be read, or None if
        there is none.
    """

    async def one(execution_id: str) -> Stored[ExecutionSnapshot] | CorruptObject | None:
        try:
            return await view.execution(execution_id).load_stored()
        except CorruptObject as error:
            return error

    return await in_order(one, executions)

"""What off-boarding by rule would do next, for the command line to ask first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.admin.opened import context_of
from statebucket.store.offboarding import offboard

if TYPE_CHECKING:
    from statebucket.contract.offboarding import OffboardingReport
    from statebucket.contract.state_store import StateStore


async def next_step(store: StateStore, tenant_id: str) -> OffboardingReport:
    """The step that ``delete_tenant(…, by="lifecycle")`` would take: 2 requests, which only read.

    Args:
        store: The store, of no tenant.
        tenant_id: The tenant.

    Returns:
        Its report: "started" where it would write the rule, "done" where it would remove the owner
        records and the rule, none of which are counted.

    Raises:
        UnsupportedOperation: No rule can be written.
    """
    return await offboard(context_of(store), tenant_id, dry_run=True)

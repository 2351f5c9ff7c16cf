"""Offboarding by rule step by step, for the command line to ask first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.admin.opened import context_of
from statebucket.store import offboarding

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.contract.offboarding import OffboardingReport, Stage
    from statebucket.contract.reports import DeletionReport
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
        UnsupportedOperation: No rule can be written, or the tenant's was changed.
    """
    return (await offboarding.next_step(context_of(store), tenant_id)).report()


async def take_step(
    store: StateStore,
    tenant_id: str,
    stage: Stage,
    progress: Callable[[DeletionReport], None] | None = None,
) -> OffboardingReport | None:
    """Takes the next step if it still is the one that was announced.

    Args:
        store: The store, of no tenant.
        tenant_id: The tenant.
        stage: That of the step that `next_step` has returned.
        progress: Called with what was removed so far, after each batch of owner records.

    Returns:
        Its report; None if the bucket has changed since so that another step is next. Then
        nothing was done.

    Raises:
        StateBucketError: See `StateStore.delete_tenant`.
    """
    step = await offboarding.next_step(context_of(store), tenant_id)
    return await step.take(progress) if step.stage == stage else None

"""Off-boarding by rule: the bucket removes a tenant, and what no rule reaches is removed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.offboarding import OffboardingReport
from statebucket.errors import UnsupportedOperation
from statebucket.lifecycle.offboarding import TenantRule, due, started_on
from statebucket.lifecycle.rules import Scope
from statebucket.port.expiry import from_ms
from statebucket.store.removal import Remover
from statebucket.store.retrying_port import lifecycle_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket.contract.lifecycle import Rule
    from statebucket.contract.reports import DeletionReport
    from statebucket.store.context import StoreContext

_OPERATION = "delete_tenant"


async def offboard(
    context: StoreContext,
    tenant_id: str,
    *,
    dry_run: bool = False,
    progress: Callable[[DeletionReport], None] | None = None,
) -> OffboardingReport:
    """Does the next step of removing a tenant by rule; see `StateStore.delete_tenant`.

    Owner records go last, once nothing is left of the tenant: while its snapshots live, each sweep
    would write them again. The rule goes after them, so that a run that is cut short is repeated.

    Args:
        context: The store's.
        tenant_id: The tenant.
        dry_run: Only say which step it would be.
        progress: Called with what was removed so far, after each batch of owner records.

    Raises:
        UnsupportedOperation: No rule can be written; see `StateStore.delete_tenant`.
    """
    if context.tenant is not None:
        raise UnsupportedOperation(
            f"{_OPERATION}: the rules are the whole bucket's; call it on the store itself, or "
            "remove the tenant by requests, as is the default"
        )
    remover = Remover(context, _OPERATION, progress=progress)
    rule = _rule_of(context, tenant_id)
    found = await rule.read()
    there = rule.among(found)
    today = from_ms(context.objects.now_ms()).date()
    if await _has_objects(context, tenant_id):
        if there is not None:
            return OffboardingReport(
                tenant_id=tenant_id,
                stage="removing",
                rule=_named(there),
                done_after=due(started_on(there) or today),
            )
        rule.writable(found)
        written = "" if dry_run else _named(await _rule_of(context, tenant_id).write(today))
        return OffboardingReport(
            tenant_id=tenant_id, stage="started", rule=written, done_after=due(today)
        )
    owners = 0
    if context.owners is not None and not dry_run:
        owners = (await remover.owner_records(tenant_id)).owners
    by_hand = rule.terraforms(found)
    if there is not None and not (by_hand or dry_run):
        await _rule_of(context, tenant_id).remove()
    return OffboardingReport(
        tenant_id=tenant_id,
        stage="done",
        rule="" if there is None else _named(there),
        owners=owners,
        module_input=by_hand,
    )


def _rule_of(context: StoreContext, tenant_id: str) -> TenantRule:
    """The tenant's rule, for requests that begin now.

    Raises:
        UnsupportedOperation: The service has no rules.
    """
    port, layout = lifecycle_port(context, _OPERATION), context.layout
    if port is None:
        raise UnsupportedOperation(
            f"{_OPERATION}: {context.objects.bucket.name} has no lifecycle rules: remove the "
            "tenant by requests, as is the default"
        )
    scope = Scope(layout.prefix, layout.areas, port.removal)
    return TenantRule(port, scope, tenant_id, layout.tenant(tenant_id))


async def _has_objects(context: StoreContext, tenant_id: str) -> bool:
    """Whether anything lies below a tenant's prefix, expired or foreign as it may be: 1 request."""
    prefix = context.layout.tenant(tenant_id)
    async for page in context.objects.all_pages(_OPERATION, prefix, context.deadline, 1):
        if page:
            return True
    return False


def _named(rule: Rule) -> str:
    return rule.id or rule.prefixes[0]

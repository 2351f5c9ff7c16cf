"""Offboarding by rule: the bucket removes a tenant, and what no rule reaches is removed here."""

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
    from datetime import datetime

    from statebucket.contract.lifecycle import Rule
    from statebucket.contract.offboarding import Stage
    from statebucket.contract.reports import DeletionReport
    from statebucket.port.lifecycle import Lifecycle, UnreadableRules
    from statebucket.store.context import StoreContext

_OPERATION = "delete_tenant"


class OffboardingStep:
    """The next step of removing a tenant by rule, as one look at its bucket shows it.

    Owner records go last, once nothing is left of the tenant: while its snapshots live, each sweep
    would write them again. The rule goes after them, so that a run that is cut short is repeated.

    Args:
        context: The store's.
        tenant_id: The tenant.
        found: The bucket's rules.
        has_objects: Whether anything is left below the tenant's prefix.

    Raises:
        UnsupportedOperation: No rule can be written, or the tenant's was changed; see
            `StateStore.delete_tenant`.
    """

    def __init__(
        self,
        context: StoreContext,
        tenant_id: str,
        found: Lifecycle | UnreadableRules,
        *,
        has_objects: bool,
    ) -> None:
        self._context = context
        self._tenant = tenant_id
        self._today = from_ms(context.objects.now_ms()).date()
        self._its: list[Rule] = []
        self._by_hand = ""
        rule = _rule_of(context, tenant_id)
        acting = rule.acting(found)
        self.stage: Stage = "started"
        if not has_objects:
            self.stage = "done"
            self._by_hand = rule.terraforms(found)
            self._its = rule.among(found) if self._by_hand else rule.removable(found)
        elif acting is not None:
            self.stage = "removing"
            self._its = [acting]
        else:
            rule.addable(found)

    def report(self, *, owners: int = 0) -> OffboardingReport:
        """The step's report, before or after it was taken."""
        until: datetime | None = None
        if self.stage != "done":
            until = due((started_on(self._its[0]) if self._its else None) or self._today)
        return OffboardingReport(
            tenant_id=self._tenant,
            stage=self.stage,
            rule=_named(self._its[0]) if self._its else "",
            done_after=until,
            owners=owners,
            module_input=self._by_hand,
        )

    async def take(
        self, progress: Callable[[DeletionReport], None] | None = None
    ) -> OffboardingReport:
        """Takes the step; see `StateStore.delete_tenant` for its requests.

        Args:
            progress: Called with what was removed so far, after each batch of owner records.
        """
        owners = 0
        if self.stage == "started":
            self._its = [await _rule_of(self._context, self._tenant).write(self._today)]
        elif self.stage == "done":
            if self._context.owners is not None:
                remover = Remover(self._context, _OPERATION, progress=progress)
                owners = (await remover.owner_records(self._tenant)).owners
            if self._its and not self._by_hand:
                await _rule_of(self._context, self._tenant).remove()
        return self.report(owners=owners)


async def next_step(context: StoreContext, tenant_id: str) -> OffboardingStep:
    """Determines the next step of removing a tenant by rule: 2 requests, which only read.

    Args:
        context: The store's.
        tenant_id: The tenant.

    Raises:
        UnsupportedOperation: As `OffboardingStep`; or the store is a tenant's view.
    """
    if context.tenant is not None:
        raise UnsupportedOperation(
            f"{_OPERATION}: the rules are the whole bucket's; call it on the store itself, or "
            "remove the tenant by requests, as is the default"
        )
    found = await _rule_of(context, tenant_id).read()
    has_objects = await _has_objects(context, tenant_id)
    return OffboardingStep(context, tenant_id, found, has_objects=has_objects)


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

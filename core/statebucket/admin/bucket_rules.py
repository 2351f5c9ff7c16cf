"""The lifecycle rules of a store's bucket, beside those that the store needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.admin.opened import context_of
from statebucket.contract.lifecycle import Rule
from statebucket.lifecycle.rules import Scope, needed_rules, rooted
from statebucket.port.lifecycle import TERRAFORM_ID, Lifecycle
from statebucket.store.retrying_port import lifecycle_port

if TYPE_CHECKING:
    from statebucket.contract.state_store import StateStore


class BucketRules(msgspec.Struct, frozen=True, kw_only=True):
    """Needed rules and found ones.

    Attributes:
        needed: What the store needs, as the service would show it.
        found: What the bucket has; None if its rules cannot be read.
        terraform: Whether our Terraform module has marked them.
        policy: Where rules can only be written by the service's own command line, what it takes
            for the needed ones.
    """

    needed: tuple[Rule, ...] = ()
    found: tuple[Rule, ...] | None = None
    terraform: bool = False
    policy: dict[str, Any] | None = None

    def by_terraform(self, rule: Rule) -> bool:
        """Whether our Terraform module wrote a rule that was found."""
        return self.terraform and rule.id.startswith(TERRAFORM_ID)


async def rules_of(store: StateStore) -> BucketRules:
    """Reads the rules of a store's bucket: 1 request, none on a service without rules."""
    context = context_of(store)
    port, layout = lifecycle_port(context, "lifecycle show"), context.layout
    if port is None:
        return BucketRules()
    needed = needed_rules(Scope(layout.prefix, layout.areas, port.removal))
    needed = rooted(needed, port.rule_root)
    found = await port.read_lifecycle()
    if not isinstance(found, Lifecycle):
        policy = found.policy(needed) if needed and found.policy is not None else None
        return BucketRules(needed=tuple(needed), policy=policy)
    return BucketRules(needed=tuple(needed), found=found.rules, terraform=found.terraform)

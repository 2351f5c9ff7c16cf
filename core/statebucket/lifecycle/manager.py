"""What `apply_lifecycle` would change on a bucket, and the change itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
from statebucket.lifecycle.check import SWEPT, compare, swept, unseen
from statebucket.lifecycle.rewriting import rewritten
from statebucket.lifecycle.rules import Scope, digest, is_ours, merge, needed_rules
from statebucket.port.lifecycle import SWEEP_ONLY, TERRAFORM_ID, Lifecycle, UnreadableRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.contract.lifecycle import Rule
    from statebucket.port.lifecycle import LifecyclePort


class LifecycleManager:
    """Checks and fixes the lifecycle rules of one store's bucket.

    Args:
        port: The adapter; None for one without lifecycle rules.
        prefix: The store's prefix, without a slash at either end.
        areas: The prefixes that the store writes below, each with its closing slash.
        owner_index: Whether the store has owner records, which the Terraform module must know.
    """

    def __init__(
        self, port: LifecyclePort | None, prefix: str, areas: Sequence[str], *, owner_index: bool
    ) -> None:
        self._port = port
        self._scope = Scope(prefix, tuple(areas), SWEEP_ONLY if port is None else port.removal)
        self._owner_index = owner_index
        self._needed = needed_rules(self._scope)

    async def check(self) -> LifecycleReport:
        """Compares the bucket's rules with those that are needed: 1 request."""
        return self._report(await self._read())

    async def apply(self, *, dry_run: bool) -> LifecyclePlan:
        """Writes the rules that are missing or wrong, unless Terraform owns them: 2 requests.

        Args:
            dry_run: Only say what would be written.
        """
        if self._port is None or dry_run:
            return self._plan(await self._read())[0]
        plan, applied = await rewritten("apply_lifecycle", self._port, self._plan)
        return msgspec.structs.replace(plan, applied=applied)

    async def _read(self) -> Lifecycle | UnreadableRules | None:
        return None if self._port is None else await self._port.read_lifecycle()

    def _report(self, found: Lifecycle | UnreadableRules | None) -> LifecycleReport:
        if self._port is None or found is None:
            return swept()
        if isinstance(found, UnreadableRules):
            if not self._needed:
                return swept()
            return unseen(self._needed, found, self._scope, root=self._port.rule_root)
        report = compare(self._needed, found, self._scope)
        if not self._needed:
            return LifecycleReport(findings=(*report.findings, SWEPT))
        return report

    def _plan(
        self, found: Lifecycle | UnreadableRules | None
    ) -> tuple[LifecyclePlan, list[Rule] | None]:
        """The plan, and all rules to write; None if nothing is to be written."""
        report = self._report(found)
        plan = LifecyclePlan(applied=False, report=report)
        fixable = any(finding.fixable for finding in report.findings)
        if not isinstance(found, Lifecycle) or not fixable:
            return plan, None
        if found.terraform:
            return msgspec.structs.replace(plan, module_input=self._module_input(found)), None
        removed = tuple(rule for rule in found.rules if is_ours(rule, self._scope))
        rules = merge(found.rules, self._needed, self._scope)
        plan = msgspec.structs.replace(
            plan,
            added=tuple(rule for rule in rules if rule.raw is None),
            removed=removed,
            kept=tuple(rule for rule in found.rules if rule not in removed),
        )
        return plan, rules

    def _module_input(self, found: Lifecycle) -> str:
        """The input with which the Terraform module writes the rules that this store needs."""
        prefix = msgspec.json.encode(self._scope.prefix).decode()
        known = digest(self._scope.prefix) in found.terraform_prefixes
        if known and len(found.terraform_prefixes) == 1:
            # The module has this prefix, so its own rules were changed or are outdated.
            return "\n".join(
                [
                    "# `terraform apply` of the module restores its rules; its input must be",
                    f"prefix      = {prefix}",
                    f"owner_index = {str(self._owner_index).lower()}",
                ]
            )
        rules = needed_rules(self._scope, id_start=TERRAFORM_ID)
        text = msgspec.json.format(msgspec.json.encode([rule.plain() for rule in rules]), indent=2)
        lines = [
            "# Add these to the entries that extra_lifecycle_rules has already:",
            f"extra_lifecycle_rules = {text.decode()}",
        ]
        if known:
            # If there are several prefixes, one is the module's own and the others came as extra
            # rules.
            lines.insert(
                0,
                "# `terraform apply` of the module restores its rules, if its prefix is "
                f"{prefix} or it has these already; else it needs them.",
            )
        return "\n".join(lines)

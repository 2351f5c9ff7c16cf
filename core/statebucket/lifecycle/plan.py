"""What `apply_lifecycle` would change on a bucket, and the change itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from statebucket.errors import PreconditionFailed, Unavailable
from statebucket.lifecycle.check import SWEPT, compare, swept, unseen
from statebucket.lifecycle.report import LifecycleReport
from statebucket.lifecycle.rules import Scope, digest, is_ours, merge, needed_rules
from statebucket.port.lifecycle import SWEEP_ONLY, TERRAFORM_ID, Lifecycle, Rule, UnreadableRules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statebucket.port.lifecycle import LifecyclePort

T = TypeVar("T")

MAX_TRIES = 5  # at a change that somebody else's keeps overtaking


class LifecyclePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `apply_lifecycle` changes, or would change.

    Attributes:
        applied: Whether the change was made.
        report: What `check_lifecycle` said before it.
        added: The rules that are written.
        removed: The rules of ours that they replace.
        kept: The foreign rules, which stay as they are.
        module_input: On a bucket whose rules Terraform owns: what to pass to the module instead.
    """

    applied: bool
    report: LifecycleReport
    added: tuple[Rule, ...] = ()
    removed: tuple[Rule, ...] = ()
    kept: tuple[Rule, ...] = ()
    module_input: str = ""

    @property
    def outcome(self) -> str:
        """What became of a plan that changes nothing, in a few words."""
        if any(finding.kind == "unknown" for finding in self.report.findings):
            return "nothing was written: these rules cannot be written from here"
        return "nothing to change" if self.report.ok else "nothing was written"

    def __str__(self) -> str:
        lines = [str(self.report)]
        if self.module_input:
            lines += [
                "Terraform owns this bucket's rules and would undo a change: nothing is written.",
                self.module_input,
            ]
        elif self.added:
            lines += [f"- {rule.shown}" for rule in self.removed]
            lines += [f"+ {_plain(rule)}" for rule in self.added]
            lines.append(f"{len(self.kept)} other rules stay as they are")
            lines.append("applied" if self.applied else "not applied: a dry run")
        else:
            lines.append(self.outcome)
        return "\n".join(lines)


class LifecycleManager:
    """Checks and fixes the lifecycle rules of one store's bucket.

    Args:
        port: The adapter; None for one without lifecycle rules.
        prefix: The store's prefix, without a slash at either end.
        areas: The prefixes that the store writes below, each with its closing slash.
        owner_index: Whether the store keeps owner records, as the Terraform module must know.
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
        for _ in range(MAX_TRIES):
            found = await self._read()
            plan, rules = self._plan(found)
            if dry_run or self._port is None or not isinstance(found, Lifecycle) or not rules:
                return plan
            try:
                await self._port.write_lifecycle(rules, found)
            except PreconditionFailed:
                continue  # somebody else has changed the rules since: their change must survive
            return msgspec.structs.replace(plan, applied=True)
        raise Unavailable("apply_lifecycle: the bucket is changed too often by somebody else")

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

    def _plan(self, found: Lifecycle | UnreadableRules | None) -> tuple[LifecyclePlan, list[Rule]]:
        """The plan, and all rules to write; none where nothing is to be written."""
        report = self._report(found)
        plan = LifecyclePlan(applied=False, report=report)
        fixable = any(finding.fixable for finding in report.findings)
        if not isinstance(found, Lifecycle) or not fixable:
            return plan, []
        if found.terraform:
            return msgspec.structs.replace(plan, module_input=self._module_input(found)), []
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
        """What makes the Terraform module write the rules that this store needs."""
        prefix = msgspec.json.encode(self._scope.prefix).decode()
        known = digest(self._scope.prefix) in found.terraform_prefixes
        if known and len(found.terraform_prefixes) == 1:
            # The module has this very prefix, so that its own rules were changed or are old.
            return "\n".join(
                [
                    "# `terraform apply` of the module restores its rules; its input must be",
                    f"prefix      = {prefix}",
                    f"owner_index = {str(self._owner_index).lower()}",
                ]
            )
        rules = needed_rules(self._scope, id_start=TERRAFORM_ID)
        text = msgspec.json.format(msgspec.json.encode([_plain(rule) for rule in rules]), indent=2)
        lines = [
            "# These, beside the entries that extra_lifecycle_rules has already, which stay:",
            f"extra_lifecycle_rules = {text.decode()}",
        ]
        if known:
            # Of several prefixes, one is the module's own and the others came as extra rules.
            lines.insert(
                0,
                "# `terraform apply` of the module restores its rules, if its prefix is "
                f"{prefix} or it has these already; else it needs them.",
            )
        return "\n".join(lines)


class Sender(Protocol):
    """Sends a request, again where it fails for a moment."""

    def __call__(self, send: Callable[[], Awaitable[T]], /, *, writes: bool) -> Awaitable[T]:
        """Returns what ``send`` returns."""
        ...


class RetryingPort:
    """A `LifecyclePort` whose requests are sent by the core's retry policy.

    Args:
        port: The adapter.
        send: The policy.
    """

    def __init__(self, port: LifecyclePort, send: Sender) -> None:
        self._port = port
        self._send = send
        self.removal = port.removal
        self.rule_root = port.rule_root

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """See `statebucket.port.lifecycle.LifecyclePort`."""
        return await self._send(self._port.read_lifecycle, writes=False)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """See `statebucket.port.lifecycle.LifecyclePort`."""
        await self._send(lambda: self._port.write_lifecycle(rules, found), writes=True)


def _plain(rule: Rule) -> dict[str, Any]:
    """A rule as the Terraform modules take it: without what it leaves open."""
    plain: dict[str, Any] = msgspec.to_builtins(rule)
    return plain

"""The temporary rule by which a bucket removes one tenant: what it is, and how it is recognised.

It deletes everything below the tenant's prefix a day after it was written. Its prefix, which ends
with a slash so that no other tenant's begins with it, says which tenant it removes; its id says
the same as a digest, and since when. So a rule with an id is recognised even after someone has
changed it; where rules have no ids, only by its form.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import msgspec

from statebucket.contract.lifecycle import RuleFinding
from statebucket.contract.segments import id_below
from statebucket.errors import Unavailable, UnsupportedOperation
from statebucket.lifecycle.rewriting import MAX_TRIES, rewritten
from statebucket.lifecycle.rules import digest, own_id
from statebucket.port.lifecycle import ID, TERRAFORM_ID, Lifecycle, Rule
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statebucket.lifecycle.rules import Scope
    from statebucket.port.lifecycle import LifecyclePort, UnreadableRules

DAYS = 1
"""Days after its write that an object of the tenant's is deleted: the fewest that S3 takes."""

INPUT = "offboarded_tenants"
"""The input of our Terraform modules that makes such rules."""

_OPERATION = "delete_tenant"
_CHANGED = Remedy(
    advice="remove that rule, and offboard the tenant again if something is left of it"
)
_STARTED = re.compile(rf"{ID}offboard-[0-9a-f]{{8}}-(\d{{8}})-")


def offboarding_rule(scope: Scope, prefix: str, started: date | None) -> Rule:
    """The rule that removes a tenant.

    Args:
        scope: The store's part of the bucket.
        prefix: The tenant's prefix, with its closing slash.
        started: The day it is written; None for a rule that Terraform writes.
    """
    removal = scope.removal
    if not removal.rule_ids:  # its age is that of every version, and each rule does one thing
        return Rule(prefixes=(prefix,), expiration_days=DAYS)
    by_terraform, by_us = _id_starts(scope)
    start = by_terraform if started is None else f"{by_us}{started:%Y%m%d}-"
    return Rule(
        id=f"{start}{_mark(prefix)}",
        prefixes=(prefix,),
        expiration_days=DAYS,
        noncurrent_days=DAYS if removal.versions else None,
        abort_uploads_days=DAYS if removal.abort_uploads else None,
    )


def tenant_of(rule: Rule, scope: Scope) -> str | None:
    """The tenant that a rule of a bucket removes at our request; None for any other rule."""
    if len(rule.prefixes) != 1:
        return None
    tenant_id = id_below(scope.tenants, rule.prefixes[0])
    if tenant_id is None:
        return None
    return (
        tenant_id
        if (not rule.id or _names(rule, rule.prefixes[0], scope)) and _acts(rule)
        else None
    )


def was_changed(rule: Rule, scope: Scope) -> bool:
    """Whether a rule was written to remove a tenant, and someone has changed it since."""
    ours = bool(rule.id) and rule.id.startswith(_id_starts(scope))
    return ours and tenant_of(rule, scope) is None


def _names(rule: Rule, prefix: str, scope: Scope) -> bool:
    """Whether a rule's id is that of the rule for a tenant's prefix, whatever the rule does."""
    return rule.id.startswith(_id_starts(scope)) and rule.id.endswith(_mark(prefix))


def _changes(rule: Rule) -> str:
    """How a rule differs from the one that was written."""
    changes = [] if rule.enabled else ["it is disabled"]
    if len(rule.prefixes) != 1 or not rule.id.endswith(_mark(rule.prefixes[0])):
        changes.append(f"it is for {', '.join(map(repr, rule.prefixes))}")
    if rule.tags or rule.narrowed:
        changes.append("it has further conditions")
    if rule.expiration_date is not None:
        changes.append(f"it deletes from {rule.expiration_date} on")
    elif rule.expiration_days is None:
        changes.append("it deletes no objects")
    elif rule.expiration_days != DAYS:
        changes.append(f"it deletes after {rule.expiration_days} days")
    return ", ".join(changes or ["it does something else, too"])


def _acts(rule: Rule) -> bool:
    """Whether a rule removes all below its prefix after just our days, and does so now."""
    plain = Rule(
        id=rule.id,
        prefixes=rule.prefixes,
        expiration_days=DAYS,
        noncurrent_days=rule.noncurrent_days if rule.id else None,
        abort_uploads_days=rule.abort_uploads_days if rule.id else None,
    )
    return msgspec.structs.replace(rule, raw=None) == plain


def _id_starts(scope: Scope) -> tuple[str, str]:
    """How the ids of such rules begin: of the Terraform module's, and of our own."""
    by_terraform = f"{own_id(scope.prefix, start=TERRAFORM_ID)}offboard-"
    return by_terraform, f"{ID}offboard-{digest(scope.prefix)}-"


def _mark(prefix: str) -> str:
    """What the id of a rule ends with, by which it names its tenant."""
    return hashlib.sha256(prefix.encode()).hexdigest()[:16]


def started_on(rule: Rule) -> date | None:
    """The day on which a rule was written, if its id contains it."""
    found = _STARTED.match(rule.id)
    try:
        return None if found is None else datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None


def due(started: date) -> datetime:
    """When a rule has removed everything that existed on the day it was written.

    S3 rounds a day after the write up to the next midnight UTC, which no other service exceeds.
    """
    return datetime(started.year, started.month, started.day, tzinfo=UTC) + timedelta(days=DAYS + 1)


def offboardings(found: Lifecycle, scope: Scope) -> Iterator[RuleFinding]:
    """A finding for each rule that removes a tenant at our request, or did until it was changed."""
    for rule in found.rules:
        if was_changed(rule, scope):
            yield RuleFinding(
                kind="wrong",
                rule=rule.id,
                message=f"{rule.shown} was written to remove a tenant for {_OPERATION}, and was "
                f"changed since: {_changes(rule)}",
                remedy=_CHANGED,
            )
        tenant_id = tenant_of(rule, scope)
        if tenant_id is None:
            continue
        started = started_on(rule)
        when = "" if started is None else f" since {started}, due {due(started):%Y-%m-%d %H:%M} UTC"
        then = ", and take it out of the Terraform module's input" if found.terraform else ""
        yield RuleFinding(
            kind="note",
            rule=rule.id,
            message=f"{rule.shown} removes tenant {tenant_id!r} for delete_tenant{when}: all "
            f"written below {rule.prefixes[0]} is deleted {DAYS} day later",
            remedy=Remedy(
                advice=f"run this until nothing is left of it{then}",
                call=f'{_OPERATION}({tenant_id!r}, by="lifecycle")',
                command=f"statebucket rm-tenant {shlex.quote(tenant_id)} --by-lifecycle",
            ),
        )


class TenantRule:
    """The rule that removes one tenant, in its bucket.

    Args:
        port: The adapter.
        scope: The store's part of the bucket.
        tenant_id: The tenant.
        prefix: The tenant's prefix, with its closing slash.
    """

    def __init__(self, port: LifecyclePort, scope: Scope, tenant_id: str, prefix: str) -> None:
        self._port = port
        self._scope = scope
        self._tenant = tenant_id
        self._prefix = prefix

    async def read(self) -> Lifecycle | UnreadableRules:
        """The bucket's rules: 1 request."""
        return await self._port.read_lifecycle()

    def acting(self, found: Lifecycle | UnreadableRules) -> Rule | None:
        """The rule among the bucket's that removes the tenant, if it exists."""
        rules = found.rules if isinstance(found, Lifecycle) else ()
        return next((r for r in rules if tenant_of(r, self._scope) == self._tenant), None)

    def among(self, found: Lifecycle | UnreadableRules) -> list[Rule]:
        """The rules that were written to remove the tenant, changed since or not."""
        rules = found.rules if isinstance(found, Lifecycle) else ()
        return [
            rule
            for rule in rules
            if tenant_of(rule, self._scope) == self._tenant
            or (was_changed(rule, self._scope) and _names(rule, self._prefix, self._scope))
        ]

    def addable(self, found: Lifecycle | UnreadableRules) -> Lifecycle:
        """The rules, if the tenant's may be written beside them.

        One that someone has changed is not replaced: that may have been to stop the removal.

        Raises:
            UnsupportedOperation: It may not; the message says what to do.
        """
        rules = self.writable(found)
        for rule in self.among(rules):
            self._refuse(rule)
        return rules

    def removable(self, found: Lifecycle | UnreadableRules) -> list[Rule]:
        """The tenant's rules, changed or not, which are of no use once the tenant is gone.

        Raises:
            UnsupportedOperation: Someone has given one another prefix, where it may be needed.
        """
        rules = self.among(found)
        for rule in rules:
            if rule.prefixes != (self._prefix,):
                self._refuse(rule)
        return rules

    def _refuse(self, rule: Rule) -> NoReturn:
        raise UnsupportedOperation(
            f"{_OPERATION}: the rule {rule.shown} was written to remove tenant {self._tenant!r}, "
            f"and was changed since: {_changes(rule)}. Nothing was done: remove that rule, or "
            "restore it, and run this again"
        )

    async def write(self, today: date) -> Rule:
        """Writes the rule, unless it exists: 2 requests.

        Args:
            today: The day, in UTC.

        Raises:
            UnsupportedOperation: statebucket cannot write the rules, Terraform owns them, or
                someone has changed the tenant's.
        """

        def decide(found: Lifecycle | UnreadableRules) -> tuple[Rule, Sequence[Rule] | None]:
            before = self.acting(found)
            if before is not None:
                return before, None
            rule = offboarding_rule(self._scope, self._prefix, today)
            return rule, [*self.addable(found).rules, rule]

        rule, _ = await rewritten(_OPERATION, self._port, decide)
        return rule

    async def remove(self) -> None:
        """Removes the tenant's rules, and leaves the others as they are: 3 requests.

        S3 replaces a bucket's rules whole, without a condition, so that a change made at the same
        time may bring the rule back. It is removed until it is no longer there.

        Raises:
            UnsupportedOperation: See `removable`.
            Unavailable: Someone else kept changing the rules.
        """

        def decide(found: Lifecycle | UnreadableRules) -> tuple[None, Sequence[Rule] | None]:
            its = self.removable(found)
            if not its:
                return None, None
            return None, [rule for rule in self.writable(found).rules if rule not in its]

        for _ in range(MAX_TRIES):
            _, written = await rewritten(_OPERATION, self._port, decide)
            if not written:
                return
        raise Unavailable(
            f"{_OPERATION}: gave up after {MAX_TRIES} attempts: the tenant's rule kept coming back "
            "(concurrent writer)"
        )

    def writable(self, found: Lifecycle | UnreadableRules) -> Lifecycle:
        """The rules, if statebucket may write them.

        Raises:
            UnsupportedOperation: They may not; the message says what to do instead.
        """
        if not isinstance(found, Lifecycle):
            how = "remove the tenant by requests, as is the default"
            if found.remedy.terraform is not None:
                module = found.remedy.terraform.module
                how = f"pass {self._input} to the module {module} and apply it, or {how}"
            raise UnsupportedOperation(f"{_OPERATION}: {found.reason}: {how}")
        if found.terraform:
            raise UnsupportedOperation(
                f"{_OPERATION}: Terraform owns this bucket's rules and would undo a change: add "
                f"{self.module_input(found)} to its module (with the tenants that are listed there "
                "already), apply it, and run this again"
            )
        return found

    def terraforms(self, found: Lifecycle | UnreadableRules) -> str:
        """The module's input that has the rule, where it is Terraform's, or may be; else empty."""
        if isinstance(found, Lifecycle):
            return self.module_input(found) if found.terraform and self.among(found) else ""
        return self._input if found.remedy.terraform is not None else ""

    @property
    def _input(self) -> str:
        segment = self._prefix[len(self._scope.tenants) : -1]
        return f'{INPUT} = ["{segment}"]'

    def module_input(self, found: Lifecycle) -> str:
        """The input with which the Terraform module writes the rule."""
        known = digest(self._scope.prefix) in found.terraform_prefixes
        if known and len(found.terraform_prefixes) == 1:
            return self._input
        rule = msgspec.json.encode(
            offboarding_rule(self._scope, self._prefix, None).plain()
        ).decode()
        extra = f"extra_lifecycle_rules = [{rule}]"
        if not known:
            return extra
        # Of several prefixes, one is the module's own and the others came as extra rules.
        prefix = msgspec.json.encode(self._scope.prefix).decode()
        return f"{self._input} (if its prefix is {prefix}; else {extra})"

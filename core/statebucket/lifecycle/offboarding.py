"""The temporary rule by which a bucket removes one tenant: what it is, and how it is recognised.

It deletes everything below the tenant's prefix a day after it was written. Its prefix, which ends
with a slash so that no other tenant's begins with it, says which tenant it removes; its id says
since when. Where rules have no ids it is recognised by its form.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

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
    mark = hashlib.sha256(prefix.encode()).hexdigest()[:16]
    start = f"{own_id(scope.prefix, start=TERRAFORM_ID)}offboard-"
    if started is not None:
        start = f"{_id_start(scope)}{started:%Y%m%d}-"
    return Rule(
        id=f"{start}{mark}",
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
    by_terraform = f"{own_id(scope.prefix, start=TERRAFORM_ID)}offboard-"
    ours = not rule.id or rule.id.startswith((_id_start(scope), by_terraform))
    return tenant_id if ours and _acts(rule) else None


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


def _id_start(scope: Scope) -> str:
    return f"{ID}offboard-{digest(scope.prefix)}-"


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
    """A note for each tenant that a rule removes at our request."""
    for rule in found.rules:
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

    def among(self, found: Lifecycle | UnreadableRules) -> Rule | None:
        """The tenant's rule among those of the bucket, if it exists."""
        rules = found.rules if isinstance(found, Lifecycle) else ()
        return next((r for r in rules if tenant_of(r, self._scope) == self._tenant), None)

    async def write(self, today: date) -> Rule:
        """Writes the rule, unless it exists: 2 requests.

        Args:
            today: The day, in UTC.

        Raises:
            UnsupportedOperation: statebucket cannot write the rules, or Terraform owns them.
        """

        def decide(found: Lifecycle | UnreadableRules) -> tuple[Rule, Sequence[Rule] | None]:
            before = self.among(found)
            if before is not None:
                return before, None
            rule = offboarding_rule(self._scope, self._prefix, today)
            return rule, [*self.writable(found).rules, rule]

        rule, _ = await rewritten(_OPERATION, self._port, decide)
        return rule

    async def remove(self) -> None:
        """Removes the rule, and leaves the others as they are: 3 requests.

        S3 replaces a bucket's rules whole, without a condition, so that a change made at the same
        time may bring the rule back. It is removed until it is no longer there.

        Raises:
            Unavailable: Someone else kept changing the rules.
        """

        def decide(found: Lifecycle | UnreadableRules) -> tuple[None, Sequence[Rule] | None]:
            if self.among(found) is None:
                return None, None
            rules = self.writable(found).rules
            return None, [r for r in rules if tenant_of(r, self._scope) != self._tenant]

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
                f"{_OPERATION}: Terraform owns this bucket's rules and would undo a change: pass "
                f"{self.module_input(found)} to its module, beside what is there already, apply "
                "it, and run this again"
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

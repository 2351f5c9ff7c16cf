"""What the example's service has besides objects: identities, and rules that remove objects.

None of it is needed to store state. With it, ``statebucket doctor``, ``check_lifecycle`` and
``apply_lifecycle`` know the service, its words and its Terraform module; the core knows none of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from adapters.example.dictionary import DictionaryBucket
from statebucket.port.bucket import OpenedBucket
from statebucket.port.clock import clock_finding
from statebucket.port.findings import Finding
from statebucket.port.lifecycle import TERRAFORM_ID, Lifecycle, Removal, Rule, UnreadableRules
from statebucket.port.remedies import Remedies, Remedy, TerraformLine
from statebucket.port.url import prefix_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.bucket import Location

MODULE = "example/state/dictionary"
RIGHTS = Remedy(terraform=TerraformLine(MODULE, "users = { function = … }"), command="dict grant …")

# The problems that a store may meet, and how users of this service fix them. The rest has defaults.
REMEDIES = Remedies(
    credentials=Remedy(command="dict login"),
    rights=RIGHTS,
    tenant_rights=Remedy(terraform=TerraformLine(MODULE, "tenant_users = { … }")),
    bucket=Remedy(terraform=TerraformLine(MODULE)),
    settings=Remedy(command="dict grant --reader …"),
)

# Objects have a label, rules have ids, and there are neither versions nor unfinished uploads.
REMOVAL = Removal(tag="keep-days", versions=False, abort_uploads=False)


def open_bucket(location: Location) -> OpenedBucket:
    return OpenedBucket(OperableDictionary(location.host), prefix_of(location))


class OperableDictionary(DictionaryBucket):
    """The adapter, with everything that a service may offer to operators."""

    # statebucket.port.findings.Diagnosable

    remedies = REMEDIES

    async def examine(self, prefix: str) -> Sequence[Finding]:  # noqa: ARG002
        reply = await self.request("GET", "/me")
        me = json.loads(reply.body)
        found = [Finding(check="identity", status="ok", message=f"user {me['user']}")]
        if excess := set(me["may"]) - {"read", "write"}:
            message = f"not needed: it may {', '.join(sorted(excess))}"
            found.append(Finding(check="rights", status="warning", message=message, remedy=RIGHTS))
        return [*found, clock_finding(reply.headers["Date"])]

    # statebucket.port.lifecycle.LifecyclePort

    removal = REMOVAL
    rule_root = ""

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        reply = await self.request("GET", "/rules")
        if reply.status == 404:  # an old server
            return UnreadableRules(
                reason="this server is older than its rules",
                remedy=Remedy(advice="update it, or run this", command="statebucket sweep"),
            )
        rules = tuple(_rule(raw) for raw in json.loads(reply.body))
        marks = [rule.id for rule in rules if rule.id.startswith(TERRAFORM_ID)]
        prefixes = frozenset(mark.removeprefix(TERRAFORM_ID).partition("-")[0] for mark in marks)
        return Lifecycle(
            rules=rules,
            terraform=bool(marks),
            terraform_prefixes=prefixes,
            state=reply.headers["ETag"],
        )

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        raw = [rule.raw if rule.raw is not None else _raw(rule) for rule in rules]
        # Refused with 412, PreconditionFailed, if someone else has changed them meanwhile.
        await self.request("PUT", "/rules", json.dumps(raw).encode(), {"If-Match": found.state})


def _rule(raw: dict[str, Any]) -> Rule:
    """A rule of the service in the core's form; ``raw`` keeps the original, to write it back."""
    return Rule(
        id=raw["name"],
        enabled=raw.get("on", True),
        prefixes=tuple(raw["below"]),
        tags={REMOVAL.tag: raw["label"]} if "label" in raw else {},
        expiration_days=raw["after"],
        raw=raw,
    )


def _raw(rule: Rule) -> dict[str, Any]:
    """One of our rules in the service's form."""
    (label,) = rule.tags.values()
    return {
        "name": rule.id,
        "below": list(rule.prefixes),
        "label": label,
        "after": rule.expiration_days,
    }

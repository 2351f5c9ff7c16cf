"""Lifecycle rules as an adapter reads and writes them.

A `Rule` is what the services' rules have in common. Adapters translate; what rules mean for state
is decided by `statebucket.lifecycle.check`, what to write by `statebucket.lifecycle.manager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from statebucket.contract.lifecycle import Rule as Rule  # noqa: PLC0414  (adapters use it)
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = "statebucket-"
"""How the ids of our rules begin, on services whose rules have ids."""

TERRAFORM_ID = "statebucket-tf-"
"""How the ids of rules begin that a Terraform module of ours wrote: it owns the bucket's rules."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """How the rules of a service remove what has expired: what the needed rules are made from.

    Without a tag or a custom time no rule does, only ``sweep``.

    Attributes:
        tag: The tag whose value is an object's class in days. One rule for each class then deletes
            the objects that have it. Empty where objects are not tagged.
        custom_time_days: Where objects carry their expiry as a custom time: how many days after it
            one rule deletes them.
        rule_ids: Whether rules have ids. Where they have none, each of ours does one thing, and is
            known by its form.
        versions: Whether the service may keep versions that are replaced or deleted, which a rule
            removes.
        delete_markers: Whether deletes leave markers, which a rule must remove.
        abort_uploads: Whether unfinished uploads stay until a rule aborts them.
    """

    tag: str = ""
    custom_time_days: int | None = None
    rule_ids: bool = True
    versions: bool = True
    delete_markers: bool = False
    abort_uploads: bool = True

    @property
    def by_rules(self) -> bool:
        """Whether any rule removes what has expired."""
        return bool(self.tag) or self.custom_time_days is not None


SWEEP_ONLY = Removal()
"""No rule removes what has expired, only ``sweep``."""


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a bucket, as an adapter reads them.

    Attributes:
        rules: All of them, in the service's order.
        terraform: Whether the mark of a Terraform module of ours is on them.
        terraform_prefixes: The `digest` of each prefix that its marks name.
        state: The adapter's own, for writing: what must not have changed meanwhile, or must go
            back as it was.
    """

    rules: tuple[Rule, ...]
    terraform: bool = False
    terraform_prefixes: frozenset[str] = frozenset()
    state: Any = None


class UnreadableRules(msgspec.Struct, frozen=True, kw_only=True):
    """Why the rules of a bucket cannot be read, or written, through the adapter.

    Attributes:
        reason: Why, as the beginning of a sentence.
        remedy: What to do instead.
    """

    reason: str
    remedy: Remedy


@runtime_checkable
class LifecyclePort(Protocol):
    """What an adapter whose service has lifecycle rules offers beside its `Bucket`.

    A bucket without these has no rules: only ``sweep`` removes its expired objects.
    """

    @property
    def removal(self) -> Removal:
        """How rules remove the expired objects of this bucket."""
        ...

    @property
    def rule_root(self) -> str:
        """What a rule's prefixes begin with there, before the names of objects; mostly nothing."""
        ...

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """Reads the bucket's rules in one request, or says why they cannot be read from here."""
        ...

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """Replaces the bucket's rules in one request.

        Args:
            rules: All rules; one that has ``raw`` goes back as it was read. Without any, the bucket
                has none then.
            found: What was read before.

        Raises:
            PreconditionFailed: The rules have changed since, on a service that can tell.
        """
        ...


def per_prefix(rule: Rule) -> list[Rule]:
    """A rule as several with one prefix each, for services whose rules have one."""
    if len(rule.prefixes) == 1:
        return [rule]
    return [
        msgspec.structs.replace(
            rule,
            id=f"{rule.id}-{prefix.rstrip('/').rpartition('/')[2]}",
            prefixes=(prefix,),
        )
        for prefix in rule.prefixes
    ]

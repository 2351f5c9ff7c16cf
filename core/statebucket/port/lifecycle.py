"""Lifecycle rules as an adapter reads and writes them.

A `Rule` is what the services' rules have in common. Adapters translate.
`statebucket.lifecycle.check` decides what rules mean for state, and `statebucket.lifecycle.manager`
what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from statebucket.contract.lifecycle import Rule as Rule  # noqa: PLC0414  (adapters use it)
from statebucket.port.remedies import Remedy

ID = "statebucket-"
"""How the ids of our rules begin, on services whose rules have ids."""

TERRAFORM_ID = "statebucket-tf-"
"""How the ids of rules begin that our Terraform modules wrote: Terraform then owns the bucket's
rules."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """How a service's rules remove expired objects, from which the needed rules are made.

    Without a tag or a custom time no rule removes them, only ``sweep``.

    Attributes:
        tag: The tag whose value is an object's class in days. One rule for each class then deletes
            the objects that have it. Empty if objects are not tagged.
        custom_time_days: If objects carry their expiry as a custom time, how many days after it one
            rule deletes them.
        rule_ids: Whether rules have ids. If not, each of our rules does one thing, and is
            recognized by its form.
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
        """Whether any rule removes expired objects."""
        return bool(self.tag) or self.custom_time_days is not None


SWEEP_ONLY = Removal()
"""No rule removes expired objects, only ``sweep``."""


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a bucket, as an adapter reads them.

    Attributes:
        rules: All of them, in the service's order.
        terraform: Whether one of our Terraform modules has marked them.
        terraform_prefixes: The `digest` of each prefix that its marks name.
        state: For the adapter's own use when it writes the rules: what must not have changed
            meanwhile, or must be written back unchanged.
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
        policy: Makes rules, with their prefixes in the service's form, what its own command line
            takes; None if it takes none.
    """

    reason: str
    remedy: Remedy
    policy: Callable[[Sequence[Rule]], dict[str, Any]] | None = None


@runtime_checkable
class LifecyclePort(Protocol):
    """What an adapter offers beside its `Bucket` if its service has lifecycle rules.

    A bucket without these methods has no rules: only ``sweep`` removes its expired objects.
    """

    @property
    def removal(self) -> Removal:
        """How rules remove the expired objects of this bucket."""
        ...

    @property
    def rule_root(self) -> str:
        """What the service puts before object names in a rule's prefixes; mostly nothing."""
        ...

    async def read_lifecycle(self) -> Lifecycle | UnreadableRules:
        """Reads the bucket's rules in one request, or says why they cannot be read from here."""
        ...

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        """Replaces the bucket's rules in one request.

        Args:
            rules: All rules; one that has ``raw`` is written back as it was read. Without any, the
                bucket has none then.
            found: What was read before.

        Raises:
            PreconditionFailed: The rules have changed since, on a service that can tell.
        """
        ...


def per_prefix(rule: Rule) -> list[Rule]:
    """A rule as several rules with one prefix each, for services whose rules have only one."""
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

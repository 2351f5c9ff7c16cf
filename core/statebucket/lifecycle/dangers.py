"""Rules that delete or archive state before it has expired, whoever wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.contract.lifecycle import RuleFinding
from statebucket.lifecycle.offboarding import tenant_of
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statebucket.lifecycle.rules import Scope
    from statebucket.port.lifecycle import Rule


def dangers(rules: Sequence[Rule], scope: Scope) -> Iterator[RuleFinding]:
    """A finding for each rule that deletes or archives objects of the store early.

    Args:
        rules: The bucket's rules.
        scope: The store's part of the bucket.
    """
    for rule in rules:
        reached = [
            area
            for area in scope.areas
            if area.startswith(rule.prefixes) or any(p.startswith(area) for p in rule.prefixes)
        ]
        if not (rule.enabled and reached) or tenant_of(rule, scope) is not None:
            continue
        remedy = Remedy(advice=f"remove {rule.shown} or give it a prefix with no state below it")
        if _takes_early(rule, reached, scope.removal.tag):
            yield RuleFinding(
                kind="dangerous",
                rule=rule.id,
                message=f"{rule.shown} deletes objects below {', '.join(reached)} {_from(rule)}, "
                "expired or not",
                remedy=remedy,
            )
        if rule.archives and set(rule.tags) <= {scope.removal.tag}:
            yield RuleFinding(
                kind="dangerous",
                rule=rule.id,
                message=f"{rule.shown} moves objects below {', '.join(reached)} to an "
                "archive, where they cannot be read at once",
                remedy=remedy,
            )


def _from(rule: Rule) -> str:
    """When a rule deletes objects."""
    if rule.expiration_date is not None:
        return f"from {rule.expiration_date} on"
    if rule.before is not None:
        return f"that are dated before {rule.before}"
    return f"from {rule.expiration_days} days after their write"


def _takes_early(rule: Rule, reached: Sequence[str], tag: str) -> bool:
    """Whether a rule deletes current objects of ours that have not expired, or never expire."""
    if rule.expiration_days is None or rule.custom_time_days is not None:
        return False  # noncurrent versions and unfinished uploads are not state
    if not rule.tags:
        return True
    # No object of ours has another tag. If a class is shortened for a whole area, the check reports
    # the rule as wrong; if only for a part of an area, it is found here.
    days = rule.tags.get(tag, "") if set(rule.tags) == {tag} else ""
    if not days.isascii() or not days.isdecimal() or rule.expiration_days >= int(days):
        return False
    return not any(area.startswith(rule.prefixes) for area in reached)

"""The lifecycle rules that TTLs need, as data; see `statebucket.port.lifecycle` for a `Rule`.

The Terraform modules repeat the same rules, and a test compares the two.

Rules name our prefixes with their closing slash: a tag or a custom time elsewhere in the bucket may
belong to someone else.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from statebucket.port.expiry import CLASSES
from statebucket.port.lifecycle import ID, SWEEP_ONLY, Removal, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

NONCURRENT_DAYS = 7
"""Days that a replaced or deleted version is kept by the rules we write."""

ABORT_UPLOADS_DAYS = 1
"""Days that an unfinished multipart upload is kept by the rules we write."""


class Scope(msgspec.Struct, frozen=True):
    """One store's part of a bucket, as far as rules need to know it.

    Attributes:
        prefix: The store's prefix, without a slash at either end; empty for the whole bucket.
        areas: The prefixes that the store writes below, each with its closing slash; that of the
            tenants comes first.
        removal: How the service's rules remove expired objects.
    """

    prefix: str
    areas: tuple[str, ...]
    removal: Removal = SWEEP_ONLY

    @property
    def tenants(self) -> str:
        """The prefix that the tenants' prefixes lie below."""
        return self.areas[0]


def digest(prefix: str) -> str:
    """A short digest that represents a store's prefix in ids and labels."""
    return hashlib.sha256(prefix.encode()).hexdigest()[:8]


def own_id(prefix: str, *, start: str = ID) -> str:
    """How the ids of the rules for one store's prefix begin."""
    return f"{start}{digest(prefix)}-"


def needed_rules(scope: Scope, *, id_start: str = ID) -> list[Rule]:
    """The rules that a store needs on its bucket.

    Args:
        scope: The store's part of it.
        id_start: How the rules' ids begin.
    """
    removal, prefixes = scope.removal, scope.areas
    if not removal.by_rules:
        return []
    start = own_id(scope.prefix, start=id_start)
    tidy = Rule(
        id=f"{start}tidy",
        prefixes=prefixes,
        noncurrent_days=NONCURRENT_DAYS if removal.versions else None,
        expired_delete_markers=removal.delete_markers,
        abort_uploads_days=ABORT_UPLOADS_DAYS if removal.abort_uploads else None,
    )
    rules = []
    if removal.custom_time_days is not None:
        rules.append(
            Rule(id=f"{start}ttl", prefixes=prefixes, custom_time_days=removal.custom_time_days)
        )
    if removal.tag:
        rules += [
            Rule(
                id=f"{start}ttl-{days}",
                prefixes=prefixes,
                tags={removal.tag: str(days)},
                expiration_days=days,
            )
            for days in CLASSES
        ]
    parts = _parts(tidy)
    if removal.rule_ids:
        return [*rules, tidy] if parts else rules
    alone = Rule(prefixes=prefixes)
    rules += [msgspec.structs.replace(alone, **{name: value}) for name, value in parts.items()]
    return [msgspec.structs.replace(rule, id="") for rule in rules]


def _parts(tidy: Rule) -> dict[str, object]:
    """What the tidying rule does."""
    parts = {
        "noncurrent_days": tidy.noncurrent_days,
        "expired_delete_markers": tidy.expired_delete_markers or None,
        "abort_uploads_days": tidy.abort_uploads_days,
    }
    return {name: value for name, value in parts.items() if value is not None}


def rooted(rules: Sequence[Rule], root: str) -> list[Rule]:
    """Rules with their prefixes as a service takes them; see `LifecyclePort.rule_root`."""
    return [
        msgspec.structs.replace(rule, prefixes=tuple(root + prefix for prefix in rule.prefixes))
        for rule in rules
    ]


def is_ours(rule: Rule, scope: Scope) -> bool:
    """Whether a rule that was found is one that we wrote for this store's prefix.

    It is recognized by its id; where rules have no ids, by the form, the prefixes and the days of
    one of ours.
    """
    if rule.id:
        return rule.id.startswith(own_id(scope.prefix))
    if not resembles_ours(rule, scope):
        return False
    return _days(rule) in [_days(one) for one in _nameless(scope)]


def resembles_ours(rule: Rule, scope: Scope) -> bool:
    """Whether a rule without an id has the form and prefixes of one of ours, whatever its days."""
    return (
        not rule.id
        and rule.enabled
        and not (rule.narrowed or rule.archives)
        and set(rule.prefixes) <= set(scope.areas)
        and _form(rule) in [_form(one) for one in _nameless(scope)]
    )


def _nameless(scope: Scope) -> list[Rule]:
    """Our rules that are recognized by their form."""
    return [rule for rule in needed_rules(scope) if not rule.id]


def _days(rule: Rule) -> tuple[object, ...]:
    return (
        rule.tags,
        rule.expiration_days,
        rule.custom_time_days,
        rule.noncurrent_days,
        rule.expired_delete_markers or None,
        rule.abort_uploads_days,
    )


def _form(rule: Rule) -> tuple[object, ...]:
    """What a rule does, and to which objects, without its days."""
    tags, *parts = _days(rule)
    return tags, *(part is not None for part in parts)


def merge(found: Sequence[Rule], needed: Sequence[Rule], scope: Scope) -> list[Rule]:
    """The rules to write: foreign ones as they were found, ours as they must be.

    Where rules have no ids, a foreign rule with the form of one of ours, but other days to keep
    versions or uploads, replaces ours below its prefixes.
    """
    foreign = [rule for rule in found if not is_ours(rule, scope)]
    theirs = [rule for rule in foreign if resembles_ours(rule, scope)]
    ours = [_beside(rule, theirs) for rule in needed]
    return [*foreign, *(rule for rule in ours if rule.prefixes)]


def _beside(rule: Rule, theirs: Sequence[Rule]) -> Rule:
    """What one of our rules is still needed for beside a foreign rule of the same form."""
    if rule.id or removes_expired(rule):
        return rule
    taken = {prefix for other in theirs if _form(other) == _form(rule) for prefix in other.prefixes}
    left = tuple(prefix for prefix in rule.prefixes if prefix not in taken)
    return msgspec.structs.replace(rule, prefixes=left)


def removes_expired(rule: Rule) -> bool:
    """Whether TTLs end by one of our rules, so that any other days are wrong."""
    return rule.custom_time_days is not None or rule.expiration_days is not None

"""Lifecycle rules: those that TTLs need, as data, and those of a bucket, in the same terms.

A `Rule` is what S3's, Cloud Storage's and Azure's rules have in common. Adapters translate; what
rules mean for state is decided by `statebucket.lifecycle.check`, what to write by
`statebucket.lifecycle.plan`. The Terraform modules state the same rules once more, and a test
compares the two.

Rules name our prefixes with their closing slash: a tag or a custom time elsewhere in the bucket may
be somebody else's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from statebucket.port.expiry import CLASSES, TAG
from statebucket.port.lifecycle import ID, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.lifecycle import Removal
    from statebucket.store.layout import Layout

NONCURRENT_DAYS = 7
"""Days that a replaced or deleted version is kept by the rules we write."""

ABORT_UPLOADS_DAYS = 1
"""Days that an unfinished multipart upload is kept by the rules we write."""

# Cloud Storage counts whole days from the custom time, which is the expiry. 0 would do if it
# rounds down; 1 is never early however it rounds, and survives tools that drop a zero.
_CUSTOM_TIME_DAYS = 1


def areas(names: Layout, *, owner_index: bool) -> tuple[str, ...]:
    """The prefixes that a store writes below, each with its closing slash."""
    return (names.tenants, names.shared, names.owners) if owner_index else (names.tenants,)


def digest(names: Layout) -> str:
    """What stands for a store's prefix in ids and labels."""
    return hashlib.sha256(names.prefix.encode()).hexdigest()[:8]


def own_id(names: Layout, *, start: str = ID) -> str:
    """How the ids of the rules for one store's prefix begin."""
    return f"{start}{digest(names)}-"


def needed_rules(
    names: Layout, removal: Removal, *, owner_index: bool = True, id_start: str = ID
) -> list[Rule]:
    """The rules that a store needs on its bucket.

    Args:
        names: The store's names.
        removal: What removes expired objects there.
        owner_index: Whether the store keeps owner records and keys without a tenant.
        id_start: How the rules' ids begin.
    """
    if removal == "sweep":
        return []
    start = own_id(names, start=id_start)
    prefixes = areas(names, owner_index=owner_index)
    tidy = Rule(
        id=f"{start}tidy",
        prefixes=prefixes,
        noncurrent_days=NONCURRENT_DAYS,
        expired_delete_markers=removal == "tags",  # only S3 keeps such markers
        # Azure drops uncommitted blocks by itself, after a week.
        abort_uploads_days=None if removal == "index_tags" else ABORT_UPLOADS_DAYS,
    )
    if removal == "custom_time":
        # There a rule has one action, and no id.
        return [
            Rule(prefixes=prefixes, custom_time_days=_CUSTOM_TIME_DAYS),
            Rule(prefixes=prefixes, noncurrent_days=tidy.noncurrent_days),
            Rule(prefixes=prefixes, abort_uploads_days=tidy.abort_uploads_days),
        ]
    by_class = [
        Rule(
            id=f"{start}ttl-{days}",
            prefixes=prefixes,
            tags={TAG: str(days)},
            expiration_days=days,
        )
        for days in CLASSES
    ]
    return [*by_class, tidy]


def rooted(rules: Sequence[Rule], root: str) -> list[Rule]:
    """Rules with their prefixes as a service takes them; see `LifecyclePort.rule_root`."""
    return [
        msgspec.structs.replace(rule, prefixes=tuple(root + prefix for prefix in rule.prefixes))
        for rule in rules
    ]


def is_ours(rule: Rule, names: Layout, *, owner_index: bool) -> bool:
    """Whether a rule that was found is one that we wrote for this store's prefix.

    By its id; where rules have none, by having the form, the prefixes and the days of one of ours.
    """
    if rule.id:
        return rule.id.startswith(own_id(names))
    if not resembles_ours(rule, names, owner_index=owner_index):
        return False
    needed = needed_rules(names, "custom_time", owner_index=owner_index)
    return _days(rule) in [_days(one) for one in needed]


def resembles_ours(rule: Rule, names: Layout, *, owner_index: bool) -> bool:
    """Whether a rule without an id has the form and prefixes of one of ours, whatever its days."""
    return (
        not rule.id
        and rule.enabled
        and not (rule.narrowed or rule.archives or rule.tags or rule.expired_delete_markers)
        and rule.expiration_days is None
        and sum(days is not None for days in _days(rule)) == 1
        and set(rule.prefixes) <= set(areas(names, owner_index=owner_index))
    )


def _days(rule: Rule) -> tuple[int | None, ...]:
    return rule.custom_time_days, rule.noncurrent_days, rule.abort_uploads_days


def merge(
    found: Sequence[Rule], needed: Sequence[Rule], names: Layout, *, owner_index: bool = True
) -> list[Rule]:
    """The rules to write: the foreign ones as they were found, ours as they must be.

    Where rules have no ids, a foreign rule that has the form of one of ours, but other days to
    keep versions or uploads, stands for ours below its prefixes.
    """
    foreign = [rule for rule in found if not is_ours(rule, names, owner_index=owner_index)]
    theirs = [rule for rule in foreign if resembles_ours(rule, names, owner_index=owner_index)]
    ours = [_beside(rule, theirs) for rule in needed]
    return [*foreign, *(rule for rule in ours if rule.prefixes)]


def _beside(rule: Rule, theirs: Sequence[Rule]) -> Rule:
    """What a rule of ours is needed for beside somebody else's of the same form."""
    if rule.id or rule.custom_time_days is not None:
        return rule
    taken = {
        prefix
        for other in theirs
        if (other.noncurrent_days is None) == (rule.noncurrent_days is None)
        and (other.abort_uploads_days is None) == (rule.abort_uploads_days is None)
        for prefix in other.prefixes
    }
    left = tuple(prefix for prefix in rule.prefixes if prefix not in taken)
    return msgspec.structs.replace(rule, prefixes=left)

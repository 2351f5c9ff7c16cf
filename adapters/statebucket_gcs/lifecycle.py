"""Converts Cloud Storage's lifecycle rules to the core's, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.port.lifecycle import Lifecycle, Removal, Rule, UnreadableRules
from statebucket.port.remedies import Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Whole days are counted from the custom time, which is the expiry. 0 would do if the service rounds
# down; 1 is never early however it rounds, and survives tools that drop a zero.
REMOVAL = Removal(custom_time_days=1, rule_ids=False)
"""What removes expired objects."""

TERRAFORM_LABEL = ("statebucket-lifecycle", "terraform")
"""The bucket label with which our Terraform module marks the rules as its own."""

TERRAFORM_PREFIX_LABEL = "statebucket-prefix"
"""The bucket label with the `digest` of the module's prefix."""

FIELDS = "lifecycle,labels,metageneration"
"""The fields of a bucket to read."""


_FOREIGN = UnreadableRules(
    reason="the service's reply to the request for its lifecycle rules is not valid",
    remedy=Remedy(
        advice="run this from time to time, since no rule removes what has expired",
        call="sweep()",
        command="statebucket sweep",
    ),
)


def read_body(body: bytes) -> Lifecycle | UnreadableRules:
    """The rules in the body of a successful reply, which may be from another service."""
    try:
        return read(msgspec.json.decode(body, type=dict[str, Any]))
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return _FOREIGN


def read(bucket: Mapping[str, Any]) -> Lifecycle:
    """The rules in a bucket as the JSON API describes it, with `FIELDS`."""
    label, value = TERRAFORM_LABEL
    labels = bucket.get("labels", {})
    rules = bucket.get("lifecycle", {}).get("rule", ())
    return Lifecycle(
        rules=tuple(_rule(raw) for raw in rules),
        terraform=labels.get(label) == value,
        terraform_prefixes=frozenset({labels.get(TERRAFORM_PREFIX_LABEL, "")} - {""}),
        state=str(bucket["metageneration"]),
    )


def write(rules: Sequence[Rule], found: Lifecycle) -> tuple[dict[str, str], dict[str, Any]]:
    """The query and body of the ``PATCH`` of the bucket that replaces its rules.

    It is conditional on the bucket's metageneration, so that a change by someone else since the
    rules were read is not lost.
    """
    raw = [rule.raw if rule.raw is not None else _raw(rule) for rule in rules]
    query = {"ifMetagenerationMatch": found.state, "fields": "metageneration"}
    return query, {"lifecycle": {"rule": raw}}


def _rule(raw: Mapping[str, Any]) -> Rule:
    kind = raw.get("action", {}).get("type")
    when = raw.get("condition", {})
    prefixes = tuple(when.get("matchesPrefix") or ("",))
    if kind == "AbortIncompleteMultipartUpload":
        return Rule(
            prefixes=prefixes,
            narrowed=bool(when.keys() - {"matchesPrefix", "age"}),
            abort_uploads_days=when.get("age", 0),
            raw=raw,
        )
    if kind != "Delete":
        return Rule(prefixes=prefixes, raw=raw)  # reads from every storage class are immediate
    # Terraform's provider, before its version 6, added an age of 0 to each condition.
    always = {"matchesPrefix", "age"} if when.get("age") == 0 else {"matchesPrefix"}
    if _only_noncurrent(when):
        return Rule(
            prefixes=prefixes,
            narrowed=bool(when.keys() - always - {"daysSinceNoncurrentTime", "isLive"}),
            noncurrent_days=when.get("daysSinceNoncurrentTime", 0),
            raw=raw,
        )
    days = when.get("daysSinceCustomTime")
    by = "age" if days is None else "daysSinceCustomTime"
    return Rule(
        prefixes=prefixes,
        narrowed=bool(when.keys() - always - {by}),
        custom_time_days=days,
        # If a date decides, or nothing does, the age of an object does not matter.
        expiration_days=when.get("age", 0) if days is None else None,
        before=when.get("createdBefore", when.get("customTimeBefore")),
        raw=raw,
    )


def _only_noncurrent(when: Mapping[str, Any]) -> bool:
    return (
        when.get("isLive") is False
        or "daysSinceNoncurrentTime" in when
        or "noncurrentTimeBefore" in when
        or when.get("numNewerVersions", 0) > 0
    )


def _raw(rule: Rule) -> dict[str, Any]:
    """One of our rules in Cloud Storage's form."""
    prefixes = list(rule.prefixes)
    if rule.abort_uploads_days is not None:
        return {
            "action": {"type": "AbortIncompleteMultipartUpload"},
            "condition": {"age": rule.abort_uploads_days, "matchesPrefix": prefixes},
        }
    condition: dict[str, Any] = {"matchesPrefix": prefixes}
    if rule.expiration_days is not None:
        condition["age"] = rule.expiration_days
    if rule.custom_time_days is not None:
        condition["daysSinceCustomTime"] = rule.custom_time_days
    if rule.noncurrent_days is not None:
        condition["daysSinceNoncurrentTime"] = rule.noncurrent_days
    return {"action": {"type": "Delete"}, "condition": condition}

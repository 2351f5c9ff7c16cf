"""Converts S3's lifecycle rules to the core's, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.port.expiry import TAG
from statebucket.port.lifecycle import (
    TERRAFORM_ID,
    Lifecycle,
    Removal,
    Rule,
    UnreadableRules,
    per_prefix,
)
from statebucket.port.remedies import Remedy
from statebucket_s3.codes import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statebucket.errors import StateBucketError

REMOVAL = Removal(tag=TAG, delete_markers=True)
"""What removes expired objects that are tagged."""

_UNSET = "NoSuchLifecycleConfiguration"
_UNSUPPORTED = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_SWEEP = Remedy(
    advice="run this from time to time, since no rule removes what has expired",
    call="sweep()",
    command="statebucket sweep",
)
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_PLAIN_FILTER = frozenset({"Prefix", "Tag", "And"})
_PLAIN_AND = frozenset({"Prefix", "Tags"})
# A bucket-wide setting that is written with the rules, and reset to its default if left out.
_SETTING = "TransitionDefaultMinimumObjectSize"


def read(reply: Mapping[str, Any]) -> Lifecycle:
    """The rules in the reply to ``GetBucketLifecycleConfiguration``."""
    rules = tuple(_rule(raw) for raw in reply.get("Rules", ()))
    return Lifecycle(
        rules=rules,
        terraform=any(rule.id.startswith(TERRAFORM_ID) for rule in rules),
        terraform_prefixes=frozenset(
            rule.id.removeprefix(TERRAFORM_ID).partition("-")[0]
            for rule in rules
            if rule.id.startswith(TERRAFORM_ID)
        ),
        state={_SETTING: reply[_SETTING]} if _SETTING in reply else {},
    )


def write(rules: Sequence[Rule], found: Lifecycle) -> dict[str, Any]:
    """The arguments of ``PutBucketLifecycleConfiguration``, except the bucket.

    S3 refuses rules with a ``Filter`` beside rules of the older form, which have their ``Prefix``
    outside of one (https://github.com/hashicorp/terraform-provider-aws/issues/23299). Those then
    get a filter with that prefix, which means the same.
    """
    raw: list[Any] = []
    for rule in rules:
        if rule.raw is not None:
            raw.append(rule.raw)
        else:
            raw += [_raw(one) for one in per_prefix(rule)]
    if any("Filter" in rule for rule in raw):
        raw = [_filtered(rule) for rule in raw]
    return {"LifecycleConfiguration": {"Rules": raw}, **(found.state or {})}


def answered(error: StateBucketError) -> Lifecycle | UnreadableRules:
    """What a failed read says about the rules.

    Returns:
        The rules, empty if none were ever set; or why they cannot be read.

    Raises:
        StateBucketError: The error itself, if it says something else.
    """
    if error.code == _UNSET:
        return Lifecycle(rules=())
    if error.code in _UNSUPPORTED:
        return UnreadableRules(
            reason=f"the service has no lifecycle rules (it answers {error.code})", remedy=_SWEEP
        )
    if error.code == FOREIGN:
        return UnreadableRules(
            reason="the service's reply to the request for its lifecycle rules is not valid",
            remedy=_SWEEP,
        )
    raise error


def _rule(raw: Mapping[str, Any]) -> Rule:
    place = raw.get("Filter") or {"Prefix": raw.get("Prefix", "")}
    both = place.get("And", {})
    tags = both.get("Tags", [place["Tag"]] if "Tag" in place else [])
    expiration = raw.get("Expiration", {})
    noncurrent = raw.get("NoncurrentVersionExpiration", {})
    date = str(expiration["Date"])[:10] if "Date" in expiration else None
    days = expiration.get("Days") if date is None else 0
    # AWS writes "larger than 0 bytes" for no such condition; our objects always are.
    further = {
        name: value
        for name, value in {**place, **both}.items()
        if name not in _PLAIN_FILTER | _PLAIN_AND and (name, value) != ("ObjectSizeGreaterThan", 0)
    }
    return Rule(
        id=raw.get("ID", ""),
        enabled=raw.get("Status") == "Enabled",
        prefixes=(both.get("Prefix", place.get("Prefix", "")),),
        tags={tag["Key"]: tag["Value"] for tag in tags},
        narrowed=bool(further) or "NewerNoncurrentVersions" in noncurrent,
        expiration_days=days,
        expiration_date=date,
        noncurrent_days=noncurrent.get("NoncurrentDays"),
        expired_delete_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        abort_uploads_days=raw.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
        archives=any(t.get("StorageClass") in _ARCHIVES for t in raw.get("Transitions", ())),
        raw=raw,
    )


def _filtered(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rule in the form with a filter."""
    if "Filter" in raw or "Prefix" not in raw:
        return raw
    return {
        "Filter" if name == "Prefix" else name: {"Prefix": value} if name == "Prefix" else value
        for name, value in raw.items()
    }


def _raw(rule: Rule) -> dict[str, Any]:
    """One of our rules, which has one prefix, in S3's form."""
    (prefix,) = rule.prefixes
    tags = [{"Key": key, "Value": value} for key, value in rule.tags.items()]
    raw: dict[str, Any] = {
        "ID": rule.id,
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": prefix, "Tags": tags}} if tags else {"Prefix": prefix},
    }
    if rule.expiration_days is not None:
        raw["Expiration"] = {"Days": rule.expiration_days}
    if rule.expired_delete_markers:
        raw["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    if rule.noncurrent_days is not None:
        raw["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.noncurrent_days}
    if rule.abort_uploads_days is not None:
        raw["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule.abort_uploads_days}
    return raw

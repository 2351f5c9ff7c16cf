"""Our rules as the services return them, and what `compare` says about a bucket's rules."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from statebucket.lifecycle.check import compare
from statebucket.lifecycle.rules import Scope, needed_rules
from statebucket.port.lifecycle import Lifecycle
from statebucket.store.layout import Layout
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3

if TYPE_CHECKING:
    from statebucket.contract.lifecycle import LifecycleReport, RuleFinding
    from statebucket.port.lifecycle import Removal

Raw = dict[str, Any]


def scope(prefix: str, removal: Removal, *, owner_index: bool = True) -> Scope:
    """The arguments for the rules of a store with this prefix."""
    return Scope(prefix, Layout(prefix, owner_index=owner_index).areas, removal)


ON_S3 = scope("app/state", s3.REMOVAL)
ON_GCS = scope("app/state", gcs.REMOVAL)
S3_NEEDED = needed_rules(ON_S3)
GCS_NEEDED = needed_rules(ON_GCS)
NOTHING = Lifecycle(rules=())


def s3_rules() -> list[Raw]:
    """The rules that S3 would return once ours are written."""
    rules: list[Raw] = s3.write(S3_NEEDED, NOTHING)["LifecycleConfiguration"]["Rules"]
    return rules


def gcs_rules() -> list[Raw]:
    found = Lifecycle(rules=(), state="1")
    rules: list[Raw] = copy.deepcopy(gcs.write(GCS_NEEDED, found)[1]["lifecycle"]["rule"])
    return rules


def on_s3(rules: list[Raw], *, owner_index: bool = True) -> LifecycleReport:
    where = scope("app/state", s3.REMOVAL, owner_index=owner_index)
    return compare(needed_rules(where), s3.read({"Rules": rules}), where)


def on_gcs(rules: list[Raw], **bucket: Any) -> LifecycleReport:
    found = gcs.read({"lifecycle": {"rule": rules}, "metageneration": "7", **bucket})
    return compare(GCS_NEEDED, found, ON_GCS)


def only(report: LifecycleReport) -> RuleFinding:
    assert len(report.findings) == 1, report
    assert not report.ok
    return report.findings[0]


def ttl(days: int, area: str = "tenants", *, among: list[Raw]) -> Raw:
    """The S3 rule for a class in one area."""
    return next(rule for rule in among if rule["ID"].endswith(f"-ttl-{days}-{area}"))

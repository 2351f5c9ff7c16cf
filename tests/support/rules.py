"""Rules of ours as the services return them, and what `compare` says of a bucket's."""

from __future__ import annotations

import copy
from typing import Any

from statebucket.lifecycle.check import Finding, LifecycleReport, compare
from statebucket.lifecycle.rules import needed_rules
from statebucket.port.lifecycle import Lifecycle
from statebucket.store.layout import Layout
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3

Raw = dict[str, Any]

NAMES = Layout("app/state")
S3_NEEDED = needed_rules(NAMES, "tags")
GCS_NEEDED = needed_rules(NAMES, "custom_time")
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
    needed = needed_rules(NAMES, "tags", owner_index=owner_index)
    return compare(needed, s3.read({"Rules": rules}), NAMES, owner_index=owner_index)


def on_gcs(rules: list[Raw], **bucket: Any) -> LifecycleReport:
    found = gcs.read({"lifecycle": {"rule": rules}, "metageneration": "7", **bucket})
    return compare(GCS_NEEDED, found, NAMES)


def only(report: LifecycleReport) -> Finding:
    assert len(report.findings) == 1, report
    assert not report.ok
    return report.findings[0]


def ttl(days: int, area: str = "tenants", *, among: list[Raw]) -> Raw:
    """The S3 rule for a class in one area."""
    return next(rule for rule in among if rule["ID"].endswith(f"-ttl-{days}-{area}"))

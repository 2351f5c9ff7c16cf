"""Foreign rules: those that remove state early, and those that do not."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import pytest

from support.rules import Raw, gcs_rules, on_gcs, on_s3, only, s3_rules, ttl


@pytest.mark.parametrize(
    "rule",
    [
        {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
        {"Filter": {"Prefix": "app/state/tenants-old/"}, "Expiration": {"Days": 1}},
        {"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        {"Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"Filter": {"Tag": {"Key": "temporary", "Value": "yes"}}, "Expiration": {"Days": 1}},
        {"Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
    ],
)
def test_a_foreign_rule_that_takes_no_state_on_s3_is_no_finding(rule: Raw) -> None:
    assert on_s3([*s3_rules(), {"ID": "foreign", "Status": "Enabled", **rule}]).ok


@pytest.mark.parametrize(
    "condition",
    [
        {"age": 1, "matchesPrefix": ["logs/"]},
        {"daysSinceNoncurrentTime": 1},
        {"numNewerVersions": 3},
        {"isLive": False, "age": 1},
        {"noncurrentTimeBefore": "2030-01-01"},
        {"daysSinceCustomTime": 30},
        {"daysSinceCustomTime": 30, "age": 1},
    ],
)
def test_a_foreign_rule_that_takes_no_state_on_gcs_is_no_finding(condition: Raw) -> None:
    foreign = {"action": {"type": "Delete"}, "condition": condition}
    assert on_gcs([*gcs_rules(), foreign]).ok
    transition = {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}}
    assert on_gcs([*gcs_rules(), {**transition, "condition": {"age": 1}}]).ok


# What is dangerous.


@pytest.mark.parametrize("prefix", ["", "app/", "app/state", "app/state/tenants/acme/"])
@pytest.mark.parametrize("form", ["filter", "legacy"])
def test_a_foreign_rule_on_s3_that_expires_state_is_dangerous(prefix: str, form: str) -> None:
    place = {"Filter": {"Prefix": prefix}} if form == "filter" else {"Prefix": prefix}
    foreign = {"ID": "cleanup", "Status": "Enabled", "Expiration": {"Days": 30}, **place}
    finding = only(on_s3([*s3_rules(), foreign]))
    assert (finding.kind, finding.rule) == ("dangerous", "cleanup")
    assert "from 30 days after their write, expired or not" in finding.message
    assert on_s3([*s3_rules(), {**foreign, "Status": "Disabled"}]).ok


@pytest.mark.parametrize(
    "condition",
    [
        {"age": 30},
        {"age": 0},
        {"age": 30, "matchesPrefix": ["app/"]},
        {"age": 30, "matchesPrefix": ["logs/", "app/state/tenants/acme/"]},
        {"age": 30, "isLive": True},
        {"age": 30, "matchesStorageClass": ["STANDARD"]},
        {"createdBefore": "2030-01-01"},
        {"customTimeBefore": "2030-01-01"},
        {"numNewerVersions": 0},
        {},
    ],
)
def test_a_foreign_rule_on_gcs_that_expires_state_is_dangerous(condition: Raw) -> None:
    foreign = {"action": {"type": "Delete"}, "condition": condition}
    finding = only(on_gcs([*gcs_rules(), foreign]))
    assert finding.kind == "dangerous"
    assert "app/state/tenants/" in finding.message


def test_a_class_that_is_shortened_for_one_tenant_is_dangerous() -> None:
    foreign = copy.deepcopy(ttl(16, among=s3_rules()))
    foreign |= {"ID": "acme", "Expiration": {"Days": 2}}
    foreign["Filter"]["And"]["Prefix"] = "app/state/tenants/acme/"
    assert only(on_s3([*s3_rules(), foreign])).kind == "dangerous"
    foreign["Expiration"]["Days"] = 20
    assert on_s3([*s3_rules(), foreign]).ok


@pytest.mark.parametrize("date", ["2099-01-01T00:00:00Z", datetime(2099, 1, 1, tzinfo=UTC)])
def test_a_rule_by_date_on_s3_is_told_by_its_date(date: object) -> None:
    foreign: Raw = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "app/"}}
    finding = only(on_s3([*s3_rules(), {**foreign, "Expiration": {"Date": date}}]))
    assert "from 2099-01-01 on, expired or not" in finding.message
    assert "0 days" not in finding.message


@pytest.mark.parametrize("name", ["createdBefore", "customTimeBefore"])
def test_a_rule_by_date_on_gcs_is_told_by_its_date(name: str) -> None:
    foreign = {"action": {"type": "Delete"}, "condition": {name: "2030-01-01"}}
    finding = only(on_gcs([*gcs_rules(), foreign]))
    assert "that are dated before 2030-01-01, expired or not" in finding.message
    assert "0 days" not in finding.message


def test_moving_state_to_an_archive_is_dangerous() -> None:
    foreign: Raw = {"ID": "archive", "Status": "Enabled", "Filter": {"Prefix": "app/"}}
    foreign["Transitions"] = [{"Days": 90, "StorageClass": "GLACIER"}]
    finding = only(on_s3([*s3_rules(), foreign]))
    assert finding.kind == "dangerous"
    assert "cannot be read at once" in finding.message
    assert "remove 'archive' or give it a prefix with no state" in str(finding.remedy)


def test_dangerous_findings_come_first() -> None:
    foreign = {"ID": "x", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    kinds = [finding.kind for finding in on_s3([foreign]).findings]
    assert kinds[0] == "dangerous"
    assert set(kinds[1:]) == {"missing"}

"""`compare`, on rules in the form of S3 and Cloud Storage."""

from __future__ import annotations

import copy

import pytest

from statebucket.lifecycle.rules import needed_rules
from statebucket.port.expiry import CLASSES, TAG
from statebucket.port.lifecycle import Rule
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.rules import (
    NOTHING,
    ON_S3,
    S3_NEEDED,
    gcs_rules,
    on_gcs,
    on_s3,
    only,
    s3_rules,
    ttl,
)

# What is right.


def test_our_own_rules_are_right() -> None:
    assert on_s3(s3_rules()).ok
    assert on_gcs(gcs_rules()).ok
    assert str(on_s3(s3_rules())) == "the lifecycle rules are correct"


def test_an_equivalent_rule_of_another_id_and_wider_prefix_is_right() -> None:
    rules = s3_rules()
    for days in CLASSES:
        for area in ("tenants", "shared", "owners"):
            rules.remove(ttl(days, area, among=rules))
        rules.append(
            {
                "ID": f"by-hand-{days}",
                "Status": "Enabled",
                "Filter": {
                    "And": {
                        "Prefix": "app/",
                        "Tags": [{"Key": TAG, "Value": str(days)}],
                        "ObjectSizeGreaterThan": 0,
                    }
                },
                "Expiration": {"Days": days},
            }
        )
    assert on_s3(rules).ok


def test_an_age_that_every_object_has_is_no_further_condition() -> None:
    rules = gcs_rules()
    for rule in rules:
        rule["condition"].setdefault("age", 0)  # as Terraform's provider did before its version 6
    assert on_gcs(rules).ok
    rules[0]["condition"]["age"] = 1
    assert "has further conditions" in only(on_gcs(rules)).message


def test_a_rule_for_noncurrent_versions_may_say_that_they_are_not_live() -> None:
    rules = gcs_rules()
    kept = next(one["condition"] for one in rules if "daysSinceNoncurrentTime" in one["condition"])
    kept["isLive"] = False
    assert on_gcs(rules).ok


# What is missing.


def test_a_bucket_without_rules_lacks_all_of_them() -> None:
    report = on_s3([])
    assert {finding.kind for finding in report.findings} == {"missing"}
    assert len(report.findings) == len(CLASSES) + 3
    assert [finding.kind for finding in on_gcs([]).findings] == ["missing"] * 3


def test_a_missing_rule_is_named_with_its_prefix() -> None:
    rules = s3_rules()
    rules.remove(ttl(16, among=rules))
    finding = only(on_s3(rules))
    assert finding.kind == "missing"
    assert "up to 16 days below app/state/tenants/ is missing" in finding.message
    assert "apply_lifecycle" in str(finding.remedy)
    assert finding.rule == next(rule.id for rule in S3_NEEDED if rule.expiration_days == 16)
    rules = s3_rules()
    rules.remove(ttl(1, among=rules))
    assert "a TTL of up to a day below app/state/tenants/" in only(on_s3(rules)).message
    rules = gcs_rules()
    del rules[0]
    assert "removes expired objects" in only(on_gcs(rules)).message


def test_an_area_that_a_gcs_rule_leaves_out_is_named() -> None:
    rules = gcs_rules()
    rules[0]["condition"]["matchesPrefix"].remove("app/state/shared/")
    finding = only(on_gcs(rules))
    assert finding.kind == "missing"
    assert "app/state/shared/" in finding.message
    assert "app/state/tenants/" not in finding.message


@pytest.mark.parametrize(
    "part", ["NoncurrentVersionExpiration", "Expiration", "AbortIncompleteMultipartUpload"]
)
def test_what_tidies_up_after_versions_and_uploads_is_missed(part: str) -> None:
    rules = s3_rules()
    for rule in rules:
        if rule["ID"].endswith(("-tidy-tenants", "-tidy-shared", "-tidy-owners")):
            del rule[part]
    assert only(on_s3(rules)).kind == "missing"


# What is wrong.


def test_a_shortened_rule_is_wrong() -> None:
    rules = s3_rules()
    ttl(16, among=rules)["Expiration"]["Days"] = 3
    finding = only(on_s3(rules))
    assert finding.kind == "wrong"
    assert "is shortened to 3 days" in finding.message
    rules = gcs_rules()
    rules[0]["condition"]["daysSinceCustomTime"] = 0
    # There days are all that tells ours from someone else's: this one is no longer ours.
    shortened, missing = on_gcs(rules).findings
    assert (shortened.kind, missing.kind) == ("wrong", "missing")
    assert "is shortened to 0 days" in shortened.message
    assert "leaves alone" in str(shortened.remedy)


def test_a_second_rule_that_shortens_is_found_beside_the_right_one() -> None:
    rules = s3_rules()
    second = copy.deepcopy(ttl(16, among=rules))
    second |= {"ID": "colleague", "Expiration": {"Date": "2030-01-01T00:00:00Z"}}
    finding = only(on_s3([*rules, second]))
    assert finding.kind == "wrong"
    assert "is cut short from 2030-01-01 on by 'colleague'" in finding.message
    assert str(finding.remedy) == "correct or remove that rule, which apply_lifecycle leaves alone"
    assert not finding.fixable
    # That ours is missing beside it is told, too.
    rules.remove(ttl(16, among=rules))
    kinds = {(one.kind, one.fixable) for one in on_s3([*rules, second]).findings}
    assert kinds == {("wrong", False), ("missing", True)}


def test_a_lengthened_rule_is_wrong() -> None:
    rules = s3_rules()
    right = copy.deepcopy(ttl(16, among=rules))
    ttl(16, among=rules)["Expiration"]["Days"] = 30
    finding = only(on_s3(rules))
    assert finding.kind == "wrong"
    assert "is lengthened to 30 days" in finding.message
    for both in ([*rules, right | {"ID": "colleague"}], [right | {"ID": "colleague"}, *rules]):
        assert on_s3(both).ok  # the sooner of two rules removes it
    rules = gcs_rules()
    rules[0]["condition"]["daysSinceCustomTime"] = 5
    assert "is lengthened to 5 days" in only(on_gcs(rules)).message


def test_a_disabled_rule_is_wrong() -> None:
    rules = s3_rules()
    ttl(16, among=rules)["Status"] = "Disabled"
    finding = only(on_s3(rules))
    assert finding.kind == "wrong"
    assert "is disabled" in finding.message


def test_a_narrowed_rule_is_wrong() -> None:
    rules = s3_rules()
    ttl(16, among=rules)["Filter"]["And"]["ObjectSizeGreaterThan"] = 1000
    finding = only(on_s3(rules))
    assert finding.kind == "wrong"
    assert "has further conditions" in finding.message
    rules = gcs_rules()
    rules[0]["condition"]["matchesSuffix"] = [".json"]
    assert "has further conditions" in only(on_gcs(rules)).message


@pytest.mark.parametrize("start", ["statebucket-", "statebucket-tf-"])
def test_a_rule_of_ours_at_another_prefix_is_wrong(start: str) -> None:
    rules = s3_rules()
    rule = ttl(16, among=rules)
    rule["ID"] = rule["ID"].replace("statebucket-", start)
    rule["Filter"]["And"]["Prefix"] = "app/stat/tenants/"
    finding = only(on_s3(rules))
    assert finding.kind == "wrong"
    assert "is at another prefix, 'app/stat/tenants/'" in finding.message


# Whose rules they are.


def test_a_rule_that_only_its_days_tell_from_ours_is_noted_as_someone_else_s() -> None:
    rules = gcs_rules()
    kept = next(one["condition"] for one in rules if "daysSinceNoncurrentTime" in one["condition"])
    kept["daysSinceNoncurrentTime"] = 30  # longer than ours: no TTL ends by it
    report = on_gcs(rules)
    assert report.ok
    (finding,) = report.findings
    assert finding.kind == "note"
    assert "after other days: it is taken for someone else's" in finding.message
    assert on_gcs(rules, labels={"statebucket-lifecycle": "terraform"}).findings == ()


def test_terraforms_marks_are_seen() -> None:
    assert not s3.read({"Rules": s3_rules()}).terraform
    ours = needed_rules(ON_S3, id_start="statebucket-tf-")
    assert s3.read({"Rules": s3.write(ours, NOTHING)["LifecycleConfiguration"]["Rules"]}).terraform
    assert not gcs.read({"metageneration": "1"}).terraform
    labels = {"statebucket-lifecycle": "terraform"}
    assert gcs.read({"metageneration": "1", "labels": labels}).terraform
    report = on_gcs([], labels=labels)
    assert report.findings
    assert all("Terraform" in str(finding.remedy) for finding in report.findings)


def test_a_rule_without_an_id_is_shown_as_the_service_writes_it() -> None:
    raw = {"action": {"type": "Delete"}, "condition": {"age": 1}}
    assert Rule(raw=raw).shown == '{"action":{"type":"Delete"},"condition":{"age":1}}'

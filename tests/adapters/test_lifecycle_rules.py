"""Rules in each service's form."""

from __future__ import annotations

from statebucket.lifecycle.rules import needed_rules, rooted
from statebucket.port.lifecycle import Lifecycle
from statebucket_azure import lifecycle as azure
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.rules import scope


def test_s3_settings_beside_the_rules_go_back_as_they_were() -> None:
    reply = {"Rules": [], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    arguments = s3.write(needed_rules(scope("app", s3.REMOVAL)), s3.read(reply))
    assert arguments["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    assert "TransitionDefaultMinimumObjectSize" not in s3.write([], s3.read({"Rules": []}))


def test_an_s3_rule_of_ours() -> None:
    rules = s3.write(needed_rules(scope("app", s3.REMOVAL)), Lifecycle(rules=()))
    first = rules["LifecycleConfiguration"]["Rules"][0]
    assert first == {
        "ID": "statebucket-a172cedc-ttl-1-tenants",
        "Status": "Enabled",
        "Filter": {
            "And": {
                "Prefix": "app/tenants/",
                "Tags": [{"Key": "statebucket-ttl", "Value": "1"}],
            }
        },
        "Expiration": {"Days": 1},
    }


def test_s3_rules_of_the_older_form_get_a_filter_beside_ours_and_stay_as_they_are_alone() -> None:
    old = {"ID": "logs", "Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 3}}
    found = s3.read({"Rules": [old]})
    rules = s3.write([*found.rules, *needed_rules(scope("app", s3.REMOVAL))], found)
    first, *ours = rules["LifecycleConfiguration"]["Rules"]
    assert first == {
        "ID": "logs",
        "Filter": {"Prefix": "logs/"},
        "Status": "Enabled",
        "Expiration": {"Days": 3},
    }
    assert all("Filter" in rule and "Prefix" not in rule for rule in ours)
    assert s3.read({"Rules": [first]}).rules[0].prefixes == found.rules[0].prefixes
    assert s3.write(found.rules, found)["LifecycleConfiguration"]["Rules"] == [old]


def test_gcs_rules_are_written_on_the_condition_that_no_one_else_has() -> None:
    query, body = gcs.write(
        needed_rules(scope("app", gcs.REMOVAL)), gcs.read({"metageneration": "42"})
    )
    assert query["ifMetagenerationMatch"] == "42"
    prefixes = ["app/tenants/", "app/shared/", "app/owners/"]
    assert body["lifecycle"]["rule"] == [
        {
            "action": {"type": "Delete"},
            "condition": {"matchesPrefix": prefixes, "daysSinceCustomTime": 1},
        },
        {
            "action": {"type": "Delete"},
            "condition": {"matchesPrefix": prefixes, "daysSinceNoncurrentTime": 7},
        },
        {
            "action": {"type": "AbortIncompleteMultipartUpload"},
            "condition": {"age": 1, "matchesPrefix": prefixes},
        },
    ]


def test_gcs_rules_of_others_go_back_as_they_were() -> None:
    foreign = [
        {"action": {"type": "Delete"}, "condition": {"age": 30, "matchesSuffix": [".log"]}},
        {"action": {"type": "Delete"}, "condition": {"isLive": False, "numNewerVersions": 3}},
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 9}},
        {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}, "condition": {"age": 1}},
    ]
    found = gcs.read({"metageneration": "42", "lifecycle": {"rule": foreign}})
    assert gcs.write(found.rules, found)[1] == {"lifecycle": {"rule": foreign}}


def test_an_azure_policy_keeps_to_what_azure_takes() -> None:
    rules = azure.policy(rooted(needed_rules(scope("app", azure.REMOVAL)), "box/"))["rules"]
    assert len(rules) == 12  # of 100
    for rule in rules:
        assert rule["name"].isalnum()
        filters = rule["definition"]["filters"]
        assert len(filters["prefixMatch"]) <= 10
        assert all(p.startswith("box/app/") and p.endswith("/") for p in filters["prefixMatch"])
        assert len(filters.get("blobIndexMatch", [])) <= 10
    assert rules[0]["definition"] == {
        "filters": {
            "blobTypes": ["blockBlob"],
            "prefixMatch": ["box/app/tenants/", "box/app/shared/", "box/app/owners/"],
            "blobIndexMatch": [{"name": "statebucket-ttl", "op": "==", "value": "1"}],
        },
        "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 1}}},
    }
    assert rules[-1]["definition"]["actions"] == {
        "version": {"delete": {"daysAfterCreationGreaterThan": 7}}
    }

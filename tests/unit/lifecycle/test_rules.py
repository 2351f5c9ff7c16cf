"""The rules that a store needs."""

from __future__ import annotations

from datetime import timedelta

from statebucket.lifecycle.rules import needed_rules
from statebucket.port.expiry import CLASSES, TAG, Expiry
from statebucket_s3 import lifecycle as s3
from support.rules import (
    GCS_NEEDED,
    S3_NEEDED,
    on_s3,
    s3_rules,
    scope,
)


def test_no_rule_is_ever_earlier_than_a_ttl() -> None:
    by_class = {rule.tags[TAG]: rule.expiration_days for rule in S3_NEEDED if rule.expiration_days}
    for hours in (1, 24, 25, 47, 49, 24 * 30, 24 * 1024):
        expiry = Expiry.after(timedelta(hours=hours), 0)
        assert (by_class[str(expiry.days)] or 0) * 24 >= hours
    assert set(by_class) == {str(days) for days in CLASSES}
    assert [r.custom_time_days for r in GCS_NEEDED if r.custom_time_days is not None] == [1]


def test_every_filter_names_one_of_our_prefixes_with_its_closing_slash() -> None:
    expected = {"app/state/tenants/", "app/state/shared/", "app/state/owners/"}
    for rule in [*S3_NEEDED, *GCS_NEEDED]:
        assert set(rule.prefixes) == expected
    for raw in s3_rules():
        place = raw["Filter"].get("And", raw["Filter"])
        assert place["Prefix"] in expected
    assert len({raw["ID"] for raw in s3_rules()}) == 3 * (len(CLASSES) + 1)


def test_ids_of_two_prefixes_in_one_bucket_differ() -> None:
    other = needed_rules(scope("app/other", s3.REMOVAL))
    assert not {rule.id for rule in other} & {rule.id for rule in S3_NEEDED}


def test_a_store_without_owner_records_needs_rules_for_tenants_only() -> None:
    rules = needed_rules(scope("app/state", s3.REMOVAL, owner_index=False))
    assert {rule.prefixes for rule in rules} == {("app/state/tenants/",)}
    assert on_s3(s3_rules(), owner_index=False).ok

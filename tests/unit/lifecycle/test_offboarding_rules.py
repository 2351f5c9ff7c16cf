"""Which rule removes a tenant, what is taken for it, and what another writer of rules does."""

from __future__ import annotations

import copy
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket.errors import (
    PreconditionFailed,
    Unavailable,
)
from statebucket.lifecycle.offboarding import TenantRule, offboarding_rule, tenant_of
from statebucket.port.lifecycle import Lifecycle
from statebucket.store.layout import Layout, Place
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.rules import NOTHING, ON_GCS, ON_S3, gcs_rules, on_gcs, on_s3, s3_rules, scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.contract.lifecycle import Rule

Raw = dict[str, Any]
PREFIX = "app/tenants/acme/"


# What is taken for ours.


def on_the_service(kind: str, rule: Rule) -> Raw:
    """A rule of ours as the service returns it."""
    if kind == "s3":
        (raw,) = s3.write([rule], NOTHING)["LifecycleConfiguration"]["Rules"]
    else:
        (raw,) = gcs.write([rule], Lifecycle(rules=(), state="1"))[1]["lifecycle"]["rule"]
    return copy.deepcopy(raw)


DAY = date(2026, 11, 28)
WITH_TENANT = "app/state/tenants/acme/"


def test_a_rule_of_s3_is_dated_and_removes_versions_and_uploads_too() -> None:
    rule = offboarding_rule(ON_S3, WITH_TENANT, DAY)
    raw = on_the_service("s3", rule)
    assert raw.pop("ID").startswith("statebucket-offboard-")
    assert raw == {
        "Status": "Enabled",
        "Filter": {"Prefix": WITH_TENANT},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    assert on_s3([*s3_rules(), on_the_service("s3", rule)]).ok
    longest = offboarding_rule(ON_S3, f"app/state/tenants/{'~20' * 300}/", DAY)
    assert len(longest.id) <= 255


def test_a_rule_of_cloud_storage_is_known_by_its_form() -> None:
    rule = offboarding_rule(ON_GCS, WITH_TENANT, DAY)
    raw = on_the_service("gcs", rule)
    assert raw == {
        "action": {"type": "Delete"},
        "condition": {"matchesPrefix": [WITH_TENANT], "age": 1},
    }
    assert on_gcs([*gcs_rules(), raw]).ok


@pytest.mark.parametrize(
    "change",
    [
        {"Filter": {"Prefix": "app/state/tenants/"}},
        {"Filter": {"Prefix": "app/state/tenants/acme"}},
        {"Filter": {"Prefix": "app/state/tenants/acme/keys/"}},
        {"Filter": {"Prefix": "app/state/"}},
        {"Filter": {"Prefix": "app/state/owners/acme/"}},
        {"Expiration": {"Days": 30}},
        {"Expiration": {"Date": "2026-11-28T00:00:00Z"}},
        {"ID": "statebucket-offboard-00000000-20261128-0123456789abcdef"},
        {"ID": "cleanup"},
    ],
)
def test_a_rule_of_s3_that_was_changed_is_dangerous(change: Raw) -> None:
    rule = on_the_service("s3", offboarding_rule(ON_S3, WITH_TENANT, DAY)) | change
    report = on_s3([*s3_rules(), rule])
    assert [finding.kind for finding in report.findings] == ["dangerous"]


@pytest.mark.parametrize(
    "condition",
    [
        {"matchesPrefix": [WITH_TENANT], "age": 2},
        {"matchesPrefix": [WITH_TENANT, "app/state/tenants/b/"], "age": 1},
        {"matchesPrefix": [WITH_TENANT], "age": 1, "isLive": True},
        {"matchesPrefix": [WITH_TENANT], "age": 1, "createdBefore": "2026-11-28"},
        {"matchesPrefix": ["app/state/tenants/acme"], "age": 1},
        {"age": 1},
    ],
)
def test_a_rule_of_cloud_storage_of_another_form_is_dangerous(condition: Raw) -> None:
    report = on_gcs([*gcs_rules(), {"action": {"type": "Delete"}, "condition": condition}])
    assert [finding.kind for finding in report.findings] == ["dangerous"]


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    [
        "acme",
        "acme-2",
        "acme2",
        "acme.2",
        "acme/2",
        "acme~2F2",
        "a",
        ".",
        "..",
        "tenants",
        "snapshots",
    ]
)


@given(
    tenant=ids, other=ids, execution=ids, key=ids, prefix=st.sampled_from(["", "app", "a/tenants"])
)
def test_a_tenant_s_rule_matches_its_own_objects_and_no_others(
    tenant: str, other: str, execution: str, key: str, prefix: str
) -> None:
    layout = Layout(prefix)
    for removal in (s3.REMOVAL, gcs.REMOVAL):
        where = scope(prefix, removal)
        rule = offboarding_rule(where, layout.tenant(tenant), DAY)
        assert tenant_of(rule, where) == tenant
        (below,) = rule.prefixes

        def of(owner: str | None) -> list[str]:
            places = [Place("key", owner, None, f"k{key}"), Place("key", owner, execution, key)]
            if owner is not None:
                places += [Place(kind, owner, execution) for kind in ("snapshot", "lease")]
            return [layout.name(place) for place in places]

        assert all(name.startswith(below) for name in of(tenant))
        others = [*of(None), layout.owner(execution, tenant)]
        if other != tenant:
            others += [*of(other), layout.owner(execution, other)]
        assert not any(name.startswith(below) for name in others)


class Contested:
    """A bucket of Cloud Storage's whose rules someone else changes at the same time."""

    removal = gcs.REMOVAL
    rule_root = ""

    def __init__(self) -> None:
        self.rules: tuple[Rule, ...] = ()
        self.overtaken = 0

    async def read_lifecycle(self) -> Lifecycle:
        return Lifecycle(rules=self.rules)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        if self.overtaken:
            self.overtaken -= 1
            other = f"app/tenants/other-{self.overtaken}/"
            self.rules += (offboarding_rule(scope("app", self.removal), other, DAY),)
            raise PreconditionFailed("412")
        assert found.rules == self.rules
        self.rules = tuple(rules)


@pytest.mark.asyncio
async def test_another_tenant_s_rule_that_is_written_meanwhile_survives() -> None:
    port = Contested()
    rule = TenantRule(port, scope("app", gcs.REMOVAL), "acme", PREFIX)
    port.overtaken = 2
    await rule.write(DAY)
    assert len(port.rules) == 3
    port.overtaken = 1
    await rule.remove()
    assert len(port.rules) == 3
    assert all(one.prefixes != (PREFIX,) for one in port.rules)


class Unconditional:
    """A bucket of S3, whose rules are replaced whole: another write may bring back what went."""

    removal = s3.REMOVAL
    rule_root = ""

    def __init__(self, rules: Sequence[Rule], brings_back: int) -> None:
        self.rules = tuple(rules)
        self._before = self.rules
        self._brings_back = brings_back

    async def read_lifecycle(self) -> Lifecycle:
        return Lifecycle(rules=self.rules)

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        del found
        self.rules = tuple(rules)
        if self._brings_back:
            self._brings_back -= 1
            self.rules = self._before


@pytest.mark.asyncio
async def test_a_rule_that_another_write_brings_back_is_removed_until_it_is_gone() -> None:
    where = scope("app", s3.REMOVAL)
    rules = [offboarding_rule(where, f"app/tenants/{one}/", DAY) for one in ("acme", "other")]
    port = Unconditional(rules, brings_back=2)
    await TenantRule(port, where, "acme", PREFIX).remove()
    assert [rule.prefixes for rule in port.rules] == [("app/tenants/other/",)]
    port = Unconditional(rules, brings_back=100)
    with pytest.raises(Unavailable, match="kept coming back"):
        await TenantRule(port, where, "acme", PREFIX).remove()

"""`check_lifecycle` and `apply_lifecycle`, on servers that keep lifecycle rules."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import open_store
from statebucket.errors import PreconditionFailed, Unavailable
from statebucket.lifecycle.manager import LifecycleManager
from statebucket.lifecycle.rules import needed_rules
from statebucket.port.lifecycle import Lifecycle, Rule
from statebucket.store.layout import Layout
from statebucket_gcs import lifecycle as gcs
from support.lifecycle_places import FOREIGN_S3, GCS, S3
from support.missing import need
from support.rules import scope
from support.servers import gcp_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
    from support.servers import Server

Raw = dict[str, Any]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Server]:
    need(gcp_emulator.missing)
    with gcp_emulator.running_gcp_emulator() as server:
        yield server


@pytest.fixture(params=["moto", "ministack", "seaweedfs", "emulator"])
def place(request: pytest.FixtureRequest) -> S3 | GCS:
    server = request.getfixturevalue(request.param)
    return GCS(server) if request.param == "emulator" else S3(server)


def check(url: str, **options: Any) -> LifecycleReport:
    async def run() -> LifecycleReport:
        async with open_store(url, **options) as store:
            return await store.check_lifecycle()

    return asyncio.run(run())


def apply(url: str, *, dry_run: bool) -> LifecyclePlan:
    async def run() -> LifecyclePlan:
        async with open_store(url) as store:
            return await store.apply_lifecycle(dry_run=dry_run)

    return asyncio.run(run())


def test_a_new_bucket_gets_its_rules_once_asked_to(place: S3 | GCS) -> None:
    assert {finding.kind for finding in check(place.url).findings} == {"missing"}
    plan = apply(place.url, dry_run=True)
    assert not plan.applied
    assert "not applied: a dry run" in str(plan)
    assert not check(place.url).ok
    assert apply(place.url, dry_run=False).applied
    assert check(place.url).ok
    assert not apply(place.url, dry_run=False).applied
    assert "nothing to change" in str(apply(place.url, dry_run=False))


def test_foreign_rules_stay_as_they_are(place: S3 | GCS) -> None:
    place.put([place.foreign])
    before = place.rules()
    apply(place.url, dry_run=False)
    assert place.rules()[0] == before[0]
    assert check(place.url).ok


def test_a_missing_a_shortened_and_a_foreign_expiring_rule_are_reported_and_fixed(
    place: S3 | GCS,
) -> None:
    apply(place.url, dry_run=False)
    rules = place.rules()
    rules.insert(0, place.foreign)
    place.shorten(rules)
    del rules[-1]
    if isinstance(place, S3):
        expiring = FOREIGN_S3 | {"ID": "cleanup", "Filter": {"Prefix": "app/"}}
    else:
        expiring = {"action": {"type": "Delete"}, "condition": {"age": 9}}
    place.put([*rules, expiring])

    report = check(place.url)
    assert {finding.kind for finding in report.findings} == {"dangerous", "wrong", "missing"}
    assert report.findings[0].kind == "dangerous"
    assert any("shortened" in finding.message for finding in report.findings)

    plan = apply(place.url, dry_run=False)
    assert plan.applied
    left = check(place.url)
    # What is not ours to remove stays: on Cloud Storage, the rule whose days are not ours, too.
    shortened = ["wrong"] if isinstance(place, GCS) else []
    assert len(plan.kept) == 2 + len(shortened)
    assert [finding.kind for finding in left.findings] == ["dangerous", *shortened]
    assert all("remove" in str(finding.remedy) for finding in left.findings)
    assert not apply(place.url, dry_run=False).applied


def test_a_bucket_of_terraforms_is_left_alone(place: S3 | GCS) -> None:
    apply(place.url, dry_run=False)
    place.own_by_terraform(place.rules()[:-1])
    before = place.rules()
    plan = apply(place.url, dry_run=False)
    assert not plan.applied
    assert place.rules() == before
    assert "Terraform owns this bucket's rules" in str(plan)
    # The module has this prefix: it only has to be applied.
    assert "`terraform apply` of the module restores its rules" in plan.module_input
    assert 'prefix      = "app"' in plan.module_input
    assert "extra_lifecycle_rules" not in plan.module_input
    # Another prefix of the same bucket is told what to pass to the module.
    other = apply(place.url.replace("/app?", "/other?"), dry_run=False)
    said, _, text = other.module_input.partition("\nextra_lifecycle_rules = ")
    assert "entries that extra_lifecycle_rules has already" in said
    rules = json.loads(text)
    assert rules
    assert all("other/tenants/" in rule["prefixes"] for rule in rules)


def test_of_two_prefixes_in_a_bucket_of_terraforms_neither_is_taken_for_the_module_s(
    moto: Server,
) -> None:
    place = S3(moto)
    other = place.url.replace("/app?", "/other?")
    apply(place.url, dry_run=False)
    apply(other, dry_run=False)
    place.own_by_terraform([rule for rule in place.rules() if "-ttl-16-" not in rule["ID"]])
    for url, prefix in ((place.url, "app"), (other, "other")):
        said = apply(url, dry_run=False).module_input
        assert f'if its prefix is "{prefix}" or it has these already' in said
        assert "already:\nextra_lifecycle_rules = [" in said


def test_two_stores_in_one_bucket_leave_each_other_s_rules_alone(place: S3 | GCS) -> None:
    other = place.url.replace("/app?", "/other?")
    apply(place.url, dry_run=False)
    apply(other, dry_run=False)
    assert check(place.url).ok
    assert check(other).ok


def test_without_tags_on_s3_the_sweep_removes(moto: Server) -> None:
    place = S3(moto)
    report = check(place.url, ttl_tags=False)
    assert report.ok
    assert "sweep()" in report.findings[0].message
    place.put([FOREIGN_S3 | {"Filter": {"Prefix": ""}}])
    assert not check(place.url, ttl_tags=False).ok


def test_in_memory_and_on_sqlite_the_sweep_removes(tmp_path: Path) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path}/state.db"):
        report = check(url)
        assert report.ok
        assert [finding.kind for finding in report.findings] == ["note"]
        assert not apply(url, dry_run=False).applied


def test_on_azure_the_report_lists_what_must_be_there() -> None:
    report = check("az://container/app?account=example")
    (finding,) = report.findings
    assert finding.kind == "unknown"
    assert not report.ok
    assert "statebucket-ttl=1, 2, 4, 8," in finding.message
    assert "1024, deleting after as many days; and one with noncurrent_days=7" in finding.message
    # What was not looked at is not said to be in order.
    assert "container/app/tenants/, container/app/shared/, container/app/owners/" in finding.message
    assert "apply_lifecycle cannot write them" in finding.message
    assert "terraform/azure" in str(finding.remedy)
    plan = apply("az://container/app?account=example", dry_run=False)
    assert str(plan).endswith("nothing was written: statebucket cannot write this service's rules")


SHORT_TAG = {
    "Filter": {"Tag": {"Key": "statebucket-ttl", "Value": "64"}},
    "Expiration": {"Days": 5},
}
DATED_TAG = {
    "Filter": {
        "And": {
            "Prefix": "app/tenants/",
            "Tags": [{"Key": "statebucket-ttl", "Value": "4"}],
        }
    },
    "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)},
}


@pytest.mark.parametrize("foreign", [SHORT_TAG, DATED_TAG])
def test_what_a_foreign_rule_shortens_is_not_written_again_and_again(
    moto: Server, foreign: Raw
) -> None:
    place = S3(moto)
    apply(place.url, dry_run=False)
    place.put([*place.rules(), {"ID": "short", "Status": "Enabled", **foreign}])
    before = place.rules()
    plan = apply(place.url, dry_run=False)
    assert not plan.applied
    assert str(plan).endswith("nothing was written")
    assert place.rules() == before
    assert plan.report.findings
    assert all("dry_run=False" not in str(finding.remedy) for finding in plan.report.findings)
    # What is missing beside it is written, once.
    place.put([rule for rule in before if not rule["ID"].endswith("tidy-owners")])
    assert apply(place.url, dry_run=False).applied
    assert not apply(place.url, dry_run=False).applied


def test_a_rule_that_only_its_days_tell_from_ours_stays(emulator: Server) -> None:
    place = GCS(emulator)
    condition = {"daysSinceNoncurrentTime": 90, "matchesPrefix": ["app/tenants/"]}
    theirs = {"action": {"type": "Delete"}, "condition": condition}
    place.put([theirs])
    plan = apply(place.url, dry_run=False)
    assert plan.applied
    assert plan.removed == ()
    rules = place.rules()
    assert rules[0] == theirs
    # Ours would remove their versions sooner.
    (ours,) = [one for one in rules[1:] if "daysSinceNoncurrentTime" in one["condition"]]
    assert ours["condition"]["matchesPrefix"] == ["app/shared/", "app/owners/"]
    report = check(place.url)
    assert report.ok
    assert "taken for someone else's" in str(report)
    assert not apply(place.url, dry_run=False).applied
    assert place.rules() == rules


class Contested:
    """A port whose rules someone else changes at the same time."""

    removal = gcs.REMOVAL
    rule_root = ""

    def __init__(self, times: int) -> None:
        self.times = times
        self.rules: tuple[Rule, ...] = ()

    async def read_lifecycle(self) -> Lifecycle:
        return Lifecycle(rules=self.rules, state="1")

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:
        if self.times:
            self.times -= 1
            theirs = Rule(prefixes=("logs/",), noncurrent_days=self.times + 1, raw={})
            self.rules = (*self.rules, theirs)
            raise PreconditionFailed("412")
        assert found.rules == self.rules
        self.rules = tuple(rules)


def managed(port: Contested) -> LifecycleManager:
    return LifecycleManager(port, "app", Layout("app").areas, owner_index=True)


def test_a_change_that_somebody_else_makes_meanwhile_survives() -> None:
    port = Contested(2)
    plan = asyncio.run(managed(port).apply(dry_run=False))
    assert plan.applied
    assert len(plan.kept) == 2
    assert list(port.rules[2:]) == needed_rules(scope("app", gcs.REMOVAL))
    with pytest.raises(Unavailable, match="kept changing"):
        asyncio.run(managed(Contested(9)).apply(dry_run=False))

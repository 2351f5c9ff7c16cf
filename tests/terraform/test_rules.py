"""Each module's lifecycle rules match those of core/statebucket: both change together."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from statebucket.contract.segments import encode
from statebucket.lifecycle import rules as lifecycle
from statebucket.lifecycle.manager import LifecycleManager
from statebucket.lifecycle.offboarding import TenantRule
from statebucket.lifecycle.rules import needed_rules
from statebucket.port.expiry import CLASSES, TAG
from statebucket.port.lifecycle import Lifecycle
from statebucket.store.layout import Layout
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.rules import scope
from terraform.hcl import ROOT, locals_of
from terraform.rules import REMOVAL, computed, copy_rules, expected, expected_offboarding
from terraform.tool import need_terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from statebucket.port.lifecycle import Removal, Rule

Raw = dict[str, Any]

CLOUDS_WITH_CLASSES = ("aws", "azure")


def s3_made() -> Lifecycle:
    rules = needed_rules(scope("app", s3.REMOVAL), id_start="statebucket-tf-")
    return s3.read(s3.write(rules, Lifecycle(rules=()))["LifecycleConfiguration"])


def gcs_made() -> Lifecycle:
    labels = {"statebucket-lifecycle": "terraform", "statebucket-prefix": lifecycle.digest("app")}
    return gcs.read({"metageneration": "1", "labels": labels})


class OwnedByTerraform:
    """A bucket that the module created for the prefix ``app``."""

    def __init__(self, removal: Removal, found: Lifecycle) -> None:
        self.removal = removal
        self.rule_root = ""
        self._found = found

    async def read_lifecycle(self) -> Lifecycle:
        return self._found

    async def write_lifecycle(self, rules: Sequence[Rule], found: Lifecycle) -> None:  # noqa: ARG002
        pytest.fail("Terraform would undo this")


def plain(rule: Raw) -> Raw:
    """A rule without unset fields."""
    return {name: value for name, value in rule.items() if value is not False}


def agree(path: Path) -> bool:
    """Whether the classes and the tag that a file states are those of expiry.py."""
    stated = locals_of(path)
    return tuple(stated["ttl_classes"]) == CLASSES and stated["ttl_tag"] == TAG


@pytest.mark.parametrize("module", CLOUDS_WITH_CLASSES)
def test_the_classes_and_the_tag_are_those_of_expiry(module: str) -> None:
    assert agree(ROOT / module / "rules.tf")


@pytest.mark.parametrize("module", CLOUDS_WITH_CLASSES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("512, 1024]", "512, 1024, 2048]"),
        ("512, 1024]", "512]"),
        ("[1, 2, 4,", "[1, 2, 3,"),
        ('"statebucket-ttl"', '"statebucket-class"'),
    ],
)
def test_a_change_of_the_module_alone_is_seen(
    module: str, old: str, new: str, tmp_path: Path
) -> None:
    text = (ROOT / module / "rules.tf").read_text()
    assert old in text
    (tmp_path / "rules.tf").write_text(text.replace(old, new))
    assert not agree(tmp_path / "rules.tf")


def test_the_custom_time_is_that_of_the_core() -> None:
    stated = locals_of(ROOT / "gcp" / "rules.tf")
    (needed,) = [
        rule.custom_time_days
        for rule in lifecycle.needed_rules(scope("app", gcs.REMOVAL))
        if rule.custom_time_days is not None
    ]
    assert stated["ttl_rule"]["custom_time_days"] == needed


@pytest.mark.parametrize("module", ["aws", "gcp", "azure"])
@pytest.mark.parametrize("prefix", ["", "app/state"])
@pytest.mark.parametrize("owner_index", [True, False])
def test_the_rules_that_terraform_computes_are_those_that_are_needed(
    module: str, prefix: str, tmp_path: Path, *, owner_index: bool
) -> None:
    need_terraform()
    copy_rules(module, tmp_path)
    rules = computed(module, tmp_path, prefix=prefix, owner_index=owner_index)
    assert rules == expected(module, prefix, owner_index=owner_index)


@pytest.mark.parametrize("module", ["aws", "gcp", "azure"])
@pytest.mark.parametrize("prefix", ["", "app/state"])
def test_the_rules_that_remove_tenants_are_those_of_the_core(
    module: str, prefix: str, tmp_path: Path
) -> None:
    need_terraform()
    copy_rules(module, tmp_path)
    tenants = ["acme", "acme-2", "b c.d", "é"]
    rules = computed(
        module,
        tmp_path,
        what="local.offboarding_rules",
        prefix=prefix,
        offboarded_tenants=[encode(tenant) for tenant in tenants],
    )
    assert rules == [expected_offboarding(module, prefix, tenant) for tenant in tenants]


@pytest.mark.parametrize(("module", "found"), [("aws", s3_made), ("gcp", gcs_made)])
def test_what_off_boarding_prints_is_valid_input_of_the_module(
    module: str, found: Callable[[], Lifecycle], tmp_path: Path
) -> None:
    need_terraform()
    copy_rules(module, tmp_path)
    removal = REMOVAL[module]
    port = OwnedByTerraform(removal, found())
    for prefix, name, what in (
        ("app", "offboarded_tenants", "local.offboarding_rules"),
        ("other", "extra_lifecycle_rules", "var.extra_lifecycle_rules"),
    ):
        layout = Layout(prefix)
        rule = TenantRule(port, scope(prefix, removal), "b c", layout.tenant("b c"))
        text = rule.module_input(found())
        assert text.startswith(f"{name} = ")
        value = json.loads(text.removeprefix(f"{name} = "))
        rules = computed(module, tmp_path, what=what, prefix="app", **{name: value})
        assert [plain(one) for one in rules] == [plain(expected_offboarding(module, prefix, "b c"))]


@pytest.mark.parametrize("module", CLOUDS_WITH_CLASSES)
def test_a_class_that_the_core_alone_has_is_seen(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_terraform()
    copy_rules(module, tmp_path)
    monkeypatch.setattr(lifecycle, "CLASSES", (*CLASSES, 2048))
    assert computed(module, tmp_path) != expected(module, "", owner_index=True)


def test_the_labels_on_google_cloud_are_those_that_the_core_knows(tmp_path: Path) -> None:
    need_terraform()
    copy_rules("gcp", tmp_path)
    (labels,) = computed("gcp", tmp_path, what="[local.rule_labels]", prefix="app/state")
    found = gcs.read({"metageneration": "1", "labels": labels})
    assert found.terraform
    assert found.terraform_prefixes == {lifecycle.digest("app/state")}


@pytest.mark.parametrize(("module", "found"), [("aws", s3_made), ("gcp", gcs_made)])
def test_what_apply_prints_for_another_prefix_is_valid_input_of_the_module(
    module: str, found: Callable[[], Lifecycle], tmp_path: Path
) -> None:
    need_terraform()
    port = OwnedByTerraform(REMOVAL[module], found())
    manager = LifecycleManager(port, "other", Layout("other").areas, owner_index=True)
    plan = asyncio.run(manager.apply(dry_run=False))
    text = plan.module_input.partition("extra_lifecycle_rules = ")[2]
    copy_rules(module, tmp_path)
    extra = computed(
        module,
        tmp_path,
        what="var.extra_lifecycle_rules",
        prefix="app",
        extra_lifecycle_rules=json.loads(text),
    )
    rules = expected(module, "other", owner_index=True)
    assert [plain(rule) for rule in extra] == [plain(rule) for rule in rules]

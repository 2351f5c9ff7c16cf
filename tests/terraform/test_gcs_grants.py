"""The Google Cloud module's grants, under each possible behaviour of Cloud Storage."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from terraform.gcs_iam import Cloud
from terraform.rules import computed, copy_rules
from terraform.tool import need_terraform

if TYPE_CHECKING:
    from pathlib import Path

CLOUDS = [Cloud("bucket", *answers) for answers in product((True, False), repeat=2)]
# The reading that Google's documentation of Credential Access Boundaries suggests.
DOCUMENTED = Cloud("bucket", has_list_prefix=True, asks_on_bucket=True)
WRITES = ("storage.objects.create", "storage.objects.delete")

Grants = dict[str, list[dict[str, Any]]]


def granted(folder: Path, **variables: Any) -> Grants:
    """The grants of a module, by member."""
    need_terraform()
    copy_rules("gcp", folder)
    members = {
        "runtime_members": {"f": "user:runtime@example.com"},
        "reader_members": {"f": "user:reader@example.com"},
        "tenant_members": {
            "acme": {"f": "user:acme@example.com"},
            "other": {"f": "user:other@example.com"},
        },
    }
    found: Grants = {}
    for grant in computed("gcp", folder, what="values(local.grants)", **(members | variables)):
        found.setdefault(grant["member"].removeprefix("user:").partition("@")[0], []).append(grant)
    return found


@pytest.mark.parametrize("prefix", ["", "app/state"])
@pytest.mark.parametrize("owner_index", [True, False])
def test_a_first_load_finds_nothing_whatever_cloud_storage_does(
    prefix: str, tmp_path: Path, *, owner_index: bool
) -> None:
    grants = granted(tmp_path, prefix=prefix, owner_index=owner_index)
    root = f"{prefix}/" if prefix else ""
    for cloud, member in product(CLOUDS, ("runtime", "reader", "acme")):
        assert cloud.finds_nothing(grants[member], f"{root}tenants/acme/snapshots/e1"), cloud
        assert cloud.may_list(grants[member], f"{root}tenants/acme/snapshots/"), cloud
        if owner_index:
            assert cloud.may_list(grants[member], root), cloud


def test_a_strict_list_may_deny_a_first_load(tmp_path: Path) -> None:
    grants = granted(tmp_path, prefix="app/state", strict_list=True)
    name = "app/state/tenants/acme/snapshots/e1"
    for cloud, member in product(CLOUDS, ("runtime", "reader")):
        assert cloud.finds_nothing(grants[member], name) == (not cloud.asks_on_bucket)
        assert cloud.may_list(grants[member], "app/state/tenants/") == cloud.has_list_prefix
        for elsewhere in ("", "app/", "app/state", "app/state/other/", "logs/"):
            assert not cloud.may_list(grants[member], elsewhere)


def test_no_grant_replaces_another_whatever_members_are_called(tmp_path: Path) -> None:
    names = ("f", "f names", "bucket f", "runtime f", "acme f")
    members = {name: f"user:{name.replace(' ', '-')}@example.com" for name in names}
    grants = granted(
        tmp_path,
        runtime_members=members,
        reader_members=members,
        tenant_members={"acme": members},
    )
    assert [len(one) for one in grants.values()] == [6] * len(names)


@pytest.mark.parametrize("strict_list", [True, False])
def test_members_reach_no_object_beyond_the_store(tmp_path: Path, *, strict_list: bool) -> None:
    grants = granted(tmp_path, prefix="app/state", strict_list=strict_list)
    for cloud in CLOUDS:
        for area in ("tenants/acme/snapshots/e1", "shared/keys/k", "owners/e1/acme"):
            name = f"app/state/{area}"
            assert cloud.may(grants["runtime"], "storage.objects.get", name)
            assert cloud.may(grants["reader"], "storage.objects.get", name)
            for write in WRITES:
                assert cloud.may(grants["runtime"], write, name)
                assert not cloud.may(grants["reader"], write, name)
        for name in ("app/state/other", "app/state-old/tenants/acme/k", "logs/1", "tenants/a/k"):
            for member, action in product(("runtime", "reader"), ("storage.objects.get", *WRITES)):
                assert not cloud.may(grants[member], action, name)


def test_readers_see_the_bucket_s_rules_with_a_strict_list_too(tmp_path: Path) -> None:
    for strict_list in (True, False):
        grants = granted(tmp_path, strict_list=strict_list)
        assert DOCUMENTED.may(grants["reader"], "storage.buckets.get", "")


def test_with_a_strict_list_tenants_see_neither_objects_nor_names_of_each_other(
    tmp_path: Path,
) -> None:
    strict = granted(tmp_path, prefix="app/state", owner_index=False, strict_tenant_list=True)
    grants = strict["acme"]
    own, other = (f"app/state/tenants/{tenant}/snapshots/e1" for tenant in ("acme", "other"))
    for cloud in CLOUDS:
        for action in ("storage.objects.get", *WRITES):
            assert cloud.may(grants, action, own)
            for name in (other, "app/state/tenants/acme2/snapshots/e1", "app/state/owners/e1/acme"):
                assert not cloud.may(grants, action, name)
        assert cloud.may_list(grants, "app/state/tenants/acme/") == cloud.has_list_prefix
        assert cloud.finds_nothing(grants, own) == (not cloud.asks_on_bucket)
        for prefix in ("", "app/state/", "app/state/tenants/", "app/state/tenants/other/"):
            assert not cloud.may_list(grants, prefix)


def test_by_default_tenants_see_names_and_no_objects_of_each_other(tmp_path: Path) -> None:
    grants = granted(tmp_path, prefix="app/state", owner_index=False)
    own, other = (f"app/state/tenants/{tenant}/snapshots/e1" for tenant in ("acme", "other"))
    for cloud in CLOUDS:
        assert cloud.finds_nothing(grants["acme"], own)
        assert cloud.may_list(grants["acme"], "app/state/tenants/acme/")
        assert cloud.may_list(grants["acme"], "")
        for action in ("storage.objects.get", *WRITES):
            assert not cloud.may(grants["acme"], action, other)

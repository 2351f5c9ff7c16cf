"""What the AWS module's policy documents allow, according to our own evaluator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from terraform.iam import allowed
from terraform.policies import (
    ARN,
    KEY,
    OBJECTS,
    PLAIN,
    RECORDED,
    REQUEST,
    THROUGH_S3,
    WRITES,
    tagged,
)

if TYPE_CHECKING:
    from terraform.policies import Documents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_tenant_reaches_its_own_objects_and_no_others(documents: Documents) -> None:
    policy = documents["tenants"]["tenant"]
    for action in OBJECTS:

        def may(name: str, tenant: str | None, action: str = action) -> bool:
            return allowed(policy, action, f"{ARN}/{name}", tagged(tenant))

        for tenant in ("acme", "acme-2", "a_B-9"):
            assert may(f"app/state/tenants/{tenant}/snapshots/e1", tenant)
        assert not may("app/state/tenants/other/snapshots/e1", "acme")
        assert not may("app/state/tenants/acme2/snapshots/e1", "acme")
        assert not may("app/state/tenants/acme", "acme")
        assert not may("app/state/owners/e1/acme", "acme")
        assert not may("app/state/shared/keys/k", "acme")
        assert not may("elsewhere/tenants/acme/snapshots/e1", "acme")
        assert not may("app/state/tenants//snapshots/e1", None)
    for action in ("s3:PutLifecycleConfiguration", "s3:DeleteBucket", "s3:PutBucketPolicy"):
        assert not allowed(policy, action, ARN, tagged("acme"))


def test_a_tenant_lists_its_own_prefix_and_no_other(documents: Documents) -> None:
    policy = documents["tenants"]["tenant"]

    def may(prefix: str | None, tenant: str | None) -> bool:
        return allowed(policy, "s3:ListBucket", ARN, tagged(tenant, prefix))

    assert may("app/state/tenants/acme/", "acme")
    assert may("app/state/tenants/acme/snapshots/", "acme")
    for prefix in (None, "", "app/state/tenants/", "app/state/tenants/acme", "app/state/owners/"):
        assert not may(prefix, "acme")
    assert not may("app/state/tenants/acme2/", "acme")
    assert not may("app/state/tenants//", None)


@pytest.mark.parametrize(
    "tenant",
    [
        "*",
        "?",
        "a*",
        "acm?",
        "acme/snapshots",
        "/",
        "a.b",
        "..",
        "a:b",
        "a=b",
        "a+b",
        "a@b",
        "$",
        "a$b",
        "~",
        "a%b",
        "a\\b",
        "",
        "a b",
    ],
)
def test_a_tag_that_is_no_tenant_s_name_reaches_nothing(documents: Documents, tenant: str) -> None:
    policy = documents["tenants"]["tenant"]
    for name in (tenant, "acme", "acme/snapshots", "a", "other"):
        place = f"app/state/tenants/{name}/snapshots/e1"
        for action in OBJECTS:
            assert not allowed(policy, action, f"{ARN}/{place}", tagged(tenant))
        assert not allowed(policy, "s3:ListBucket", ARN, tagged(tenant, place))


def test_without_the_denial_a_tag_with_a_slash_or_wildcard_would_widen(
    documents: Documents,
) -> None:
    """The tests above can fail: the denial is what holds them."""
    policy = json.loads(documents["tenants"]["tenant"])
    policy["Statement"] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
    open_policy = json.dumps(policy)
    place = f"{ARN}/app/state/tenants/other/snapshots/e1"
    assert allowed(open_policy, "s3:GetObject", place, tagged("*"))
    place = f"{ARN}/app/state/tenants/acme/snapshots/e1"
    assert allowed(open_policy, "s3:GetObject", place, tagged("acme/snapshots"))


def test_with_its_owner_records_a_tenant_reaches_its_own_and_no_others(
    documents: Documents,
) -> None:
    policy = documents["recorded"]["tenant"]
    for action in OBJECTS:

        def may(name: str, tenant: str | None, action: str = action) -> bool:
            return allowed(policy, action, f"{RECORDED}/app/state/{name}", tagged(tenant))

        for tenant in ("acme", "acme-2", "a_B-9"):
            assert may(f"tenants/{tenant}/snapshots/e1", tenant)
            assert may(f"owners/e1/{tenant}", tenant)
            assert may(f"owners/{tenant}/{tenant}", tenant)  # an execution of that id
        for name in (
            "owners/e1/other",
            "owners/e1/acme2",
            "owners/e1/acme/",
            "owners/acme/other",
            "owners/acme",
            "owners/e1/x~2Facme",
            "shared/keys/acme",
            "shared/executions/e1/acme",
            "tenants/other/keys/acme",
        ):
            assert not may(name, "acme"), name
        assert not may("owners/e1/", None)
        for malformed in ("*", "?", "a*", "e1/acme", "", "~2A", "a.b"):
            for name in ("acme", malformed):
                assert not may(f"owners/e1/{name}", malformed)


def test_with_its_owner_records_a_tenant_finds_that_its_own_is_missing(
    documents: Documents,
) -> None:
    policy = documents["recorded"]["tenant"]

    def may(prefix: str | None, tenant: str | None) -> bool:
        return allowed(policy, "s3:ListBucket", RECORDED, tagged(tenant, prefix))

    assert may("app/state/owners/e1/acme", "acme")
    for area in ("", "e1/", "e1/ac", "e1/other", "e1/acme2", "acme"):
        assert not may(f"app/state/owners/{area}", "acme"), area
    # The price: such a listing also shows the records of tenants whose names begin with this one's.
    assert "app/state/owners/e1/acme-2".startswith("app/state/owners/e1/acme")


def test_the_runtime_policy_keeps_to_the_store_s_prefixes(documents: Documents) -> None:
    policy, arn = documents["plain"]["runtime"], PLAIN
    for action in OBJECTS:
        for area in ("tenants/acme/snapshots/e1", "shared/keys/k", "owners/e1/acme"):
            assert allowed(policy, action, f"{arn}/app/state/{area}", REQUEST)
        for name in ("app/state/other", "app/state-old/tenants/acme/k", "logs/1"):
            assert not allowed(policy, action, f"{arn}/{name}", REQUEST)
    for prefix in ("app/state/", "app/state/tenants/", "app/state/owners/", "app/state/shared/k"):
        assert allowed(policy, "s3:ListBucket", arn, tagged(None, prefix))
    for prefix in ("", "app/", "app/state", "app/state/other/", "logs/"):
        assert not allowed(policy, "s3:ListBucket", arn, tagged(None, prefix))
    assert not allowed(policy, "s3:ListBucket", arn, REQUEST)
    for action in ("s3:PutLifecycleConfiguration", "s3:DeleteBucket", "s3:GetObjectVersion"):
        assert not allowed(policy, action, arn, REQUEST)


def test_what_is_missing_is_not_found_rather_than_denied(documents: Documents) -> None:
    """S3 answers 404 to who may list, and takes the name of the object for the prefix then."""
    arn = PLAIN
    for name in ("runtime", "read_only"):
        policy = documents["plain"][name]
        for area in ("tenants/acme/snapshots/e1", "shared/keys/k", "owners/e1/acme"):
            assert allowed(policy, "s3:ListBucket", arn, tagged(None, f"app/state/{area}"))
    policy = documents["tenants"]["tenant"]
    own, other = (f"app/state/tenants/{tenant}/snapshots/e1" for tenant in ("acme", "other"))
    assert allowed(policy, "s3:ListBucket", ARN, tagged("acme", own))
    assert not allowed(policy, "s3:ListBucket", ARN, tagged("acme", other))


def test_the_policy_for_inspection_changes_nothing(documents: Documents) -> None:
    policy, arn = documents["plain"]["read_only"], PLAIN
    place = f"{arn}/app/state/tenants/acme/snapshots/e1"
    assert allowed(policy, "s3:GetObject", place, REQUEST)
    # What check_lifecycle and `statebucket doctor` look at.
    for setting in ("LifecycleConfiguration", "BucketVersioning", "BucketPublicAccessBlock"):
        assert allowed(policy, f"s3:Get{setting}", arn, REQUEST)
        assert not allowed(policy, f"s3:Put{setting}", arn, REQUEST)
    for action in (*WRITES, "s3:PutBucketPolicy", "s3:GetBucketPolicy"):
        assert not allowed(policy, action, place, REQUEST)
        assert not allowed(policy, action, arn, REQUEST)


def test_the_key_is_used_by_those_who_read_and_write(documents: Documents) -> None:
    context = tagged("acme") | THROUGH_S3
    for name in ("runtime", "tenant", "read_only"):
        policy = documents["tenants"][name]
        assert allowed(policy, "kms:Decrypt", KEY, context)
        assert allowed(policy, "kms:GenerateDataKey", KEY, context) == (name != "read_only")
        assert not allowed(policy, "kms:ScheduleKeyDeletion", KEY, context)

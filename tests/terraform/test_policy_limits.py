"""What a holder of the AWS module's documents must not be able to do beyond the store.

Each refusal is evaluated a second time with the condition or statement taken out, and is allowed
then: the limit under test is what refuses it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from statebucket.port.expiry import CLASSES
from terraform.hcl import ROOT, literal, locals_of
from terraform.iam import allowed
from terraform.policies import (
    ARN,
    KEY,
    OBJECTS,
    PLAIN,
    REQUEST,
    THROUGH_S3,
    tagged,
    without,
    without_statement,
)

if TYPE_CHECKING:
    from terraform.policies import Documents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["runtime", "read_only", "tenant"])
def test_another_account_s_bucket_of_the_same_name_is_out_of_reach(
    documents: Documents, name: str
) -> None:
    policy = documents["tenants"][name]
    place = "app/state/tenants/acme/"
    requests = [(f"{ARN}/{place}snapshots/e1", action) for action in OBJECTS] + [
        (ARN, action)
        for action in ("s3:ListBucket", "s3:GetLifecycleConfiguration", "s3:GetBucketVersioning")
    ]
    ours = tagged("acme", place)
    theirs = ours | {"aws:ResourceAccount": "999999999999"}
    anybody_s = without(policy, "aws:ResourceAccount")
    possible = [request for request in requests if allowed(policy, request[1], request[0], ours)]
    assert len(possible) >= (4 if name == "read_only" else 5)
    for resource, action in possible:
        assert not allowed(policy, action, resource, theirs), action
        assert allowed(anybody_s, action, resource, theirs), action


@pytest.mark.parametrize("name", ["runtime", "read_only", "tenant"])
def test_the_key_is_used_through_s3_in_the_bucket_s_region_only(
    documents: Documents, name: str
) -> None:
    policy = documents["tenants"][name]
    for service in ("ec2.eu-west-1.amazonaws.com", "s3.us-east-1.amazonaws.com", None):
        context = tagged("acme") | ({} if service is None else {"kms:ViaService": service})
        assert not allowed(policy, "kms:Decrypt", KEY, context)
        assert allowed(without(policy, "kms:ViaService"), "kms:Decrypt", KEY, context)
    chinese = tagged("acme") | {"kms:ViaService": "s3.eu-west-1.amazonaws.com.cn"}
    assert allowed(policy, "kms:Decrypt", KEY, chinese)


SSE = "s3:x-amz-server-side-encryption"
OTHER_KEY = "arn:aws:kms:eu-west-1:999999999999:key/99999999-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("module", "encryption", "expected"),
    [
        ("plain", {}, True),
        ("plain", {SSE: "AES256"}, True),
        ("plain", {SSE: "aws:kms"}, False),
        ("plain", {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": OTHER_KEY}, False),
        ("tenants", {}, True),
        ("tenants", {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KEY}, True),
        ("tenants", {SSE: "aws:kms:dsse", f"{SSE}-aws-kms-key-id": KEY}, True),
        ("tenants", {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": OTHER_KEY}, False),
        ("tenants", {SSE: "aws:kms"}, False),
        ("tenants", {SSE: "AES256"}, False),
    ],
)
def test_state_is_written_with_the_bucket_s_key_only(
    documents: Documents, module: str, encryption: dict[str, str], *, expected: bool
) -> None:
    place = f"{PLAIN if module == 'plain' else ARN}/app/state/tenants/acme/snapshots/e1"
    context = REQUEST | encryption
    policy, bucket = documents[module]["runtime"], documents[module]["bucket"]

    def may(bucket_policy: str) -> bool:
        return allowed(policy, "s3:PutObject", place, context, bucket_policy=bucket_policy)

    assert may(bucket) == expected
    assert may(without_statement(bucket, "DenyOtherEncryption"))


@pytest.mark.parametrize("module", ["plain", "tenants"])
def test_state_is_not_written_with_a_key_that_comes_with_the_request(
    documents: Documents, module: str
) -> None:
    place = f"{PLAIN if module == 'plain' else ARN}/app/state/tenants/acme/snapshots/e1"
    context = REQUEST | {f"{SSE}-customer-algorithm": "AES256"}
    policy, bucket = documents[module]["runtime"], documents[module]["bucket"]
    assert not allowed(policy, "s3:PutObject", place, context, bucket_policy=bucket)
    before = without_statement(bucket, "DenyCustomerKeys")
    assert allowed(policy, "s3:PutObject", place, context, bucket_policy=before)


@pytest.mark.parametrize("name", ["runtime", "tenant"])
def test_objects_get_no_tag_but_a_class_of_ttl(documents: Documents, name: str) -> None:
    policy = documents["tenants"][name]
    place = f"{ARN}/app/state/tenants/acme/snapshots/e1"

    def may(policy: str, tags: dict[str, str]) -> bool:
        context = {
            key: value for key, value in tagged("acme").items() if "RequestObjectTag" not in key
        }
        context |= {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
        if tags:
            context["s3:RequestObjectTagKeys"] = tuple(tags)
        return allowed(policy, "s3:PutObjectTagging", place, context)

    for days in CLASSES:
        assert may(policy, {"statebucket-ttl": str(days)})
    before = without(policy, "s3:RequestObjectTagKeys", "s3:RequestObjectTag/statebucket-ttl")
    for tags in (
        {"project": "crown"},
        {"statebucket-ttl": "4", "project": "crown"},
        {"statebucket-ttl": "0"},
        {"statebucket-ttl": "3"},
        {},
    ):
        assert not may(policy, tags)
        assert may(before, tags)


@pytest.mark.parametrize("tenant", ["*", "acme/snapshots", "a.b", "", "a b", "$", None])
def test_a_malformed_or_missing_tag_is_refused_the_key_too(
    documents: Documents, tenant: str | None
) -> None:
    policy = documents["tenants"]["tenant"]
    before = without(without_statement(policy, "DenyMalformedTenant"), "aws:PrincipalTag/tenant")
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert not allowed(policy, action, KEY, tagged(tenant) | THROUGH_S3)
        assert allowed(before, action, KEY, tagged(tenant) | THROUGH_S3)


def test_the_bucket_policy_keeps_its_statements_beside_further_ones(documents: Documents) -> None:
    """A new statement whose Sid is not in ``own_sids`` could be replaced unnoticed."""
    own = locals_of(ROOT / "aws/policy.tf")["own_sids"]
    for module, further in (("plain", ["DenyOutsiders"]), ("tenants", [])):
        statements = json.loads(documents[module]["bucket"])["Statement"]
        assert sorted(one["Sid"] for one in statements) == sorted([*map(literal, own), *further])

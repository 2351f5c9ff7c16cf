"""The AWS module end to end: applied by Terraform, checked by statebucket, used, and destroyed.

One apply serves all tests of this file, in order; the last destroys what it made.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from statebucket import open_store
from statebucket.errors import AccessDenied
from statebucket.testing import StateStoreContract
from statebucket.testing.contract.base import snapshot
from support.targets.s3 import S3Target, raw_client
from terraform.enforcing import Enforcing, enforcing
from terraform.hcl import ROOT
from terraform.iam import allowed
from terraform.tool import Terraform
from terraform.wire import Right, rights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statebucket.lifecycle.plan import LifecyclePlan
    from statebucket.lifecycle.report import LifecycleReport
    from support.servers import Server
    from terraform.made import Made

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def check(made: Made, url: str) -> tuple[LifecycleReport, LifecyclePlan]:
    async def run() -> tuple[LifecycleReport, LifecyclePlan]:
        async with open_store(f"{url}&endpoint_url={made.server.url}") as store:
            return await store.check_lifecycle(), await store.apply_lifecycle(dry_run=False)

    return asyncio.run(run())


def test_the_store_finds_the_rules_that_it_needs(made: Made) -> None:
    for module in (made.plain, made.tenants, made.example):
        report, plan = check(made, module["store_url"])
        assert report.ok, report
        assert report.findings == ()
        assert not plan.applied


def test_urls_say_what_a_store_needs_to_know(made: Made) -> None:
    assert made.plain["store_url"] == "s3://plain-state/app/state?region=eu-west-1"
    tenants = "s3://tenants-state/app/state?region=eu-west-1&owner_index=false"
    assert made.tenants["store_url"] == made.tenants["tenant_store_url"] == tenants


def test_nothing_is_public_and_all_is_encrypted(made: Made) -> None:
    client = raw_client(made.server)
    for bucket in ("plain-state", "tenants-state"):
        block = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}
        policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
        assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
        assert "aws:SecureTransport" in json.dumps(policy)
    (rule,) = client.get_bucket_encryption(Bucket="tenants-state")[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"]
    assert client.get_bucket_versioning(Bucket="tenants-state")["Status"] == "Enabled"
    assert "Status" not in client.get_bucket_versioning(Bucket="plain-state")


def test_the_rules_of_others_that_went_through_the_module_are_there(made: Made) -> None:
    client = raw_client(made.server)
    rules = client.get_bucket_lifecycle_configuration(Bucket="tenants-state")["Rules"]
    assert {"logs", "versions"} <= {rule["ID"] for rule in rules}
    assert len(rules) == 12 + 2


def test_the_example_has_its_role_and_its_store(made: Made) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=made.server.url,
        region_name="eu-west-1",
        aws_access_key_id=made.server.access_key,
        aws_secret_access_key=made.server.secret_key,
    )
    function = client.get_function_configuration(FunctionName="statebucket-example")
    variables = function["Environment"]["Variables"]
    assert variables == {"STATEBUCKET_URL": made.example["store_url"]}
    assert function["Role"].endswith(":role/statebucket-example")


def test_the_example_is_a_root_module_that_takes_the_rest_from_the_environment(
    server: Server, mirror: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT, tmp_path / "terraform")
    folder = tmp_path / "terraform/examples/aws-lambda"
    values = {"name": "statebucket-root", "package": "handler.py"}
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    terraform = Terraform(folder, mirror)
    terraform.init()
    assert "0 to destroy" in terraform.run("plan", "-input=false", "-no-color").stdout


class MadeTarget(S3Target):
    """A prefix of its own below that of the module."""

    bucket = "plain-state"

    def __init__(self, server: Server, client: Any) -> None:
        super().__init__(server, client)
        self.prefix = f"app/state/{self.prefix}"


def test_plain_http_is_refused(made: Made) -> None:
    async def run() -> None:
        url = f"{made.plain['store_url']}&endpoint_url={made.server.url}"
        async with open_store(url) as store:
            await store.get("k")

    with pytest.raises(AccessDenied):
        asyncio.run(run())


@pytest.fixture(scope="class")
def client(made: Made) -> Iterator[Any]:
    """A client, while plain HTTP, which is all that the server speaks, is not refused."""
    client = raw_client(made.server)
    policy = client.get_bucket_policy(Bucket=MadeTarget.bucket)["Policy"]
    client.delete_bucket_policy(Bucket=MadeTarget.bucket)
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=MadeTarget.bucket):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket=MadeTarget.bucket, Key=entry["Key"])
    client.put_bucket_policy(Bucket=MadeTarget.bucket, Policy=policy)


class TestContractOnTheBucketThatTerraformMade(StateStoreContract):
    @pytest.fixture
    def target(self, made: Made, client: Any) -> MadeTarget:
        return MadeTarget(made.server, client)


# What the policy documents allow.

ARN = "arn:aws:s3:::tenants-state"
WRITES = ("s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject")
OBJECTS = ("s3:GetObject", *WRITES)


def tagged(tenant: str | None, prefix: str | None = None) -> dict[str, str]:
    context = {} if tenant is None else {"aws:PrincipalTag/tenant": tenant}
    return context if prefix is None else context | {"s3:prefix": prefix}


def test_a_tenant_reaches_its_own_objects_and_no_others(made: Made) -> None:
    policy = made.tenants["tenant_policy_json"]
    for action in OBJECTS:

        def may(name: str, tenant: str | None, action: str = action) -> bool:
            return allowed(policy, action, f"{ARN}/{name}", tagged(tenant))

        for tenant in ("acme", "acme-2", "a_B-9"):
            assert may(f"app/state/tenants/{tenant}/snapshots/e1", tenant)
        assert not may("app/state/tenants/other/snapshots/e1", "acme")
        assert not may("app/state/tenants/acme2/snapshots/e1", "acme")
        assert not may("app/state/tenants/acme", "acme")
        assert not may("app/state/owners/e1", "acme")
        assert not may("app/state/shared/keys/k", "acme")
        assert not may("elsewhere/tenants/acme/snapshots/e1", "acme")
        assert not may("app/state/tenants//snapshots/e1", None)
    for action in ("s3:PutLifecycleConfiguration", "s3:DeleteBucket", "s3:PutBucketPolicy"):
        assert not allowed(policy, action, ARN, tagged("acme"))


def test_a_tenant_lists_its_own_prefix_and_no_other(made: Made) -> None:
    policy = made.tenants["tenant_policy_json"]

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
def test_a_tag_that_is_no_tenant_s_name_reaches_nothing(made: Made, tenant: str) -> None:
    policy = made.tenants["tenant_policy_json"]
    for name in (tenant, "acme", "acme/snapshots", "a", "other"):
        place = f"app/state/tenants/{name}/snapshots/e1"
        for action in OBJECTS:
            assert not allowed(policy, action, f"{ARN}/{place}", tagged(tenant))
        assert not allowed(policy, "s3:ListBucket", ARN, tagged(tenant, place))


def test_without_the_denial_a_tag_with_a_slash_or_wildcard_would_widen(made: Made) -> None:
    """The tests above can fail: the denial is what holds them."""
    policy = json.loads(made.tenants["tenant_policy_json"])
    policy["Statement"] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
    open_policy = json.dumps(policy)
    place = f"{ARN}/app/state/tenants/other/snapshots/e1"
    assert allowed(open_policy, "s3:GetObject", place, tagged("*"))
    place = f"{ARN}/app/state/tenants/acme/snapshots/e1"
    assert allowed(open_policy, "s3:GetObject", place, tagged("acme/snapshots"))


def test_the_runtime_policy_keeps_to_the_store_s_prefixes(made: Made) -> None:
    policy, arn = made.plain["runtime_policy_json"], "arn:aws:s3:::plain-state"
    for action in OBJECTS:
        for area in ("tenants/acme/snapshots/e1", "shared/keys/k", "owners/e1"):
            assert allowed(policy, action, f"{arn}/app/state/{area}", {})
        for name in ("app/state/other", "app/state-old/tenants/acme/k", "logs/1"):
            assert not allowed(policy, action, f"{arn}/{name}", {})
    for prefix in ("app/state/", "app/state/tenants/", "app/state/owners/", "app/state/shared/k"):
        assert allowed(policy, "s3:ListBucket", arn, {"s3:prefix": prefix})
    for prefix in ("", "app/", "app/state", "app/state/other/", "logs/"):
        assert not allowed(policy, "s3:ListBucket", arn, {"s3:prefix": prefix})
    assert not allowed(policy, "s3:ListBucket", arn, {})
    for action in ("s3:PutLifecycleConfiguration", "s3:DeleteBucket", "s3:GetObjectVersion"):
        assert not allowed(policy, action, arn, {})


def test_what_is_missing_is_not_found_rather_than_denied(made: Made) -> None:
    """S3 answers 404 to who may list, and takes the name of the object for the prefix then."""
    arn = "arn:aws:s3:::plain-state"
    for name in ("runtime", "read_only"):
        policy = made.plain[f"{name}_policy_json"]
        for area in ("tenants/acme/snapshots/e1", "shared/keys/k", "owners/e1"):
            assert allowed(policy, "s3:ListBucket", arn, {"s3:prefix": f"app/state/{area}"})
    policy = made.tenants["tenant_policy_json"]
    own, other = (f"app/state/tenants/{tenant}/snapshots/e1" for tenant in ("acme", "other"))
    assert allowed(policy, "s3:ListBucket", ARN, tagged("acme", own))
    assert not allowed(policy, "s3:ListBucket", ARN, tagged("acme", other))


def test_the_policy_for_inspection_changes_nothing(made: Made) -> None:
    policy, arn = made.plain["read_only_policy_json"], "arn:aws:s3:::plain-state"
    place = f"{arn}/app/state/tenants/acme/snapshots/e1"
    assert allowed(policy, "s3:GetObject", place, {})
    # What check_lifecycle and `statebucket doctor` look at.
    for setting in ("LifecycleConfiguration", "BucketVersioning", "BucketPublicAccessBlock"):
        assert allowed(policy, f"s3:Get{setting}", arn, {})
        assert not allowed(policy, f"s3:Put{setting}", arn, {})
    for action in (*WRITES, "s3:PutBucketPolicy", "s3:GetBucketPolicy"):
        assert not allowed(policy, action, place, {})
        assert not allowed(policy, action, arn, {})


def test_the_key_is_used_by_those_who_read_and_write(made: Made) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    for name in ("runtime", "tenant", "read_only"):
        policy = made.tenants[f"{name}_policy_json"]
        assert allowed(policy, "kms:Decrypt", key, tagged("acme"))
        assert allowed(policy, "kms:GenerateDataKey", key, tagged("acme")) == (name != "read_only")
        assert not allowed(policy, "kms:ScheduleKeyDeletion", key, tagged("acme"))


# The policies against what every public call of a store sends, as a proxy recorded it.

READERS = {
    "load_snapshot",
    "load_stored",
    "get",
    "get_stored",
    "get_json",
    "exists",
    "list_snapshots",
    "iter_snapshots",
    "iter_keys",
    "iter_tenants",
    "health_check",
    "check_lifecycle",
}
OPERATORS = {"check_lifecycle", "apply_lifecycle"}


def refused(policy: str, bucket: str, rights: set[Right], tenant: str | None = None) -> set[Right]:
    arn = f"arn:aws:s3:::{bucket}"
    return {
        right
        for right in rights
        if not allowed(
            policy,
            right.action,
            f"{arn}/{right.path}" if right.path else arn,
            tagged(tenant) | dict(right.context),
        )
    }


def test_the_runtime_policy_allows_what_every_call_sends(made: Made) -> None:
    needed = asyncio.run(rights(made.server, tenant=None))
    policy, bucket = made.plain["runtime_policy_json"], "plain-state"
    assert len(set().union(*needed.values())) > 12
    for call, sent in needed.items():
        assert bool(refused(policy, bucket, sent)) == (call in OPERATORS), call


def test_the_policy_for_inspection_allows_what_reading_calls_send_and_no_more(made: Made) -> None:
    needed = asyncio.run(rights(made.server, tenant=None))
    policy, bucket = made.plain["read_only_policy_json"], "plain-state"
    for call in READERS:
        assert refused(policy, bucket, needed[call]) == set(), call
    changes = {right for sent in needed.values() for right in sent if right.action in WRITES}
    assert {right.action for right in changes} == set(WRITES)
    assert refused(policy, bucket, changes) == changes


def test_a_tenant_s_policy_allows_what_its_view_sends_and_nobody_else_s(made: Made) -> None:
    needed = asyncio.run(rights(made.server, tenant="acme"))
    policy, bucket = made.tenants["tenant_policy_json"], "tenants-state"
    for call in needed.keys() - OPERATORS:
        sent = needed[call]
        assert refused(policy, bucket, sent, "acme") == set(), call
        for other in ("other", "acme2", "acm", "*", "acme/snapshots", None):
            assert refused(policy, bucket, sent, other) == sent, (call, other)


# At the end, in order.


def test_a_second_plan_finds_nothing_to_change(made: Made) -> None:
    made.terraform.run("plan", "-detailed-exitcode", "-input=false")


def test_a_change_behind_terraforms_back_is_terraforms_to_mend(made: Made) -> None:
    client = raw_client(made.server)
    before = client.get_bucket_lifecycle_configuration(Bucket="plain-state")["Rules"]
    changed = json.loads(json.dumps(before))
    changed[0]["Expiration"]["Days"] = 900
    client.put_bucket_lifecycle_configuration(
        Bucket="plain-state", LifecycleConfiguration={"Rules": changed}
    )
    report, plan = check(made, made.plain["store_url"])
    assert [finding.kind for finding in report.findings] == ["wrong"]
    assert not plan.applied
    assert 'prefix      = "app/state"' in plan.module_input
    client.put_bucket_lifecycle_configuration(
        Bucket="plain-state", LifecycleConfiguration={"Rules": before}
    )


def test_the_policies_are_enforced_by_a_server(made: Made) -> None:
    """By moto, which judges actions and objects, and leaves conditions out."""

    async def work(server: Enforcing) -> None:
        saved = snapshot()
        async with server.store("runtime", "app/state") as store:
            await store.save_snapshot(saved, ttl=timedelta(days=3))
            await store.set("exec:e1:k", b"v")
            assert await store.load_snapshot(saved.execution_id) == saved
            async with server.store("reader", "app/state") as reader:
                assert await reader.load_snapshot(saved.execution_id) == saved
                assert await reader.list_snapshots("acme") == ["e1"]
                for change in (reader.save_snapshot(saved), reader.set("k", b"v")):
                    with pytest.raises(AccessDenied):
                        await change
                with pytest.raises(AccessDenied):
                    await reader.delete("exec:e1:k")
            # One by one: of a batch moto judges each name by the bucket's policy alone.
            await store.tenant("acme").delete_snapshot(saved.execution_id)
            await store.delete("exec:e1:k")
            assert not await store.exists("exec:e1:k")
        for elsewhere in ("app/other", "app", "app/state-old"):
            async with server.store("runtime", elsewhere) as store:
                for call in (store.set("k", b"v"), store.get("k"), store.delete("k")):
                    with pytest.raises(AccessDenied):
                        await call

    with enforcing("plain-state") as server:
        server.user("runtime", made.plain["runtime_policy_json"])
        server.user("reader", made.plain["read_only_policy_json"])
        server.enforce()
        asyncio.run(work(server))


def test_destroy_leaves_nothing(made: Made) -> None:
    client = raw_client(made.server)
    made.terraform.run("destroy", "-auto-approve", "-input=false")
    assert client.list_buckets()["Buckets"] == []
    iam = boto3.client(
        "iam",
        endpoint_url=made.server.url,
        region_name="eu-west-1",
        aws_access_key_id=made.server.access_key,
        aws_secret_access_key=made.server.secret_key,
    )
    assert iam.list_roles()["Roles"] == []

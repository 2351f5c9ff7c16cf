"""The AWS module end to end: applied by Terraform, checked by statebucket, used, and destroyed.

One apply serves all tests of this file, in order; the last destroys what it made.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from statebucket import open_store
from statebucket.errors import AccessDenied
from statebucket.testing.contract.backend import BackendContract
from statebucket.testing.contract.deletion import DeletionContract
from statebucket.testing.contract.keys import KeyContract
from statebucket.testing.contract.leases import LeaseContract
from statebucket.testing.contract.removal import RemovalContract
from statebucket.testing.contract.snapshots import SnapshotContract
from statebucket.testing.contract.sweep import SweepContract
from statebucket.testing.contract.tenants import TenantContract
from statebucket.testing.contract.ttl import TTLContract
from statebucket.testing.contract.versions import VersionContract
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket import OffboardingReport, StateStore
    from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
    from statebucket.testing import Target
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
        assert len(report.findings) == (module is made.tenants)  # that a tenant is being removed
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
    theirs = {rule["ID"]: rule for rule in rules}
    assert {"logs", "versions", "drafts"} <= theirs.keys()
    assert theirs["drafts"]["Filter"] == {"Tag": {"Key": "kind", "Value": "draft"}}
    assert len(rules) == 12 + 3 + 1


def test_the_tenant_that_the_module_removes_is_known_to_the_store(made: Made) -> None:
    async def run() -> tuple[LifecycleReport, OffboardingReport]:
        url = f"{made.tenants['store_url']}&endpoint_url={made.server.url}"
        async with open_store(url) as store:
            report = await store.check_lifecycle()
            return report, await store.delete_tenant("gone", by="lifecycle")

    client = raw_client(made.server)
    policy = client.get_bucket_policy(Bucket="tenants-state")["Policy"]
    client.delete_bucket_policy(Bucket="tenants-state")  # which refuses plain HTTP
    report, offboarding = asyncio.run(run())
    client.put_bucket_policy(Bucket="tenants-state", Policy=policy)
    (note,) = report.findings
    assert "removes tenant 'gone' for delete_tenant" in note.message
    assert offboarding.done
    assert offboarding.module_input == 'offboarded_tenants = ["gone"]'


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
    url = made.example["store_url"]
    assert variables == {"STATEBUCKET_URL": url, "STATEBUCKET_ENGINE": "http"}
    assert function["Role"].endswith(":role/statebucket-example")


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


class TestContractOnTheBucketThatTerraformMade(
    BackendContract,
    SnapshotContract,
    KeyContract,
    VersionContract,
    DeletionContract,
    TTLContract,
    TenantContract,
    RemovalContract,
    SweepContract,
    LeaseContract,
):
    """What the bucket has a part in, with few objects: pages are shown on a bucket of moto's."""

    test_more_keys_than_a_batch_are_deleted: Any = None
    test_more_orphans_than_a_page: Any = None

    @pytest.mark.parametrize("count", [1])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)

    @pytest.fixture
    def target(self, made: Made, client: Any) -> MadeTarget:
        return MadeTarget(made.server, client)


# At the end, in order.


def test_a_second_plan_finds_nothing_to_change(made: Made) -> None:
    made.terraform.run("plan", "-detailed-exitcode", "-input=false")


def test_a_change_outside_terraform_is_left_for_terraform_to_fix(made: Made) -> None:
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

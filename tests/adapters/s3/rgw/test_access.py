"""Bucket policies: a tenant's own user, and rights that a role may lack."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio

from adapters.s3.rgw.conftest import QUERY
from statebucket import errors, open_store
from support.places import ACME, E1, snapshot
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statebucket import StateStore
    from support.servers import Server
    from support.servers.ceph import Ceph

pytestmark = pytest.mark.asyncio

OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject")
Raw = dict[str, Any]


@pytest.fixture(scope="module")
def user(ceph: Ceph) -> Server:
    """The gateway, seen by a user that owns no bucket."""
    return ceph.make_user(f"user-{uuid4().hex[:8]}")


@pytest.fixture
def allow(rgw: Server, user: Server, bucket: str) -> Callable[..., None]:
    """Writes a bucket's policy: what the user may do."""
    name = user.access_key.removesuffix("-key")

    def allow(*statements: Raw) -> None:
        whom = {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam:::user/{name}"]}}
        policy = {"Version": "2012-10-17", "Statement": [whom | one for one in statements]}
        raw_client(rgw).put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    return allow


@pytest_asyncio.fixture(params=["sdk", "http"])
async def store(
    request: pytest.FixtureRequest, user: Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StateStore]:
    """The user's store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    options = f"endpoint_url={user.url}&region=us-east-1&owner_index=false&engine={request.param}"
    async with open_store(f"s3://{bucket}/app?{options}{QUERY}") as store:
        yield store


def of_tenant(bucket: str, *, listing: Raw | None = None) -> list[Raw]:
    """What a tenant's function needs, and no more."""
    arn = f"arn:aws:s3:::{bucket}"
    return [
        {"Action": list(OBJECTS), "Resource": f"{arn}/app/tenants/{ACME}/*"},
        # A batch is deleted by a right to the bucket there, on S3 by one to each object.
        {"Action": "s3:DeleteObject", "Resource": arn},
        {"Action": "s3:ListBucket", "Resource": arn} | (listing or {}),
    ]


async def test_without_a_policy_everything_is_forbidden(store: StateStore) -> None:
    acme = store.tenant(ACME)
    for call in (
        lambda: acme.set("k", b"v"),
        lambda: acme.get("k"),
        lambda: acme.exists("k"),
        lambda: acme.delete("k"),
        lambda: acme.list_snapshots(ACME),
        acme.health_check,
    ):
        with pytest.raises(errors.AccessDenied) as caught:
            await call()
        assert not isinstance(caught.value, errors.InvalidCredentials)
        assert caught.value.outcome == "none"


async def test_a_tenant_reaches_its_own_prefix_and_no_other(
    store: StateStore, allow: Callable[..., None], rgw: Server, bucket: str
) -> None:
    allow(*of_tenant(bucket))
    raw_client(rgw).put_object(Bucket=bucket, Key="app/tenants/other/keys/k", Body=b"theirs")
    acme, other = store.tenant(ACME), store.tenant("other")
    await acme.save_snapshot(snapshot(1), ttl=timedelta(days=3))
    version = await acme.set("exec:e1:k", b"1", timedelta(days=1))
    await acme.set("exec:e1:k", b"2", if_version=version)
    assert await acme.get("exec:e1:k") == b"2"
    assert await acme.get("missing") is None
    assert await acme.list_snapshots(ACME) == [E1]
    report = await acme.delete_execution_state(E1)
    assert report.keys == 1
    assert await acme.load_snapshot(E1) is None
    for forbidden in (other.set("k", b"v"), other.get("k"), other.delete("k")):
        with pytest.raises(errors.AccessDenied):
            await forbidden


async def test_where_listing_is_bound_to_a_prefix_what_is_missing_is_forbidden(
    store: StateStore, allow: Callable[..., None], bucket: str
) -> None:
    own = {"StringLike": {"s3:prefix": [f"app/tenants/{ACME}/*"]}}
    allow(*of_tenant(bucket, listing={"Condition": own}))
    acme = store.tenant(ACME)
    await acme.save_snapshot(snapshot(1))
    assert await acme.list_snapshots(ACME) == [E1]
    with pytest.raises(errors.AccessDenied):
        await store.tenant("other").list_snapshots("other")
    # As on S3: whoever may not list the bucket is not told what is there.
    with pytest.raises(errors.AccessDenied):
        await acme.get("missing")


async def test_who_may_not_read_the_rules_is_told_so(
    store: StateStore, allow: Callable[..., None], bucket: str
) -> None:
    allow(*of_tenant(bucket))
    with pytest.raises(errors.AccessDenied):
        await store.check_lifecycle()
    arn = f"arn:aws:s3:::{bucket}"
    allow(*of_tenant(bucket), {"Action": "s3:GetLifecycleConfiguration", "Resource": arn})
    report = await store.check_lifecycle()
    assert {finding.kind for finding in report.findings} == {"missing"}
    with pytest.raises(errors.AccessDenied):
        await store.apply_lifecycle(dry_run=False)

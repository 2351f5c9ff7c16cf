"""A bucket that keeps versions: deletes leave markers, and nothing else changes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from faults.server_marks import every_s3
from statebucket import Version, errors
from support.places import ACME, E1, snapshot
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.clouds import Cloud
    from support.targets.s3 import S3Target

pytestmark = [pytest.mark.asyncio, every_s3]

BUCKET = "statebucket-versioned"


@pytest.fixture(autouse=True)
def versioned(cloud: Cloud) -> Iterator[None]:
    """The cloud, with its place in a bucket that keeps versions."""
    client = raw_client(cloud.server)
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    target: S3Target = cloud.target  # type: ignore[assignment]
    target.bucket = BUCKET
    yield
    found = client.list_object_versions(Bucket=BUCKET)
    for entry in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
        client.delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])
    client.delete_bucket(Bucket=BUCKET)


async def test_delete_create_over_the_marker_and_delete_twice(cloud: Cloud) -> None:
    async with cloud.open() as store:
        first = await store.set("k", b"1", if_version=Version.ABSENT)
        await store.delete("k")
        await store.delete("k")
        assert await store.get("k") is None
        assert not await store.exists("k")
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"2", if_version=first)
        second = await store.set("k", b"1", if_version=Version.ABSENT)
        assert second != first
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"2", if_version=Version.ABSENT)
        await store.set("k", b"2", if_version=second)
        assert await store.get("k") == b"2"


async def test_a_version_is_deleted_and_what_is_behind_the_marker_is_gone(cloud: Cloud) -> None:
    async with cloud.open() as store:
        old = await store.set("k", b"1")
        new = await store.set("k", b"2")
        with pytest.raises(errors.VersionConflict):
            await store.delete("k", if_version=old)
        await store.delete("k", if_version=new)
        assert await store.get("k") is None
        assert await store.delete("k", if_version=new) in {False, None}
        assert await store.update("k", lambda value: value or b"3") == b"3"


async def test_an_execution_goes_and_comes_again(cloud: Cloud) -> None:
    async with cloud.open() as store:
        for number in (1, 2):
            await store.save_snapshot(snapshot(number), if_version=Version.ABSENT)
            await store.tenant(ACME).set("exec:e1:k", b"v")
            assert await store.list_snapshots(ACME) == [E1]
            await store.delete_execution_state(E1)
            await store.delete_execution_state(E1)
            assert await store.load_snapshot(E1) is None
            assert await store.list_snapshots(ACME) == []
        await store.delete_tenant(ACME)
        assert cloud.target.raw_names() == []


async def test_what_has_expired_is_swept_once(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.set("k", b"v", timedelta(seconds=1))
        cloud.clock.advance(120)
        assert (await store.sweep()).removed == 1
        assert (await store.sweep()).scanned == 0
        await store.set("k", b"v", if_version=Version.ABSENT)
        assert await store.get("k") == b"v"

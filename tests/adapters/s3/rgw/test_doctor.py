"""What the doctor reports about Ceph's gateway, a production S3 with unusual conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.s3.rgw.conftest import QUERY
from statebucket import open_store
from statebucket.admin.doctor import Examination
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket.port.findings import Finding
    from support.servers import Server

pytestmark = pytest.mark.asyncio


@pytest.fixture
def url(rgw: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rgw.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rgw.secret_key)
    bucket, client = f"bucket-{uuid4().hex}", raw_client(rgw)
    client.create_bucket(Bucket=bucket)
    yield f"s3://{bucket}/app?endpoint_url={rgw.url}&region=us-east-1"
    left = client.list_objects_v2(Bucket=bucket)
    assert "Contents" not in left


async def conditions(url: str) -> list[Finding]:
    async with open_store(url) as store:
        findings = [one async for one in Examination(store, write=True).findings()]
    assert {one.check for one in findings} >= {"identity", "versions", "lifecycle", "latency"}
    return [one for one in findings if one.check == "conditions"]


@pytest.mark.parametrize("engine", ["", "&engine=http"], ids=["sdk", "http"])
async def test_the_option_that_it_needs_is_named(url: str, engine: str) -> None:
    replace, delete = await conditions(url + engine)
    assert replace.message.startswith("replacing an object at its version is refused; ")
    assert str(replace.remedy) == "put etag_quotes=false into the store's URL"
    assert delete.message.startswith("deleting an object at an old version is not refused; ")


@pytest.mark.parametrize("engine", ["", "&engine=http"], ids=["sdk", "http"])
async def test_with_it_only_conditional_deletes_are_unfit(url: str, engine: str) -> None:
    (delete,) = await conditions(f"{url}{QUERY}{engine}")
    assert delete.status == "fault"
    assert delete.message.startswith("deleting an object at an old version is not refused; ")
    assert "sweep() and conditional deletes may remove" in delete.message


@pytest.mark.parametrize("engine", ["", "&engine=http"], ids=["sdk", "http"])
async def test_a_bucket_that_keeps_versions_is_unfit(url: str, engine: str, rgw: Server) -> None:
    bucket = url.removeprefix("s3://").partition("/")[0]
    versions = {"Status": "Enabled"}
    raw_client(rgw).put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versions)
    found = await conditions(f"{url}{QUERY}{engine}")
    assert {one.status for one in found} == {"fault"}
    assert [one.message.partition(";")[0] for one in found] == [
        "creating an object that exists is not refused",
        "replacing an object at its version is refused",
        "deleting an object at an old version is not refused",
    ]

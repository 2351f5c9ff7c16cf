"""What the doctor reports about LocalStack, which has no conditional deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from statebucket import open_store
from statebucket.admin.doctor import Examination
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from support.servers import Server

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("engine", ["", "&engine=http"], ids=["sdk", "http"])
async def test_the_calls_that_delete_conditionally_are_named(
    localstack: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", localstack.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", localstack.secret_key)
    bucket, client = f"b-{uuid4().hex}", raw_client(localstack)
    client.create_bucket(Bucket=bucket)
    url = f"s3://{bucket}/app?endpoint_url={localstack.url}&region=us-east-1{engine}"
    async with open_store(url) as store:
        findings = [one async for one in Examination(store, write=True).findings()]
    left = client.list_objects_v2(Bucket=bucket)
    assert "Contents" not in left
    faults = [one.message for one in findings if one.check == "conditions"]
    assert len(faults) == 2
    for fault, what in zip(faults, ("at its version", "at an old version"), strict=True):
        assert fault.startswith(f"deleting an object {what} fails with RequestRejected: ")
        assert "; sweep() and conditional deletes" in fault

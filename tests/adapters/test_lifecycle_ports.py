"""Every engine's bucket, where its service has lifecycle rules, lets them be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from statebucket import open_store
from statebucket.port.lifecycle import LifecyclePort
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from support.servers import Server

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/app?region=us-east-1",
        "s3://bucket/app?region=us-east-1&engine=http",
        "gs://bucket/app?endpoint_url=http://127.0.0.1:1",
        "az://container/app?account=acme",
    ],
)
async def test_every_engine_of_a_service_with_rules_has_the_port(url: str) -> None:
    async with open_store(url) as store:
        assert isinstance(store.context.objects.bucket, LifecyclePort)


@pytest.mark.parametrize("engine", ["", "&engine=http"])
async def test_the_rules_that_are_missing_are_found_through_either_engine(
    moto: Server, engine: str
) -> None:
    bucket = f"b-{uuid4().hex}"
    raw_client(moto).create_bucket(Bucket=bucket)
    url = f"s3://{bucket}/app?endpoint_url={moto.url}&region=us-east-1{engine}"
    async with open_store(url) as store:
        report = await store.check_lifecycle()
    assert not report.ok
    assert {finding.kind for finding in report.findings} >= {"missing"}

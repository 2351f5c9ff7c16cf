"""The lifecycle rules of every engine's bucket can be read, if its service has rules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from statebucket import open_store
from statebucket.port.lifecycle import LifecyclePort
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import Answer, FaultProxy, on
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
        "gs://bucket/app?endpoint_url=http://127.0.0.1:1&engine=http",
        "az://container/app?account=acme",
        "az://container/app?account=acme&engine=http",
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


LISTING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix/>
<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"""
MALFORMED = b"""<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration><Rule><ID>x</ID><Filter><Tag/></Filter></Rule></LifecycleConfiguration>"""
PAGE = b"<html><body>It works!</body></html>"
XML = (("Content-Type", "application/xml"),)


@pytest.mark.parametrize("engine", ["", "&engine=http"])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(200, XML, LISTING), "reply to the request for its lifecycle rules is not valid"),
        (Answer(200, XML, PAGE), "reply to the request for its lifecycle rules is not valid"),
        (Answer(200, XML, MALFORMED), "reply to the request for its lifecycle rules is not valid"),
        (s3_error(501, "NotImplemented"), "has no lifecycle rules (it answers NotImplemented)"),
        (Answer(405, ()), "has no lifecycle rules (it answers 405)"),
    ],
    ids=["listing", "page", "malformed", "501", "405"],
)
async def test_a_service_without_lifecycle_rules_is_unknown_and_needs_the_sweep(
    moto: Server, engine: str, answer: Answer, reason: str
) -> None:
    bucket = f"b-{uuid4().hex}"
    raw_client(moto).create_bucket(Bucket=bucket)
    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.always(dataclasses.replace(answer, when=on("GET", "lifecycle")))
        url = f"s3://{bucket}/app?endpoint_url={proxy.url}&region=us-east-1{engine}"
        async with open_store(url) as store:
            report = await store.check_lifecycle()
            plan = await store.apply_lifecycle(dry_run=False)
        assert proxy.count("GET") == 2
    (finding,) = report.findings
    assert finding.kind == "unknown"
    assert reason in finding.message
    # No module can keep rules there: what is left is the sweep, in the words of each reader.
    assert finding.remedy is not None
    assert finding.remedy.terraform is None
    assert str(finding.remedy).endswith(": sweep()")
    assert finding.remedy.shell.endswith(": statebucket sweep")
    assert not plan.applied


OLDER = b"""<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>logs</ID>
<Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>
</LifecycleConfiguration>"""


@pytest.mark.parametrize("engine", ["", "&engine=http"])
async def test_rules_are_added_beside_those_of_the_older_form(moto: Server, engine: str) -> None:
    bucket = f"b-{uuid4().hex}"
    client = raw_client(moto)
    client.create_bucket(Bucket=bucket)
    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.always(Answer(200, XML, OLDER, when=on("GET", "lifecycle")))
        url = f"s3://{bucket}/app?endpoint_url={proxy.url}&region=us-east-1{engine}"
        async with open_store(url) as store:
            assert (await store.apply_lifecycle(dry_run=False)).applied
    # S3 refuses the two forms together: "Base level prefix cannot be used in Lifecycle V2, prefixes
    # are only supported in the Filter." No server here does.
    first, *ours = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (first["ID"], first["Filter"]) == ("logs", {"Prefix": "logs/"})
    assert not [rule for rule in (first, *ours) if rule.get("Prefix")]


@pytest.mark.parametrize(
    "body",
    [
        LISTING,
        b"",
        b"[]",
        b'{"kind": "storage#objects"}',
        b'{"metageneration": "1", "lifecycle": {"rule": "none"}}',
        b'{"metageneration": "1", "lifecycle": [], "labels": 5}',
    ],
)
async def test_another_answer_of_cloud_storage_is_unknown_too(body: bytes) -> None:
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(Answer(200, (("Content-Type", "application/json"),), body))
        url = f"gs://bucket/app?anonymous=true&endpoint_url={proxy.url}"
        async with open_store(url) as store:
            (finding,) = (await store.check_lifecycle()).findings
        assert proxy.count() == 1
    assert finding.kind == "unknown"
    assert "lifecycle rules is not valid" in finding.message
    assert finding.remedy is not None
    assert finding.remedy.shell.endswith("statebucket sweep")

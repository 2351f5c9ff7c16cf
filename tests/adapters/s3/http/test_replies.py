"""Odd, foreign or hostile replies, and lifecycle rules between XML and the SDK's form."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import Version, errors
from statebucket_http.wire import Reply
from statebucket_s3 import lifecycle
from statebucket_s3.http import lifecycle_xml
from statebucket_s3.http.replies import deletions_of
from statebucket_s3.http.xml_documents import parse
from support.fault_proxy.proxy import Answer
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from statebucket import StateStore
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server
    from support.targets.s3 import S3Target

PAGE = b"<html><body>Log in to the network</body></html>"
ERROR = b"<Error><Code>InternalError</Code><Message>m</Message></Error>"
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult>&a;&a;</ListBucketResult>'


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [PAGE, BOMB, b"", b"no xml", b"<ListBucketResult>", ERROR])
async def test_what_s3_does_not_write_is_refused(
    target: S3Target, proxy: FaultProxy, body: bytes
) -> None:
    async with target.open(deadline=0.5) as store:
        proxy.always(Answer(200, (("Content-Type", "text/html"),), body))
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await store.list_snapshots("acme", 10)
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as told:
            await store.set("k", b"v")
        assert told.value.outcome == "unknown"
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await store.get("k")


ODD = b"<a>1</a>"  # an element where S3 has a text
RULE = b"<LifecycleConfiguration><Rule>%b</Rule></LifecycleConfiguration>"
TREE = b"<ListBucketResult>%b</ListBucketResult>"


async def tenants(store: StateStore) -> list[str]:
    return [tenant async for tenant in store.iter_tenants()]


async def snapshots(store: StateStore) -> object:
    return await store.list_snapshots("acme", 10)


async def read(store: StateStore) -> bytes | None:
    return await store.get("k")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ask", "status", "body"),
    [
        (tenants, 200, TREE % b"<CommonPrefixes/>"),
        (tenants, 200, TREE % (b"<CommonPrefixes>%b</CommonPrefixes>" % ODD)),
        (tenants, 200, TREE % (b"<NextContinuationToken>%b</NextContinuationToken>" % ODD)),
        (snapshots, 200, TREE % (b"<NextContinuationToken>%b</NextContinuationToken>" % ODD)),
        (
            snapshots,
            200,
            TREE % (b"<Contents><Key>%b</Key><ETag>a</ETag><Size>1</Size></Contents>" % ODD),
        ),
        (snapshots, 200, b"<?xml version='1.0' encoding='unknown'?><ListBucketResult/>"),
        (read, 206, b"a part"),
    ],
)
async def test_an_answer_of_another_shape_is_unreadable(
    target: S3Target, proxy: FaultProxy, ask: Any, status: int, body: bytes
) -> None:
    proxy.always(Answer(status, (("ETag", '"a"'),), body))
    async with target.open(deadline=0.3) as store:
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await ask(store)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        b"<LifecycleConfiguration>x</LifecycleConfiguration>",
        RULE % b"x",
        RULE % b"<Filter><And><Tag>1</Tag></And></Filter>",
    ],
)
async def test_rules_of_another_shape_are_unknown(
    target: S3Target, proxy: FaultProxy, body: bytes
) -> None:
    proxy.always(Answer(200, (), body))
    async with target.open() as store:
        report = await store.check_lifecycle()
    assert not report.ok
    assert {finding.kind for finding in report.findings} == {"unknown"}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [b"Region", b"Code", b"Message"])
async def test_an_error_of_another_shape_is_one_of_ours(
    target: S3Target, proxy: FaultProxy, name: bytes
) -> None:
    proxy.always(Answer(400, (), b"<Error><%b>%b</%b></Error>" % (name, ODD, name)))
    async with target.open() as store:
        with pytest.raises(errors.RequestRejected):
            await store.get("k")


@pytest.mark.parametrize("name", [b"Key", b"Code"])
def test_a_failed_deletion_of_another_shape_leaves_the_batch_open(name: bytes) -> None:
    entry = {b"Key": b"n", b"Code": b"AccessDenied", name: ODD}
    inner = b"".join(b"<%b>%b</%b>" % (one, value, one) for one, value in entry.items())
    body = b"<DeleteResult><Error>%b</Error></DeleteResult>" % inner
    (deletion,) = deletions_of(Reply(200, {}, body), ["n"])
    assert deletion.error is not None


@pytest.mark.asyncio
async def test_the_service_s_words_are_the_error_s_cause(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        proxy.always(Answer(400, (), b"<Error><Code>Odd</Code><Message>why</Message></Error>"))
        with pytest.raises(errors.RequestRejected, match=r"Odd \(400\): why") as told:
            await store.get("k")
        cause: Any = told.value.__cause__
        assert cause.response["Error"] == {"Code": "Odd", "Message": "why"}
        # Dask's workers send an error's causes, too.
        again = pickle.loads(pickle.dumps(cause))
        assert (str(again), again.response) == ("Odd (400): why", cause.response)
        proxy.heal()
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"v", if_version=Version('"no \r\n version"'))


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{encoding}<KeyCount>1</KeyCount>
<IsTruncated>false</IsTruncated>
<Contents><Key>{prefix}tenants/acme/snapshots/e1</Key><ETag>&quot;a&quot;</ETag><Size>1</Size>
</Contents></ListBucketResult>"""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("encoding", "prefix"), [("<EncodingType>url</EncodingType>", "p%2Bq/"), ("", "p+q/")]
)
async def test_names_are_decoded_where_the_service_encoded_them(
    target: S3Target, proxy: FaultProxy, encoding: str, prefix: str
) -> None:
    target.prefix = "p+q/"
    text = LISTING.format(encoding=encoding, prefix=prefix)
    proxy.always(Answer(200, (("Content-Type", "application/xml"),), text.encode()))
    async with target.open() as store:
        assert await store.list_snapshots("acme", 10) == ["e1"]


def test_expat_expands_nothing() -> None:
    with pytest.raises(ValueError, match="document type"):
        parse(BOMB)
    assert parse(b"<a><b>x &amp; y</b><c/></a>") == ("a", {"b": "x & y", "c": ""})


RULES: list[Any] = [
    {
        "ID": "tagged",
        "Status": "Enabled",
        "Filter": {
            "And": {
                "Prefix": "p/",
                "Tags": [{"Key": "k", "Value": "1"}, {"Key": "a<b", "Value": "&"}],
                "ObjectSizeGreaterThan": 5,
            }
        },
        "Expiration": {"Days": 3},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 4},
    },
    {
        "ID": "one tag",
        "Status": "Disabled",
        "Filter": {"Tag": {"Key": "statebucket-ttl", "Value": "8"}},
        "Transitions": [
            {"Days": 30, "StorageClass": "STANDARD_IA"},
            {"Days": 90, "StorageClass": "GLACIER"},
        ],
        "NoncurrentVersionTransitions": [{"NoncurrentDays": 7, "StorageClass": "GLACIER"}],
    },
    {
        "ID": "rest",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
]


def test_rules_survive_xml() -> None:
    written, minimum = lifecycle_xml.written(
        {"LifecycleConfiguration": {"Rules": RULES}, "TransitionDefaultMinimumObjectSize": "x"}
    )
    assert minimum == "x"
    assert lifecycle_xml.read(written, "x") == {
        "Rules": RULES,
        "TransitionDefaultMinimumObjectSize": "x",
    }


@pytest.mark.asyncio
async def test_rules_are_read_as_the_sdk_reads_them_and_written_back(
    target: S3Target, moto: Server
) -> None:
    client = raw_client(moto)
    client.create_bucket(Bucket="http-rules")
    target.bucket = "http-rules"
    target.prefix = "state/"
    async with target.open() as store:
        assert not (await store.check_lifecycle()).ok
        client.put_bucket_lifecycle_configuration(
            Bucket="http-rules", LifecycleConfiguration={"Rules": RULES[1:]}
        )
        before = lifecycle.read(client.get_bucket_lifecycle_configuration(Bucket="http-rules"))
        await store.apply_lifecycle(dry_run=False)
        assert (await store.check_lifecycle()).ok
    after = lifecycle.read(client.get_bucket_lifecycle_configuration(Bucket="http-rules"))
    theirs = [rule for rule in after.rules if rule.id in {"one tag", "rest"}]
    assert theirs == list(before.rules)

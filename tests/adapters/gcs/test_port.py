"""The port's promises, on the servers that can keep them."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import structs

from statebucket.contract.versions import Version
from statebucket.errors import BucketNotFound, PreconditionFailed, Throttled, Unavailable
from statebucket.port.bucket import BYTES, JSON, ObjectInfo, Page, PrefixPage, Write
from statebucket.port.expiry import Expiry
from support.fault_proxy.proxy import Answer, AnswerWith, FaultProxy, Reply
from support.servers.strict_gcs import batch_of
from support.targets.gcs_bucket import Around, write

if TYPE_CHECKING:
    from statebucket_gcs.bucket import GCSBucket
    from support.servers import Server
    from support.targets.gcs_bucket import Opened

pytestmark = pytest.mark.asyncio

KIB, MIB = 1 << 10, 1 << 20
NAMES = [
    "a",
    "tenants/a~20b/keys/c",
    "keys/~F0~9F~98~80",
    "keys/~E2~82~AC~00~0A",
    "keys/a.b.c",
    "keys/~2E~2E",
    "p=+@,:$!'()*&-/keys/x",
    "keys/" + "x" * 1019,
    "literal%2Fpercent",
    "b c?d#e;f[g]",
]


@pytest.mark.parametrize("size", [0, KIB, 8 * MIB, 8 * MIB + 1, 20 * MIB])
async def test_a_body_is_created_and_replaced_under_its_preconditions(
    bucket: GCSBucket, proxy: FaultProxy, around: Around, size: int
) -> None:
    body = os.urandom(size)
    created = await bucket.put(write("a", body), Version.ABSENT)
    with pytest.raises(PreconditionFailed):
        await bucket.put(write("a", b"later"), Version.ABSENT)
    found = await bucket.get("a")
    assert found is not None
    assert found.info == ObjectInfo("a", created, size, {"writeid": "0123456789abcdef"})
    assert found.body == body

    replaced = await bucket.put(write("a", body[::-1]), created)
    with pytest.raises(PreconditionFailed):
        await bucket.put(write("a", body), created)
    found = await bucket.get("a")
    assert found is not None
    assert (found.info.version, found.body) == (replaced, body[::-1])
    assert proxy.count("POST") == 4  # one request each, whatever the size
    assert around.resource("a")["contentType"] == JSON


async def test_head_and_list_say_what_get_says(bucket: GCSBucket) -> None:
    version = await bucket.put(Write("a/b", b"xyz", BYTES, {"tail": "1", "x": "y z"}, None), None)
    info = ObjectInfo("a/b", version, 3, {"tail": "1", "x": "y z"})
    found = await bucket.get("a/b")
    assert found is not None
    assert found.info == info
    assert await bucket.head("a/b") == info
    (listed,) = (await bucket.list("a/", after=None, limit=10)).objects
    assert listed.modified_at is not None
    assert abs(listed.modified_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert structs.replace(listed, modified_at=None) == info


async def test_what_does_not_exist(bucket: GCSBucket) -> None:
    assert await bucket.get("a") is None
    assert await bucket.head("a") is None
    assert await bucket.delete("a") is False
    assert await bucket.delete("a", Version("123")) is False
    assert (await bucket.list("a", after=None, limit=1)).objects == []
    with pytest.raises(PreconditionFailed):
        await bucket.put(write("a"), Version("123"))


async def test_a_missing_bucket_is_not_a_missing_object(proxy: FaultProxy, opened: Opened) -> None:
    bucket = opened(proxy.url, "no-such-bucket")
    for call in (
        bucket.put(write("a"), None),
        bucket.put(write("a"), Version.ABSENT),
        bucket.get("a"),
        bucket.head("a"),
        bucket.delete("a"),
        bucket.list("a", after=None, limit=1),
        bucket.list_prefixes("a", after=None, limit=1),
        bucket.check(""),
        bucket.delete_many(["a", "b"]),
    ):
        with pytest.raises(BucketNotFound, match="no-such-bucket"):
            await call


async def test_the_expiry_is_the_custom_time_and_goes_with_a_rewrite(
    bucket: GCSBucket, around: Around
) -> None:
    await bucket.put(write("a", expiry=Expiry(1_900_000_000_123, 1)), None)
    assert around.resource("a")["customTime"].startswith("2030-03-17T17:46:40.123")
    await bucket.put(write("a", expiry=Expiry(1_800_000_000_000, 1)), None)
    assert around.resource("a")["customTime"].startswith("2027-01-15T08:00:00")
    await bucket.put(write("a"), None)
    assert "customTime" not in around.resource("a")


async def test_the_key_that_encrypts_is_named_in_the_request(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    await opened(proxy.url, around.bucket, kms_key_name=key).put(write("a"), None)
    assert f"kmsKeyName={key.replace('/', '%2F')}" in proxy.requests[-1].target


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_stays_as_it_is(bucket: GCSBucket, around: Around, name: str) -> None:
    version = await bucket.put(write(name, name.encode()), Version.ABSENT)
    found = await bucket.get(name)
    assert found is not None
    assert (found.body, found.info.version) == (name.encode(), version)
    head = await bucket.head(name)
    assert head is not None
    assert head.version == version
    listed = around.ask("GET", f"/storage/v1/b/{around.bucket}/o")["items"]
    assert [item["name"] for item in listed] == [name]
    assert await bucket.delete(name, version) is True
    assert await bucket.get(name) is None


async def test_a_listing_comes_in_pages_and_order(bucket: GCSBucket) -> None:
    names = sorted(f"l/{number:03}" for number in range(25))
    await asyncio.gather(*(bucket.put(write(name), None) for name in [*names, "k", "m"]))
    found: list[str] = []
    after = None
    sizes = []
    while True:
        page = await bucket.list("l/", after=after, limit=10)
        found += [info.name for info in page.objects]
        sizes.append(len(page.objects))
        if found == names[:10]:
            await bucket.delete_many(names[:10])  # deleting does not disturb what follows
        after = page.following
        if after is None:
            break
    assert found == names
    assert sizes == [10, 10, 5]


async def test_prefixes_are_those_one_slash_below(bucket: GCSBucket) -> None:
    names = ["t/1/a", "t/1/b", "t/10/a", "t/2/x/y", "t/leaf", "u/1/a"]
    await asyncio.gather(*(bucket.put(write(name), None) for name in names))
    page = await bucket.list_prefixes("t/", after=None, limit=1000)
    assert page == PrefixPage(["t/1/", "t/10/", "t/2/"], None)


async def test_pages_may_be_empty_and_more_may_follow(bucket: GCSBucket, proxy: FaultProxy) -> None:
    # fake-gcs-server pages no prefixes and has no empty pages; Cloud Storage has both.
    replies: list[dict[str, object]] = [
        {"nextPageToken": "t1"},
        {"prefixes": ["t/1/"], "nextPageToken": "t2"},
        {},
    ]
    pages = [json.dumps({"kind": "storage#objects", **reply}).encode() for reply in replies]
    for read, empty in (
        (bucket.list_prefixes, PrefixPage([], "t1")),
        (bucket.list, Page([], "t1")),
    ):
        proxy.clear()
        proxy.plan(*(Answer(200, body=body) for body in pages))
        assert await read("t/", after=None, limit=3) == empty
        assert (await read("t/", after="t1", limit=3)).following == "t2"
        assert (await read("t/", after="t2", limit=3)).following is None
        tokens = [parse_qs(urlsplit(r.target).query).get("pageToken") for r in proxy.requests]
        assert tokens == [None, ["t1"], ["t2"]]


async def test_a_conditional_delete_spares_a_fresh_write(bucket: GCSBucket) -> None:
    old = await bucket.put(write("a", b"1"), None)
    new = await bucket.put(write("a", b"1"), None)
    assert old != new
    with pytest.raises(PreconditionFailed):
        await bucket.delete("a", old)
    found = await bucket.get("a")
    assert found is not None
    assert found.info.version == new
    assert await bucket.delete("a", new) is True
    assert await bucket.delete("a", new) is False


@pytest.mark.parametrize(
    "token",
    ["0", "-1", "01", "1.0", "١٢٣", '"etag"', "0x8D", "9" * 20, "1" * 5000, " 1", str(2**63)],
)
async def test_a_version_of_another_form_is_refused_without_a_request(
    bucket: GCSBucket, proxy: FaultProxy, token: str
) -> None:
    for call in (bucket.put(write("a"), Version(token)), bucket.delete("a", Version(token))):
        with pytest.raises(PreconditionFailed):
            await call
    assert proxy.requests == []


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_many_are_deleted_in_one_request(
    bucket: GCSBucket, proxy: FaultProxy, count: int
) -> None:
    names = [f"d/{number}" for number in range(count)]
    await asyncio.gather(*(bucket.put(write(name), None) for name in names[::2]))
    proxy.clear()
    deletions = await bucket.delete_many(names)
    assert [(d.name, d.existed, d.error) for d in deletions] == [
        (name, index % 2 == 0, None) for index, name in enumerate(names)
    ]
    assert proxy.count() == proxy.count("POST") == min(count, 1)
    assert (await bucket.list("d/", after=None, limit=1000)).objects == []


async def test_a_failure_in_a_batch_is_that_objects_own(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    names = [f"d/{number}" for number in range(5)]
    await asyncio.gather(*(bucket.put(write(name), None) for name in names))
    busy = json.dumps({"error": {"message": "slow", "errors": [{"reason": "rateLimitExceeded"}]}})
    replies = [
        Reply(204),
        Reply(404),
        Reply(429, (("Retry-After", "3"),), busy.encode()),
        Reply(503),
    ]
    proxy.plan(AnswerWith(lambda _: batch_of(replies)))
    done, gone, slow, open_ended, unreported = await bucket.delete_many(names)
    assert (done.existed, done.error) == (True, None)
    assert (gone.existed, gone.error) == (False, None)
    assert isinstance(slow.error, Throttled)
    assert (slow.error.object_name, slow.error.outcome) == ("d/2", "none")
    assert slow.error.retry_after == 3
    assert isinstance(open_ended.error, Unavailable)
    assert open_ended.error.outcome == "unknown"
    assert isinstance(unreported.error, Unavailable)
    assert unreported.error.outcome == "unknown"


@pytest.mark.parametrize("cut", [True, False])
async def test_an_answer_that_is_no_batchs_is_open(
    bucket: GCSBucket, proxy: FaultProxy, *, cut: bool
) -> None:
    whole = batch_of([Reply(204), Reply(204)])
    other = replace(whole, body=whole.body[:-20]) if cut else Reply(200, (), b"<html>")
    proxy.plan(AnswerWith(lambda _: other))
    with pytest.raises(Unavailable) as caught:
        await bucket.delete_many(["d/1", "d/2"])
    assert caught.value.outcome == "unknown"


async def test_parts_may_come_in_another_order(bucket: GCSBucket, proxy: FaultProxy) -> None:
    whole = batch_of([Reply(204), Reply(404)])
    first, second = whole.body.split(b"--of_parts")[1:3]
    body = b"".join([b"--of_parts", second, b"--of_parts", first, b"--of_parts--"])
    proxy.plan(AnswerWith(lambda _: replace(whole, body=body)))
    deletions = await bucket.delete_many(["d/1", "d/2"])
    assert [(d.name, d.existed) for d in deletions] == [("d/1", True), ("d/2", False)]


@pytest.mark.parametrize("through", ["strict", "fake"])
async def test_of_twenty_creations_one_wins(
    bucket: GCSBucket, fake: Server, around: Around, through: str, opened: Opened
) -> None:
    if through == "fake":
        bucket = opened(fake.url, around.bucket)
    results = await asyncio.gather(
        *(bucket.put(write("a", str(n).encode()), Version.ABSENT) for n in range(20)),
        return_exceptions=True,
    )
    won = [(str(n).encode(), r) for n, r in enumerate(results) if isinstance(r, Version)]
    assert len(won) == 1
    assert all(isinstance(r, PreconditionFailed) for r in results if not isinstance(r, Version))
    found = await bucket.get("a")
    assert found is not None
    assert (found.body, found.info.version) == won[0]

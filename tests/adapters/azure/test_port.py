"""The port's promises."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from statebucket.contract.versions import Version
from statebucket.errors import BucketNotFound, PreconditionFailed
from statebucket.port.bucket import BYTES, JSON, ObjectInfo, Write
from statebucket.port.expiry import Expiry
from support.targets.azure import opened

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]

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
OTHER = Version('"0x8DCAFE000000000"')


def write(name: str, body: bytes = b"{}", expiry: Expiry | None = None) -> Write:
    return Write(name, body, JSON, {"writeid": "0123456789abcdef"}, expiry)


@pytest.mark.parametrize("size", [0, 1, KIB, MIB + 1, 33 * MIB, 65 * MIB])
async def test_a_body_is_created_and_replaced_under_its_preconditions(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient, size: int
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=100)
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
    assert [request.method for request in proxy.requests] == ["PUT", "PUT", "GET"] * 2
    properties = raw.get_blob_client("a").get_blob_properties()
    assert properties.content_settings.content_type == JSON
    await bucket.close()


async def test_head_and_list_say_what_get_says(bucket: Bucket) -> None:
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


async def test_metadata_names_that_others_wrote_are_in_lower_case(
    bucket: Bucket, raw: ContainerClient
) -> None:
    raw.upload_blob("a", b"", metadata={"ExpiresAt": "1", "Plain": "x"})
    expected = {"expiresat": "1", "plain": "x"}
    head = await bucket.head("a")
    assert head is not None
    assert head.metadata == expected
    (listed,) = (await bucket.list("", after=None, limit=1)).objects
    assert structs.replace(listed, modified_at=None) == head


async def test_what_does_not_exist(bucket: Bucket) -> None:
    assert await bucket.get("a") is None
    assert await bucket.head("a") is None
    assert await bucket.delete("a") is False
    with pytest.raises(PreconditionFailed):  # as for another version; the core tells them apart
        await bucket.delete("a", OTHER)
    assert (await bucket.list("a", after=None, limit=1)).objects == []
    assert (await bucket.list_prefixes("a", after=None, limit=1)).prefixes == []
    with pytest.raises(PreconditionFailed):
        await bucket.put(write("a"), OTHER)


async def test_a_missing_container_is_not_a_missing_blob(
    azurite: Server, proxy: FaultProxy
) -> None:
    bucket = opened(azurite.via(proxy.url), "no-such-container")
    for call in (
        lambda: bucket.put(write("a"), None),
        lambda: bucket.put(write("a"), Version.ABSENT),
        lambda: bucket.put(write("a"), OTHER),
        lambda: bucket.get("a"),
        lambda: bucket.head("a"),
        lambda: bucket.delete("a"),
        lambda: bucket.delete("a", OTHER),
        lambda: bucket.delete_many(["a", "b"]),
        lambda: bucket.list("", after=None, limit=1),
        lambda: bucket.list_prefixes("", after=None, limit=1),
        lambda: bucket.check(""),
    ):
        with pytest.raises(BucketNotFound, match="never creates one"):
            await call()
    await bucket.close()


async def test_a_delete_under_a_condition(bucket: Bucket) -> None:
    first = await bucket.put(write("a"), None)
    second = await bucket.put(write("a"), None)
    with pytest.raises(PreconditionFailed):
        await bucket.delete("a", first)
    assert await bucket.head("a") is not None
    assert await bucket.delete("a", second) is True
    with pytest.raises(PreconditionFailed):
        await bucket.delete("a", second)
    assert await bucket.delete("a") is False


@pytest.mark.parametrize(
    "token", ["1", "absent", "*", '""', "0x8D", '"a"b"', '"é"', '"a"\r\nx: "y']
)
async def test_a_malformed_version_is_at_no_blob(
    bucket: Bucket, proxy: FaultProxy, token: str
) -> None:
    version = Version(token)
    await bucket.put(write("a"), None)
    proxy.clear()
    if version != Version.ABSENT:
        with pytest.raises(PreconditionFailed):
            await bucket.put(write("a"), version)
    with pytest.raises(PreconditionFailed):
        await bucket.delete("a", version)
    assert proxy.count() == 0


async def test_a_version_of_a_listing_is_that_of_the_blob(bucket: Bucket) -> None:
    await bucket.put(write("a"), None)
    listed = (await bucket.list("", after=None, limit=1)).objects[0]
    assert await bucket.put(write("a"), listed.version) != listed.version


@pytest.mark.parametrize("name", NAMES)
async def test_names_round_trip(bucket: Bucket, raw: ContainerClient, name: str) -> None:
    version = await bucket.put(write(name, b"1"), Version.ABSENT)
    assert list(raw.list_blob_names()) == [name]
    found = await bucket.get(name)
    assert found is not None
    assert found.info.name == name
    (listed,) = (await bucket.list("", after=None, limit=10)).objects
    assert structs.replace(listed, modified_at=None) == found.info
    assert await bucket.head(name) == found.info
    assert await bucket.delete(name, version) is True
    await bucket.put(write(name), None)
    assert [done.existed for done in await bucket.delete_many([name])] == [True]
    assert list(raw.list_blob_names()) == []


async def test_twenty_creates_have_one_winner(bucket: Bucket) -> None:
    bodies = [b"%d" % number for number in range(20)]
    results = await asyncio.gather(
        *(bucket.put(write("a", body), Version.ABSENT) for body in bodies), return_exceptions=True
    )
    won = [index for index, result in enumerate(results) if isinstance(result, Version)]
    assert len(won) == 1
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 19
    found = await bucket.get("a")
    assert found is not None
    assert (found.body, found.info.version) == (bodies[won[0]], results[won[0]])


async def test_snapshots_of_a_blob_go_with_it(bucket: Bucket, raw: ContainerClient) -> None:
    for name in ("a", "b"):
        await bucket.put(write(name), None)
        raw.get_blob_client(name).create_snapshot()
    assert await bucket.delete("a") is True
    assert (await bucket.delete_many(["b"]))[0].existed is True
    assert list(raw.list_blobs(include=["snapshots"])) == []


async def test_the_class_is_an_index_tag(bucket: Bucket, raw: ContainerClient) -> None:
    blob = raw.get_blob_client("a")
    version = await bucket.put(write("a", expiry=Expiry(1, 4)), Version.ABSENT)
    assert blob.get_blob_tags() == {"statebucket-ttl": "4"}
    version = await bucket.put(write("a", expiry=Expiry(1, 1024)), version)
    assert blob.get_blob_tags() == {"statebucket-ttl": "1024"}
    found = list(raw.find_blobs_by_tags("\"statebucket-ttl\"='1024'"))
    assert [entry.name for entry in found] == ["a"]
    for without in (write("a", expiry=Expiry(1, None)), write("a")):
        version = await bucket.put(without, version)
        assert blob.get_blob_tags() == {}


async def test_no_tags_where_they_are_off(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, ttl_tags="false")
    await bucket.put(write("a", expiry=Expiry(1, 4)), None)
    assert raw.get_blob_client("a").get_blob_tags() == {}
    assert proxy.requests[0].header("x-ms-tags") is None
    await bucket.close()


async def test_the_encryption_scope_is_sent(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, encryption_scope="vault")
    await bucket.put(write("a"), None)
    assert proxy.requests[0].header("x-ms-encryption-scope") == "vault"
    await bucket.close()

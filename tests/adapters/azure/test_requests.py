"""Requests on the wire: how many, what they contain, and which are repeated."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from adapters.azure.test_port import MIB, OTHER, write
from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed, StateBucketError, Unavailable
from statebucket.port.expiry import Expiry
from support.fault_proxy.proxy import (
    Callback,
    CorruptBody,
    CutBody,
    DropBeforeSend,
    DropReply,
    StallBody,
    azure_error,
    on,
)
from support.targets.azure import opened

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault, FaultProxy, Recorded
    from support.servers import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]

# The table of requests in core/README.md is this one.
REQUESTS: dict[str, tuple[Any, int]] = {
    "put": (lambda b: b.put(write("new"), None), 1),
    "put with a TTL": (lambda b: b.put(write("new", expiry=Expiry(1, 4)), None), 1),
    "put, create only": (lambda b: b.put(write("new"), Version.ABSENT), 1),
    "put, 65 MiB": (lambda b: b.put(write("new", bytes(65 * MIB)), Version.ABSENT), 1),
    "get": (lambda b: b.get("a"), 1),
    "get, empty": (lambda b: b.get("empty"), 1),
    "get, absent": (lambda b: b.get("absent"), 1),
    "head": (lambda b: b.head("a"), 1),
    "delete": (lambda b: b.delete("a"), 1),
    "delete, absent": (lambda b: b.delete("absent"), 1),
    "delete_many of 256": (lambda b: b.delete_many([f"x{n}" for n in range(256)]), 1),
    "list": (lambda b: b.list("", after=None, limit=1000), 1),
    "list_prefixes": (lambda b: b.list_prefixes("", after=None, limit=1000), 1),
    "check": (lambda b: b.check(""), 1),
}


@pytest.mark.parametrize("call", REQUESTS)
async def test_requests_per_call(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient, call: str
) -> None:
    raw.upload_blob("a", b"body")
    raw.upload_blob("empty", b"")
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=100)
    run, expected = REQUESTS[call]
    await run(bucket)  # on a new client: nothing is asked at the start
    assert proxy.count() == expected
    await bucket.close()


async def test_a_delete_that_loses_takes_one(bucket: Bucket, proxy: FaultProxy) -> None:
    # The core looks into it.
    await bucket.put(write("a"), None)
    proxy.clear()
    with pytest.raises(PreconditionFailed):
        await bucket.delete("a", OTHER)
    assert [request.method for request in proxy.requests] == ["DELETE"]


@pytest.mark.parametrize(
    "fault",
    [
        DropBeforeSend(),
        DropBeforeSend(reset=True),
        DropReply(),
        DropReply(reset=True),
        azure_error(500, "InternalError"),
        azure_error(500, "OperationTimedOut"),
        azure_error(503, "ServerBusy"),
        azure_error(429, "TooManyRequests"),
        azure_error(408, "RequestTimeout"),
        azure_error(307, "Redirect"),
    ],
    ids=repr,
)
async def test_nothing_is_repeated(bucket: Bucket, proxy: FaultProxy, fault: Fault) -> None:
    await bucket.put(write("a"), None)
    proxy.always(fault)
    for call in (
        lambda: bucket.get("a"),
        lambda: bucket.head("a"),
        lambda: bucket.list("", after=None, limit=1),
        lambda: bucket.list_prefixes("", after=None, limit=1),
        lambda: bucket.put(write("b"), Version.ABSENT),
        lambda: bucket.delete_many(["b", "c"]),
        lambda: bucket.delete("a"),
    ):
        proxy.clear()
        with pytest.raises(StateBucketError):
            await call()
        assert proxy.count() == 1


@pytest.mark.parametrize(
    "fault",
    [CutBody(after_bytes=10), CutBody(after_bytes=10, reset=True), CorruptBody(), CorruptBody(0)],
    ids=repr,
)
@pytest.mark.parametrize("size", [1000, 3 * MIB])
async def test_a_body_cut_short_or_altered_is_neither_returned_nor_fetched_again(
    bucket: Bucket, proxy: FaultProxy, fault: Fault, size: int
) -> None:
    await bucket.put(write("a", bytes(size)), None)
    proxy.clear()
    proxy.plan(fault)
    with pytest.raises(Unavailable):
        await bucket.get("a")
    assert proxy.count() == 1
    assert await bucket.get("a") is not None


async def test_a_stalled_body_ends_at_a_third_of_the_deadline(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=4.5)
    await bucket.put(write("a", bytes(1000)), None)
    proxy.clear()
    proxy.plan(StallBody(after_bytes=10))
    with pytest.raises(Unavailable):
        await bucket.get("a")
    assert proxy.count() == 1
    await bucket.close()


async def test_a_body_is_read_at_one_version(
    bucket: Bucket, proxy: FaultProxy, raw: ContainerClient
) -> None:
    await bucket.put(write("a", b"1" * 40 * MIB), None)

    def overwrite(_: Recorded) -> None:
        raw.upload_blob("a", b"2" * 41 * MIB, overwrite=True)

    proxy.plan(Callback(overwrite, when=on("GET")))
    found = await bucket.get("a")
    assert found is not None
    assert found.body == b"1" * 40 * MIB


async def test_the_service_is_given_a_checksum(bucket: Bucket, proxy: FaultProxy) -> None:
    await bucket.put(write("a", b"body"), None)
    digest = hashlib.md5(b"body", usedforsecurity=False).digest()
    assert proxy.requests[0].header("Content-MD5") == b64encode(digest).decode()


async def test_a_checksum_that_does_not_match_is_worth_another_try(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    proxy.plan(azure_error(400, "Md5Mismatch"))
    with pytest.raises(Unavailable) as caught:
        await bucket.put(write("a"), None)
    assert caught.value.outcome == "none"


async def test_what_others_stored_compressed_is_not_held_against_its_checksum(
    bucket: Bucket, raw: ContainerClient
) -> None:
    import gzip  # noqa: PLC0415

    from azure.storage.blob import ContentSettings  # noqa: PLC0415

    raw.upload_blob(
        "a", gzip.compress(b"{}"), content_settings=ContentSettings(content_encoding="gzip")
    )
    found = await bucket.get("a")
    assert found is not None
    assert found.body == b"{}"

"""A body that arrives altered is fetched again, and never decoded."""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import crc32
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.testing.contract.base import snapshot
from support.fault_proxy.proxy import CorruptBody, CutBody, Fault, RewriteReply

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy, Recorded, Reply
    from support.targets.s3 import S3Target

pytestmark = pytest.mark.asyncio

SNAPSHOT = snapshot(variables={"text": "x" * 1000})


def shortened(reply: Reply, _: Recorded) -> Reply:
    """One byte less, and a length that says so: only the checksum can tell."""
    return replace(reply, body=reply.body[:-1])


WRONG: dict[str, Fault] = {
    "a bit of the first byte": CorruptBody(at=0),
    "a bit in the middle": CorruptBody(),
    "a bit of the nonce": CorruptBody(at=-1),
    "a byte less": RewriteReply(shortened),
    "cut": CutBody(after_bytes=1),
    "cut at the end": CutBody(after_bytes=1 << 20),
    "cut by a reset": CutBody(after_bytes=10, reset=True),
}
wrong = pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG)


@wrong
async def test_it_is_fetched_again(target: S3Target, proxy: FaultProxy, fault: Fault) -> None:
    async with target.open() as store:
        tenant = store.tenant("acme")
        await tenant.save_snapshot(SNAPSHOT)
        proxy.clear()
        proxy.plan(fault)
        assert await tenant.load_snapshot("e1") == SNAPSHOT
        assert proxy.count("GET") == 2


@wrong
async def test_it_is_unavailable_where_it_stays_so(
    target: S3Target, proxy: FaultProxy, fault: Fault
) -> None:
    async with target.open() as store:
        await store.set_json("k", {"rows": [1, 2, 3]})
        proxy.always(fault)
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as caught:
            await store.with_deadline(0.5).get_json("k")
        assert caught.value.outcome == "none"


async def test_a_body_in_chunks_is_read_whole(target: S3Target, proxy: FaultProxy) -> None:
    """Some gateways send chunks, without a length."""

    def chunked(reply: Reply, _: Recorded) -> Reply:
        kept = tuple(pair for pair in reply.headers if pair[0].lower() != "content-length")
        return replace(reply, headers=(*kept, ("Transfer-Encoding", "chunked")))

    async with target.open() as store:
        await store.set_json("k", [1, 2, 3])
        proxy.clear()
        proxy.always(RewriteReply(chunked))
        assert await store.get_json("k") == [1, 2, 3]
        assert proxy.count() == 1


async def test_the_checksum_of_what_is_written_goes_with_it(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        await store.set("k", b"v")
        assert proxy.requests[0].header("x-amz-checksum-crc32")


async def test_a_large_body_is_stored_with_its_nonce_and_a_checksum_of_both(
    engine: S3Target, proxy: FaultProxy
) -> None:
    large = snapshot(variables={"text": "x" * 100_000})
    value = bytes(range(256)) * 400
    async with engine.open() as store:
        tenant = store.tenant("acme")
        await tenant.save_snapshot(large)
        versions = {await tenant.set("k", one) for one in (value, value[::-1], value)}
        assert len(versions) == 3
        sent = [request for request in proxy.requests if request.method == "PUT"]
        for request in sent[-2:]:
            checksum = b64encode(crc32(request.body).to_bytes(4, "big")).decode()
            assert request.header("x-amz-checksum-crc32") == checksum
        assert await tenant.get("k") == value
        assert await tenant.load_snapshot("e1") == large
    kept = engine.raw_get("tenants/acme/keys/k")
    assert kept is not None
    assert kept.body[: -int(kept.metadata["tail"])] == value
    saved = engine.raw_get("tenants/acme/snapshots/e1")
    assert saved is not None
    assert len(saved.body) == len(large.to_json()) + int(saved.metadata["tail"])
    assert json.loads(saved.body)["variables"] == large.variables


async def test_a_body_without_a_checksum_is_read(target: S3Target, proxy: FaultProxy) -> None:
    def without(reply: Reply, _: Recorded) -> Reply:
        kept = tuple(pair for pair in reply.headers if "checksum" not in pair[0].lower())
        return replace(reply, headers=kept)

    target.raw_put("shared/keys/k", json.dumps([1]).encode())
    proxy.always(RewriteReply(without))
    async with target.open() as store:
        assert await store.get_json("k") == [1]

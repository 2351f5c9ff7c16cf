"""A body cut short or altered on the way is fetched again, and never decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from faults.clouds import listing, read, removal, write
from faults.server_marks import every_cloud, with_checks
from statebucket import errors
from support.fault_proxy.proxy import (
    CorruptBody,
    CorruptUpload,
    CutBody,
    Recorded,
    Reply,
    RewriteReply,
    Together,
)
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud
    from support.fault_proxy.proxy import Fault

pytestmark = pytest.mark.asyncio

VALUE = b"value" * 200
NO_ANSWER = (errors.Unavailable, errors.DeadlineExceeded)


def shortened(reply: Reply, _: Recorded) -> Reply:
    """A reply as a middlebox makes it that truncates the body and corrects the length."""
    return replace(reply, body=reply.body[:-5])


def unframed(reply: Reply, _: Recorded) -> Reply:
    """A body that ends with the connection, as behind an old proxy; and no checksum of S3's."""
    kept = tuple(pair for pair in reply.headers if "x-amz-checksum" not in pair[0].lower())
    return replace(reply, headers=kept, framed=False)


DAMAGES: dict[str, Fault] = {
    "cut at once": CutBody(0, when=read),
    "cut in the middle": CutBody(500, when=read),
    "cut at the end": CutBody(1_000_000, when=read),
    "cut by a reset": CutBody(500, reset=True, when=read),
    "a bit changed": CorruptBody(500, when=read),
    "a bit changed at the end": CorruptBody(-1, when=read),
    "shortened with its length": RewriteReply(shortened, when=read),
    "cut without a length": Together((RewriteReply(unframed), CutBody(500)), when=read),
}


@every_cloud
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_value_is_fetched_again(cloud: Cloud, damage: str) -> None:
    async with cloud.open() as store:
        await store.set("k", VALUE)
        cloud.proxy.always(DAMAGES[damage], times=2)
        assert await store.get("k") == VALUE
        assert len(cloud.requests(read)) == 3


@every_cloud
@pytest.mark.parametrize("damage", ["cut in the middle", "a bit changed"])
async def test_a_value_that_is_damaged_each_time_is_never_decoded(
    cloud: Cloud, damage: str
) -> None:
    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1, variables={"a": "b" * 1000}))
        await store.set("k", VALUE)
        cloud.proxy.always(DAMAGES[damage])
        for call in (store.with_deadline(0.4).get, store.with_deadline(0.4).load_snapshot):
            with pytest.raises(NO_ANSWER) as caught:
                await call("k" if call.__name__ == "get" else E1)
            assert caught.value.outcome == "none"
        cloud.proxy.heal()
        assert await store.get("k") == VALUE
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.variables == {"a": "b" * 1000}


@every_cloud
async def test_a_page_that_is_cut_is_fetched_again(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1))
        cloud.proxy.plan(CutBody(200, when=listing), CutBody(200, when=listing))
        assert await store.list_snapshots(ACME) == [E1]
        assert len(cloud.requests(listing)) == 3


@every_cloud
async def test_a_cut_reply_to_a_removal_is_looked_into(cloud: Cloud) -> None:
    async with cloud.open() as store:
        acme = store.tenant(ACME)
        await acme.save_snapshot(snapshot(1))
        await acme.set("exec:e1:k", b"v")
        cloud.proxy.plan(CutBody(30, when=removal))
        await acme.delete_execution_state(E1)
        assert cloud.target.raw_names() == []


@with_checks
async def test_an_upload_that_was_altered_is_refused_and_sent_again(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.plan(CorruptUpload(marker=VALUE, when=write))
        await store.set("k", VALUE)
        assert await store.get("k") == VALUE
        assert len(cloud.requests(write)) == 2

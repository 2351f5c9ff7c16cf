"""A stored write whose reply is lost is not mistaken for a lost race, and never done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.clouds import look, of, write
from faults.server_marks import every_cloud, every_server
from statebucket import StateStore, Version, errors
from support.fault_proxy.proxy import (
    Callback,
    DropBeforeSend,
    DropReply,
    HoldUntil,
    Recorded,
    Together,
)
from support.patience import happened
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud

pytestmark = pytest.mark.asyncio

KEY = "shared/keys/k"
SNAPSHOT = "tenants/acme/snapshots/e1"
OWNER = "owners/e1/acme"


async def stored_version(store: StateStore, key: str = "k") -> Version:
    found = await store.get_stored(key)
    assert found is not None
    return found.version


@every_server
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("lost", [1, 3])
async def test_a_create_whose_reply_was_lost_is_a_success(
    cloud: Cloud, *, lost: int, reset: bool
) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(DropReply(reset, when=write), times=lost)
        version = await store.set("k", b"mine", if_version=Version.ABSENT)
        # Sent until it was answered (with a refusal, since the first was stored), and looked into.
        assert len(cloud.requests(write)) == lost + 1
        assert len(cloud.requests(look)) == 1
        assert version == await stored_version(store)
        assert await store.get("k") == b"mine"
        await store.set("k", b"next", if_version=version)


@every_server
async def test_a_replacement_whose_reply_was_lost_is_a_success(cloud: Cloud) -> None:
    async with cloud.open() as store:
        first = await store.set("k", b"1")
        cloud.proxy.plan(DropReply(when=write))
        second = await store.set("k", b"2", if_version=first)
        assert second == await stored_version(store)
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set("k", b"3", if_version=first)
        assert caught.value.outcome == "none"
        assert await store.get("k") == b"2"


@every_cloud
async def test_a_snapshot_and_its_owner_record_whose_replies_were_lost(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.plan(DropReply(when=of(OWNER, write)), DropReply(when=of(SNAPSHOT, write)))
        version = await store.save_snapshot(snapshot(1), if_version=Version.ABSENT)
        assert cloud.proxy.pending == ()
        stored = await store.load_stored(E1)
        assert stored is not None
        assert (stored.version, stored.value.sequence_number) == (version, 1)


@every_server
@pytest.mark.parametrize("first", ["create", "replace"])
async def test_a_write_that_another_replaced_meanwhile_is_a_conflict_left_open(
    cloud: Cloud, first: str
) -> None:
    def overwrite(_: Recorded) -> None:
        cloud.target.raw_put(KEY, b"theirs", {"writeid": "another"})

    async with cloud.open() as store:
        condition = Version.ABSENT if first == "create" else await store.set("k", b"0")
        cloud.proxy.plan(Together((Callback(overwrite), DropReply()), when=write))
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set("k", b"mine", if_version=condition)
        assert caught.value.outcome == "unknown"
        assert (caught.value.object_name or "").endswith(KEY)
        assert await store.get("k") == b"theirs"


@every_cloud
async def test_a_race_that_was_lost_is_a_conflict_however_often_replies_are(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.set("k", b"theirs")
        cloud.proxy.plan(DropReply(when=write), DropBeforeSend(when=write), DropReply(when=look))
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"mine", if_version=Version.ABSENT)
        assert cloud.proxy.pending == ()
        assert await store.get("k") == b"theirs"


@every_cloud
async def test_a_conditional_write_that_arrives_late_changes_nothing(cloud: Cloud) -> None:
    # The first try is held up on the way until its client has given it up and tried again.
    def another_was_answered() -> bool:
        return any(request.server_status for request in cloud.requests(write))

    async with cloud.open(deadline=3) as opened:  # so that a try is given up after a second
        store = opened.with_deadline(60)
        first = await store.set("k", b"0")
        cloud.proxy.clear()
        cloud.proxy.plan(HoldUntil(another_was_answered, when=write))
        second = await store.set("k", b"1", if_version=first)
        late = cloud.requests(write)[0]
        await happened(lambda: late.server_status)
        assert late.server_status == 412
        assert await stored_version(store) == second
        await store.set("k", b"2", if_version=second)


@every_cloud
async def test_a_write_that_is_never_answered_is_left_open_and_stands(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.always(DropReply(when=write))
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as caught:
            await store.with_deadline(1).set("k", b"mine", if_version=Version.ABSENT)
        assert caught.value.outcome == "unknown"
        cloud.proxy.heal()
        assert await store.get("k") == b"mine"
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"again", if_version=Version.ABSENT)


@every_cloud
async def test_a_removal_whose_reply_was_lost_is_a_success(cloud: Cloud) -> None:
    async with cloud.open() as store:
        acme = store.tenant(ACME)
        await acme.save_snapshot(snapshot(1))
        await acme.set("exec:e1:k", b"v")
        cloud.proxy.always(DropReply(when=lambda request: not write(request)), times=3)
        report = await acme.delete_execution_state(E1)
        assert (report.keys, report.owners) == (1, 1)
        assert cloud.target.raw_names() == []
        await acme.set("k", b"v")
        cloud.proxy.plan(DropReply())
        assert await acme.delete("k") is None  # the request before may have deleted it
        assert cloud.target.raw_names() == []


@every_cloud
async def test_a_conditional_deletion_whose_reply_was_lost_is_no_conflict(cloud: Cloud) -> None:
    async with cloud.open() as store:
        version = await store.set("k", b"v")
        cloud.proxy.plan(DropReply())
        assert await store.delete("k", if_version=version) is None
        assert cloud.proxy.pending == ()
        assert cloud.target.raw_names() == []


@every_cloud
async def test_updates_whose_replies_are_lost_are_done_once(cloud: Cloud) -> None:
    async with cloud.open() as store:
        for number in (1, 2, 3):
            cloud.proxy.plan(DropReply(when=write))
            assert await store.update_json("n", lambda n: (n or 0) + 1) == number
        assert cloud.proxy.pending == ()
        assert await store.get_json("n") == 3


@every_cloud
async def test_an_update_that_another_writes_over_before_its_reply_is_left_open(
    cloud: Cloud,
) -> None:
    async with cloud.open() as store:
        await store.set_json("k", 1)

        def another(_: Recorded) -> None:
            cloud.target.raw_put(KEY, b"12", {"writeid": "another"})  # what it made of our 2

        cloud.proxy.plan(Together((Callback(another), DropReply()), when=write))
        with pytest.raises(errors.VersionConflict) as caught:
            await store.update_json("k", lambda n: n + 1)
        assert caught.value.outcome == "unknown"
        assert await store.get_json("k") == 12

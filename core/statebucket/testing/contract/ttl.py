"""Time to live: exact for the reader, whatever the cloud has removed so far."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import ExecutionState, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

MINUTE = timedelta(minutes=1)


class TTLContract(Contract):
    """``ttl``."""

    async def test_a_key_is_readable_exactly_until_it_expires(
        self, store: StateStore, clock: Clock, target: Target
    ) -> None:
        await store.set("k", b"v", MINUTE)
        await store.set_json("j", [1], MINUTE)
        clock.advance(59.999)
        assert await store.get("k") == b"v"
        assert await store.exists("k") is True
        stored = await store.get_stored("k")
        assert stored is not None
        clock.advance(0.001)
        assert stored.expires_at == datetime.fromtimestamp(clock(), UTC)
        assert await store.get("k") is None
        assert await store.get_stored("k") is None
        assert await store.get_json("j") is None
        assert await store.exists("k") is False
        # A reader removes nothing.
        assert target.raw_names() == ["shared/keys/j", "shared/keys/k"]

    async def test_the_moment_of_expiry_is_in_the_metadata(
        self, store: StateStore, clock: Clock, target: Target
    ) -> None:
        await store.set("k", b"v", timedelta(milliseconds=1500))
        raw = target.raw_get("shared/keys/k")
        assert raw is not None
        assert raw.metadata["expiresat"] == str(int(clock() * 1000) + 1500)

    @pytest.mark.parametrize("minute", [60, 60.0, MINUTE], ids=repr)
    async def test_a_ttl_is_a_timedelta_or_seconds(
        self, store: StateStore, target: Target, clock: Clock, minute: timedelta | float
    ) -> None:
        await store.set("k", b"v", minute)
        await store.set_json("j", 1, ttl=minute)
        await store.save_snapshot(snapshot(), ttl=minute)
        async with target.open(finished_ttl=minute) as finishing:
            await finishing.save_snapshot(snapshot("e2", state=ExecutionState.FAILED))
        for stored in (
            await store.get_stored("k"),
            await store.get_stored("j"),
            await store.load_stored(E1),
            await store.load_stored("e2"),
        ):
            assert stored is not None
            assert stored.expires_at == datetime.fromtimestamp(clock() + 60, UTC)

    async def test_a_snapshot_expires(self, store: StateStore, clock: Clock) -> None:
        await store.save_snapshot(snapshot(), ttl=MINUTE)
        stored = await store.load_stored(E1)
        assert stored is not None
        clock.advance(59)
        assert await store.load_snapshot(E1) is not None
        clock.advance(1)
        assert stored.expires_at == datetime.fromtimestamp(clock(), UTC)
        assert await store.load_snapshot(E1) is None
        assert await store.load_stored(E1) is None
        assert await store.tenant(ACME).load_snapshot(E1) is None

    async def test_rewriting_shortens_lengthens_and_removes_a_ttl(
        self, store: StateStore, clock: Clock
    ) -> None:
        await store.set("short", b"v", timedelta(days=10))
        await store.set("short", b"v", MINUTE)
        await store.set("long", b"v", MINUTE)
        await store.set("long", b"v", timedelta(days=10))
        await store.set("ever", b"v", MINUTE)
        await store.set("ever", b"v")
        clock.advance(MINUTE)
        assert await store.get("short") is None
        assert await store.get("long") == b"v"
        clock.advance(timedelta(days=3000))
        assert await store.get("long") is None
        assert await store.get("ever") == b"v"

    async def test_the_same_value_set_again_lives_on(self, store: StateStore, clock: Clock) -> None:
        await store.set("k", b"v", MINUTE)
        clock.advance(MINUTE)
        await store.set("k", b"v", MINUTE)
        assert await store.get("k") == b"v"
        clock.advance(59)
        assert await store.get("k") == b"v"

    async def test_expired_entries_are_left_out_of_listings_where_they_can_be(
        self, store: StateStore, clock: Clock, target: Target
    ) -> None:
        await store.save_snapshot(snapshot("gone"), ttl=MINUTE)
        await store.save_snapshot(snapshot("kept"))
        await store.set("gone", b"v", MINUTE)
        await store.set("kept", b"v", 2 * MINUTE)
        clock.advance(MINUTE)
        shown = ["kept"] if target.lists_metadata else ["gone", "kept"]
        assert await store.list_snapshots(ACME, 10) == shown
        assert [key async for key in store.iter_keys()] == shown
        assert [id_ async for id_ in store.iter_snapshots(ACME)] == shown
        assert [id_ async for id_ in store.iter_snapshots(ACME, live=True)] == ["kept"]

    async def test_a_ttl_above_the_largest_class_is_exact_too(
        self, store: StateStore, clock: Clock
    ) -> None:
        await store.set("k", b"v", timedelta(days=1025))
        await store.save_snapshot(snapshot(), ttl=timedelta(days=1025))
        clock.advance(timedelta(days=1025) - timedelta(seconds=1))
        assert await store.get("k") == b"v"
        assert await store.load_snapshot(E1) is not None
        clock.advance(1)
        assert await store.get("k") is None
        assert await store.load_snapshot(E1) is None

    async def test_a_snapshot_saved_again_and_again_keeps_its_owner(
        self, target: Target, clock: Clock
    ) -> None:
        day = timedelta(days=1)
        for _ in range(8):
            async with target.open() as writer:
                await writer.save_snapshot(snapshot(), ttl=day)
            clock.advance(day * 0.9)
            async with target.open() as reader:
                assert await reader.load_snapshot(E1) is not None

    async def test_a_snapshot_that_stops_expiring_keeps_its_owner(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot(), ttl=MINUTE)
        await store.save_snapshot(snapshot(number=2))
        clock.advance(timedelta(days=4000))
        async with target.open() as reader:
            assert await reader.load_snapshot(E1) is not None

    async def test_finished_executions_get_a_ttl_of_their_own(
        self, target: Target, clock: Clock
    ) -> None:
        async with target.open(finished_ttl=MINUTE) as store:
            running = snapshot()
            await store.save_snapshot(running)
            await store.save_snapshot(running.advance(state=ExecutionState.FAILED))
            stored = await store.load_stored(E1)
            assert stored is not None
            assert stored.expires_at == datetime.fromtimestamp(clock() + 60, UTC)
            await store.save_snapshot(running.advance())  # an unfinished save removes it
            stored = await store.load_stored(E1)
            assert stored is not None
            assert stored.expires_at is None
            done = running.advance(state=ExecutionState.COMPLETED)
            await store.save_snapshot(done, ttl=2 * MINUTE)  # an explicit one wins
            clock.advance(MINUTE)
            assert await store.load_snapshot(E1) == done
            clock.advance(MINUTE)
            assert await store.load_snapshot(E1) is None

    @pytest.mark.parametrize(
        "ttl",
        [
            timedelta(0),
            -MINUTE,
            timedelta.max,
            0,
            0.0,
            -1,
            -0.5,
            1e30,
            math.inf,
            math.nan,
            True,
            "60",
        ],
        ids=repr,
    )
    async def test_what_is_no_ttl_is_refused(
        self, store: StateStore, target: Target, ttl: object
    ) -> None:
        with pytest.raises(errors.InvalidTTL):
            await store.set("k", b"v", ttl)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(errors.InvalidTTL):
            await store.set_json("k", 1, ttl)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidTTL):
            await store.save_snapshot(snapshot(), ttl=ttl)  # type: ignore[arg-type]
        assert target.raw_names() == []

    async def test_retention_is_the_ttl_of_what_is_written_without_one(
        self, target: Target, clock: Clock
    ) -> None:
        async with target.open(retention=timedelta(hours=1)) as store:
            acme = store.tenant(ACME)
            await acme.save_snapshot(snapshot())
            await acme.set("exec:e1:k", b"v")
            await acme.set_json("j", 1)
            await store.set("shared", b"v")
            await acme.set("sooner", b"v", MINUTE)
            await acme.set("later", b"v", timedelta(hours=2))
            clock.advance(3599)
            assert await acme.get("sooner") is None
            assert await acme.load_snapshot(E1) is not None
            for view, key in ((acme, "exec:e1:k"), (acme, "j"), (store, "shared")):
                assert await view.exists(key)
            clock.advance(1)
            assert await acme.load_snapshot(E1) is None
            for view, key in ((acme, "exec:e1:k"), (acme, "j"), (store, "shared")):
                assert not await view.exists(key)
            assert await acme.get("later") == b"v"

    async def test_retention_counts_again_with_each_write(
        self, target: Target, clock: Clock
    ) -> None:
        async with target.open(retention=3600) as store:
            acme = store.tenant(ACME)
            await acme.save_snapshot(snapshot())
            await acme.set("k", b"1")
            clock.advance(3000)
            await acme.update_snapshot(E1, lambda current: current and current.advance())
            await acme.update("k", lambda _: b"2")
            clock.advance(3000)
            saved = await acme.load_snapshot(E1)
            assert saved is not None
            assert await acme.get("k") == b"2"
            await acme.save_snapshot(saved.advance())
            clock.advance(3000)
            assert await acme.load_snapshot(E1) is not None
            assert await acme.get("k") is None

    async def test_a_finished_ttl_comes_before_the_retention(
        self, target: Target, clock: Clock
    ) -> None:
        async with target.open(retention=3600, finished_ttl=MINUTE) as store:
            done = snapshot(state=ExecutionState.COMPLETED)
            await store.save_snapshot(done)
            await store.save_snapshot(snapshot("e2"))
            await store.tenant(ACME).update_snapshot("e2", lambda old: old and old.advance())
            clock.advance(60)
            assert await store.load_snapshot(E1) is None
            assert await store.load_snapshot("e2") is not None

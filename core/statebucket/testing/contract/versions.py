"""Conditional writes, and versions that are unique to a write."""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import Version, errors
from statebucket.testing.contract.base import E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target


class VersionContract(Contract):
    """``if_version``."""

    async def test_absent_only_creates(self, store: StateStore) -> None:
        await store.set("k", b"1", if_version=Version.ABSENT)
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set("k", b"2", if_version=Version.ABSENT)
        assert caught.value.outcome == "none"
        assert await store.get("k") == b"1"
        await store.delete("k")
        await store.set("k", b"3", if_version=Version.ABSENT)

    async def test_a_version_replaces_only_that_one(self, store: StateStore) -> None:
        one = await store.set("k", b"1")
        two = await store.set("k", b"2", if_version=one)
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set("k", b"3", if_version=one)
        assert caught.value.outcome == "none"
        assert caught.value.object_name is not None
        assert await store.get("k") == b"2"
        await store.set("k", b"4", if_version=two)

    async def test_snapshots_take_conditions_too(self, store: StateStore) -> None:
        first = await store.save_snapshot(snapshot(number=1), if_version=Version.ABSENT)
        with pytest.raises(errors.VersionConflict):
            await store.save_snapshot(snapshot(number=2), if_version=Version.ABSENT)
        await store.save_snapshot(snapshot(number=3), if_version=first)
        with pytest.raises(errors.VersionConflict):
            await store.save_snapshot(snapshot(number=4), if_version=first)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 3

    @pytest.mark.parametrize(
        "token",
        ["garbage", '"0123456789abcdef0123456789abcdef"', "12", "0x8D", "a\nb", "é", "0", "\ud800"],
        ids=ascii,
    )
    async def test_a_version_of_nothing_is_a_conflict(self, store: StateStore, token: str) -> None:
        await store.set("k", b"1")
        for key in ("k", "missing"):
            with pytest.raises(errors.VersionConflict):
                await store.set(key, b"2", if_version=Version(token))
        assert await store.get("k") == b"1"
        assert await store.get("missing") is None

    async def test_the_version_of_a_deleted_object_is_a_conflict(self, store: StateStore) -> None:
        version = await store.set("k", b"1")
        await store.delete("k")
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"2", if_version=version)
        await store.set("k", b"1")  # the same bytes: still another write
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"2", if_version=version)

    async def test_equal_bodies_have_different_versions(self, store: StateStore) -> None:
        fixed = snapshot()
        assert await store.set("k", b"same") != await store.set("k", b"same")
        assert await store.set_json("j", [1]) != await store.set_json("j", [1])
        assert await store.save_snapshot(fixed) != await store.save_snapshot(fixed)

    async def test_a_value_that_came_back_is_not_the_first_one(self, store: StateStore) -> None:
        first = await store.set("k", b"A")
        await store.set("k", b"B")
        await store.set("k", b"A")
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"C", if_version=first)
        assert await store.get("k") == b"A"

    async def test_a_version_crosses_processes_as_text(self, store: StateStore) -> None:
        version = await store.set("k", b"1")
        assert Version(str(version)) == version
        await store.set("k", b"2", if_version=Version(str(version)))

    async def test_creating_over_an_expired_object_succeeds(
        self, store: StateStore, clock: Clock
    ) -> None:
        await store.set("k", b"old", timedelta(minutes=1))
        await store.save_snapshot(snapshot(number=1), ttl=timedelta(minutes=1))
        clock.advance(60)
        await store.set("k", b"new", if_version=Version.ABSENT)
        await store.save_snapshot(snapshot(number=2), if_version=Version.ABSENT)
        assert await store.get("k") == b"new"
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 2

    async def test_an_expired_object_is_replaced_at_its_version_until_it_is_removed(
        self, store: StateStore, clock: Clock
    ) -> None:
        version = await store.set("k", b"old", timedelta(minutes=1))
        clock.advance(120)
        version = await store.set("k", b"new", timedelta(minutes=1), if_version=version)
        assert await store.get("k") == b"new"
        clock.advance(120)
        await store.sweep(margin=0)
        with pytest.raises(errors.VersionConflict):
            await store.set("k", b"newer", if_version=version)

    async def test_of_twenty_creators_one_wins(self, target: Target) -> None:
        store = target.open()
        results = await asyncio.gather(
            *(
                store.save_snapshot(snapshot(number=number), if_version=Version.ABSENT)
                for number in range(20)
            ),
            return_exceptions=True,
        )
        won = [number for number, result in enumerate(results) if isinstance(result, Version)]
        lost = [result for result in results if isinstance(result, errors.VersionConflict)]
        assert (len(won), len(lost)) == (1, 19)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == won[0]
        await store.shutdown()

    async def test_of_twenty_replacers_one_wins(self, store: StateStore) -> None:
        version = await store.set("k", b"start")
        results = await asyncio.gather(
            *(store.set("k", str(n).encode(), if_version=version) for n in range(20)),
            return_exceptions=True,
        )
        won = [number for number, result in enumerate(results) if isinstance(result, Version)]
        assert len(won) == 1
        assert sum(isinstance(result, errors.VersionConflict) for result in results) == 19
        assert await store.get("k") == str(won[0]).encode()

    async def test_a_conflict_has_what_won_where_it_is_wanted(
        self, store: StateStore, clock: Clock
    ) -> None:
        lost = await store.set("k", b"1")
        version = await store.set("k", b"2", timedelta(hours=1))
        until = datetime.fromtimestamp(clock() + 3600, UTC)
        for call in (
            store.set("k", b"3", if_version=lost, want_current=True),
            store.set("k", b"3", if_version=Version.ABSENT, want_current=True),
        ):
            with pytest.raises(errors.VersionConflict) as caught:
                await call
            current = caught.value.current
            assert current is not None
            assert (current.value, current.version) == (b"2", version)
            assert (current.expires_at, current.size) == (until, 1)
            assert type(caught.value) is errors.VersionConflict
            again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (our own)
            assert again.current == current
        await store.set("k", b"3", if_version=version, want_current=True)

    async def test_a_conflict_has_the_json_or_the_snapshot_that_won(
        self, store: StateStore
    ) -> None:
        await store.set_json("j", {"by": "them"})
        with pytest.raises(errors.VersionConflict) as caught:
            await store.set_json("j", {}, if_version=Version.ABSENT, want_current=True)
        assert caught.value.current is not None
        assert caught.value.current.value == {"by": "them"}
        await store.save_snapshot(snapshot(number=5))
        for call in (
            store.save_snapshot(snapshot(), if_version=Version.ABSENT, want_current=True),
            store.save_snapshot(snapshot(), if_version=Version("0"), want_current=True),
        ):
            with pytest.raises(errors.VersionConflict) as caught:
                await call
            current = caught.value.current
            assert current is not None
            assert current == await store.load_stored(E1)
            assert pickle.loads(pickle.dumps(caught.value)).current == current  # noqa: S301

    async def test_a_conflict_has_nothing_where_there_is_nothing_to_show(
        self, store: StateStore, clock: Clock
    ) -> None:
        version = await store.set("k", b"1")
        await store.set("k", b"\xff no JSON")
        with pytest.raises(errors.VersionConflict) as caught:  # not wanted
            await store.set("k", b"3", if_version=version)
        assert caught.value.current is None
        with pytest.raises(errors.VersionConflict) as caught:  # not decoded
            await store.set_json("k", 3, if_version=version, want_current=True)
        assert caught.value.current is None
        await store.set("k", b"4", timedelta(minutes=1))
        clock.advance(60)
        with pytest.raises(errors.VersionConflict) as caught:  # expired
            await store.set("k", b"5", if_version=version, want_current=True)
        assert caught.value.current is None
        await store.delete("k")
        with pytest.raises(errors.VersionConflict) as caught:  # gone
            await store.set("k", b"6", if_version=version, want_current=True)
        assert caught.value.current is None

"""Deleting keys and snapshots: what was there, and conditions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import Version, errors
from statebucket.testing.contract.base import E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target


class DeletionContract(Contract):
    """``delete``, ``delete_snapshot`` and ``delete_many``."""

    async def test_a_delete_says_whether_there_was_something(self, acme: StateStore) -> None:
        # None if the service does not say.
        await acme.set("k", b"")
        assert await acme.delete("k") in {True, None}
        assert await acme.exists("k") is False
        assert await acme.delete("k") in {False, None}
        await acme.save_snapshot(snapshot())
        assert await acme.delete_snapshot(E1) in {True, None}
        assert await acme.load_snapshot(E1) is None
        assert await acme.delete_snapshot(E1) in {False, None}

    async def test_a_snapshot_that_no_tenant_owns_was_not_there(self, store: StateStore) -> None:
        assert await store.delete_snapshot("never-saved") is False

    async def test_only_that_version_is_deleted(self, store: StateStore) -> None:
        old = await store.set("k", b"1")
        new = await store.set("k", b"2")
        with pytest.raises(errors.VersionConflict) as caught:
            await store.delete("k", if_version=old)
        assert caught.value.outcome == "none"
        assert caught.value.object_name is not None
        assert await store.get("k") == b"2"
        assert await store.delete("k", if_version=new) in {True, None}
        assert await store.get("k") is None

    async def test_only_that_version_of_a_snapshot_is_deleted(
        self, store: StateStore, target: Target
    ) -> None:
        old = await store.save_snapshot(snapshot(number=1))
        new = await store.save_snapshot(snapshot(number=2))
        with pytest.raises(errors.VersionConflict):
            await store.delete_snapshot(E1, if_version=old)
        assert await store.load_snapshot(E1) is not None
        before = target.raw_names()
        assert await store.delete_snapshot(E1, if_version=new) in {True, None}
        assert await store.load_snapshot(E1) is None
        # The owner record, and no more, stays.
        assert target.raw_names() == [name for name in before if "snapshots" not in name]

    async def test_a_deletion_that_loses_has_what_won_where_it_is_wanted(
        self, store: StateStore
    ) -> None:
        old = await store.set("k", b"1")
        new = await store.set("k", b"2")
        with pytest.raises(errors.VersionConflict) as caught:
            await store.delete("k", if_version=old, want_current=True)
        current = caught.value.current
        assert current is not None
        assert (current.value, current.version) == (b"2", new)
        older = await store.save_snapshot(snapshot(number=1))
        await store.save_snapshot(snapshot(number=2))
        with pytest.raises(errors.VersionConflict) as caught:
            await store.delete_snapshot(E1, if_version=older, want_current=True)
        assert caught.value.current is not None
        assert caught.value.current == await store.load_stored(E1)

    async def test_by_a_version_that_no_service_has_nothing_is_deleted(
        self, store: StateStore
    ) -> None:
        await store.set("k", b"1")
        with pytest.raises(errors.VersionConflict):
            await store.delete("k", if_version=Version("\ud800"))
        assert await store.get("k") == b"1"

    async def test_what_is_gone_already_is_no_conflict(
        self, store: StateStore, clock: Clock
    ) -> None:
        version = await store.set("k", b"1")
        await store.delete("k")
        assert await store.delete("k", if_version=version) in {False, None}
        assert await store.delete("never", if_version=version) in {False, None}
        await store.set("k", b"2", 60)
        clock.advance(60)
        # An expired value does not exist, at whatever version it is.
        assert await store.delete("k", if_version=version) in {False, None}

    async def test_a_value_that_came_back_is_not_deleted_for_the_first_one(
        self, store: StateStore
    ) -> None:
        first = await store.set("k", b"A")
        await store.set("k", b"B")
        await store.set("k", b"A")
        with pytest.raises(errors.VersionConflict):
            await store.delete("k", if_version=first)
        assert await store.get("k") == b"A"

    async def test_of_a_replacement_and_a_deletion_one_wins(self, store: StateStore) -> None:
        for number in range(5):
            key = f"k{number}"
            version = await store.set(key, b"1")
            replaced, deleted = await asyncio.gather(
                store.set(key, b"2", if_version=version),
                store.delete(key, if_version=version),
                return_exceptions=True,
            )
            if isinstance(replaced, Version):
                assert isinstance(deleted, errors.VersionConflict)
                assert await store.get(key) == b"2"
            else:
                assert isinstance(replaced, errors.VersionConflict)
                assert deleted in {True, None}
                assert await store.get(key) is None

    async def test_a_deletion_of_what_is_absent_is_refused(
        self, store: StateStore, target: Target
    ) -> None:
        target.requests()
        for call in (
            store.delete("k", if_version=Version.ABSENT),
            store.delete_snapshot(E1, if_version=Version.ABSENT),
        ):
            with pytest.raises(errors.InvalidArgument, match="leave out if_version"):
                await call
        assert not target.requests()

    async def test_many_keys_are_deleted(self, store: StateStore, target: Target) -> None:
        for key in ("k", "exec:e1:a", "exec:e2:b", "stays"):
            await store.set(key, b"v")
        await store.tenant("acme").set("k", b"another's")
        keys = ["k", "exec:e1:a", "missing", "exec:e2:b", "k"]
        report = await store.delete_many(keys)
        assert (report.keys, report.unreported) in {(3, 0), (0, 4)}
        assert target.raw_names() == ["shared/keys/stays", "tenants/acme/keys/k"]
        report = await store.delete_many(iter(keys))
        assert (report.keys, report.unreported) in {(0, 0), (0, 4)}

    async def test_of_many_keys_those_that_have_expired_were_not_there(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.set("old", b"v", 60)
        await store.set("new", b"v")
        clock.advance(60)
        alone = await store.delete("old")
        await store.set("old", b"v", 1)
        clock.advance(1)
        report = await store.delete_many(["old", "new", "missing"])
        # As `delete` has it: services that show what they delete do not count it.
        expected = {False: (1, 0), True: (2, 0), None: (0, 3)}[alone]
        assert (report.keys, report.unreported) == expected
        assert target.raw_names() == []

    @pytest.mark.parametrize("count", [1001])
    async def test_more_keys_than_a_batch_are_deleted(
        self, acme: StateStore, target: Target, count: int
    ) -> None:
        target.raw_put_many(f"tenants/acme/keys/k{number}" for number in range(count))
        report = await acme.delete_many(f"k{number}" for number in range(count))
        assert report.keys + report.unreported == count
        assert target.raw_names() == []

    async def test_of_many_keys_all_are_checked_first(
        self, store: StateStore, target: Target
    ) -> None:
        await store.set("k", b"v")
        target.requests()
        wrong: list[Any] = [["k", ""], ["k", 3], ["k", "exec:e1"], [None]]
        for keys in wrong:
            with pytest.raises(errors.InvalidKey):
                await store.delete_many(keys)
        with pytest.raises(errors.InvalidArgument, match=r"delete_many\(\[key\]\)"):
            await store.delete_many("k")
        for no_list in (None, 3):
            with pytest.raises(errors.InvalidArgument, match="list of keys"):
                await store.delete_many(no_list)  # type: ignore[arg-type]
        assert (await store.delete_many([])).keys == 0
        assert not target.requests()
        assert await store.exists("k") is True

"""Saving, loading and deleting snapshots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from statebucket import ExecutionSnapshot, ExecutionState, Waiting, WaitReason, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.target import Target

NAME = "tenants/acme/snapshots/e1"
OWNER = "owners/e1/acme"


class SnapshotContract(Contract):
    """``save_snapshot``, ``load_snapshot``, ``load_stored``, ``delete_snapshot``."""

    async def test_a_saved_snapshot_is_loaded_equal(self, store: StateStore) -> None:
        saved = snapshot(
            user_id="alice",
            state=Waiting(WaitReason.APPROVAL),
            current_step_id="s2",
            step_outputs={"s1": [1, 2.5, None, True, "☕"]},
            variables={"a": {"b": [{}]}, "é": -0.0, "big": 2**63},
            timestamp=datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2))),
            number=2**64 - 1,
        )
        await store.save_snapshot(saved)
        assert await store.load_snapshot(E1) == saved

    async def test_another_store_and_the_tenants_view_find_it(
        self, store: StateStore, target: Target
    ) -> None:
        saved = snapshot()
        await store.save_snapshot(saved)
        async with target.open() as other:
            assert await other.load_snapshot(E1) == saved
            assert await other.tenant(ACME).load_snapshot(E1) == saved

    async def test_one_saved_through_the_view_is_found_by_the_store(
        self, acme: StateStore, target: Target
    ) -> None:
        saved = snapshot()
        await acme.save_snapshot(saved)
        async with target.open() as other:
            assert await other.load_snapshot(E1) == saved

    async def test_the_objects_are_where_they_should_be(
        self, store: StateStore, target: Target
    ) -> None:
        saved = snapshot(state=Waiting(WaitReason.SUB_AGENT))
        await store.save_snapshot(saved)
        assert target.raw_names() == [OWNER, NAME]
        raw = target.raw_get(NAME)
        assert raw is not None
        # A reader without this library parses the body as it is, nonce included.
        assert json.loads(raw.body) == json.loads(saved.to_json())
        assert json.loads(raw.body)["state"] == {"Waiting": "SubAgent"}
        assert "writeid" in raw.metadata
        assert "expiresat" not in raw.metadata

    async def test_what_is_valid_may_be_changed_in_place_before_a_save(
        self, store: StateStore
    ) -> None:
        saved = snapshot(variables={"rows": [1]})
        saved.variables["rows"].append((2, 3))
        await store.save_snapshot(saved)
        saved.variables["rows"].append(4)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.variables == {"rows": [1, [2, 3]]}

    async def test_the_two_ids_are_enough(self, store: StateStore) -> None:
        saved = ExecutionSnapshot(execution_id=E1, tenant_id=ACME)
        await store.save_snapshot(saved)
        assert await store.load_snapshot(E1) == saved

    async def test_what_was_never_saved_is_none(self, store: StateStore) -> None:
        assert await store.load_snapshot(E1) is None
        assert await store.load_stored(E1) is None
        assert await store.tenant(ACME).load_snapshot(E1) is None

    async def test_a_later_save_replaces_an_earlier(self, store: StateStore) -> None:
        first = snapshot()
        one = await store.save_snapshot(first)
        two = await store.save_snapshot(first.advance(state=ExecutionState.COMPLETED))
        assert one != two
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert (loaded.state, loaded.sequence_number) == (ExecutionState.COMPLETED, 2)

    async def test_load_stored_tells_version_expiry_and_size(self, store: StateStore) -> None:
        saved = snapshot()
        version = await store.save_snapshot(saved)
        stored = await store.load_stored(E1)
        assert stored is not None
        assert stored.value == saved
        assert stored.version == version
        assert stored.expires_at is None
        assert stored.size == len(saved.to_json())

    async def test_delete_removes_the_snapshot_and_leaves_the_owner(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        await store.tenant(ACME).set("exec:e1:k", b"v")
        await store.delete_snapshot(E1)
        assert await store.load_snapshot(E1) is None
        assert target.raw_names() == [OWNER, "tenants/acme/executions/e1/k"]

    async def test_deleting_what_is_not_there_is_no_error(
        self, store: StateStore, acme: StateStore
    ) -> None:
        await store.delete_snapshot(E1)
        await acme.delete_snapshot(E1)
        await store.save_snapshot(snapshot())
        await acme.delete_snapshot(E1)
        await acme.delete_snapshot(E1)

    async def test_a_snapshot_of_another_program_is_loaded(
        self, acme: StateStore, target: Target
    ) -> None:
        body = (
            b'{"execution_id":"e1","tenant_id":"acme","state":"Running","sequence_number":7,'
            b'"timestamp":"2026-11-22T12:34:56.123456789+02:00","from_the_future":[1]}'
        )
        target.raw_put(NAME, body)
        loaded = await acme.load_snapshot(E1)
        assert loaded == snapshot(
            number=7, timestamp=datetime(2026, 11, 22, 10, 34, 56, 123457, UTC)
        )
        stored = await acme.load_stored(E1)
        assert stored is not None
        assert stored.size == len(body)
        await acme.save_snapshot(loaded.advance(), if_version=stored.version)

    async def test_a_snapshot_of_the_last_moment_is_loaded(
        self, acme: StateStore, target: Target
    ) -> None:
        body = (
            b'{"execution_id":"e1","tenant_id":"acme","state":{"Waiting":"Approval"},'
            b'"sequence_number":18446744073709551615,"timestamp":"9999-12-31T23:59:59.9999999Z"}'
        )
        target.raw_put(NAME, body)
        loaded = await acme.load_snapshot(E1)
        assert loaded is not None
        assert loaded.timestamp == datetime.max.replace(tzinfo=UTC)
        assert (loaded.state, loaded.sequence_number) == (
            ExecutionState.waiting(WaitReason.APPROVAL),
            2**64 - 1,
        )

    @pytest.mark.parametrize("size", [64 * 1024, 1024 * 1024, 9 * 1024 * 1024])
    async def test_large_snapshots_come_back_whole(self, acme: StateStore, size: int) -> None:
        saved = snapshot(variables={"payload": "x" * size})
        version = await acme.save_snapshot(saved, if_version=None)
        assert await acme.load_snapshot(E1) == saved
        again = saved.advance(variables={"payload": "y" * size})
        await acme.save_snapshot(again, if_version=version)
        assert await acme.load_snapshot(E1) == again
        with pytest.raises(errors.VersionConflict):
            await acme.save_snapshot(saved, if_version=version)
        assert await acme.load_snapshot(E1) == again

    async def test_only_newer_never_goes_back(self, store: StateStore, target: Target) -> None:
        new, old = snapshot(number=5), snapshot(number=4)
        await store.save_snapshot(new, only_newer=True)
        for stale in (store, target.open()):
            with pytest.raises(errors.StaleSnapshot) as caught:
                await stale.save_snapshot(old, only_newer=True)
            assert caught.value.outcome == "none"
            await stale.shutdown()
        assert await store.load_snapshot(E1) == new
        await store.save_snapshot(new, only_newer=True)  # a redelivery
        await store.save_snapshot(snapshot(number=6), only_newer=True)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 6

    async def test_only_newer_is_right_about_what_another_process_saved(
        self, acme: StateStore, target: Target
    ) -> None:
        await acme.save_snapshot(snapshot(number=1))
        async with target.open() as other:
            await other.save_snapshot(snapshot(number=9))
        with pytest.raises(errors.StaleSnapshot):
            await acme.save_snapshot(snapshot(number=5), only_newer=True)
        await acme.save_snapshot(snapshot(number=10), only_newer=True)
        async with target.open() as other:
            await other.save_snapshot(snapshot(number=2))  # put back on purpose
        await acme.save_snapshot(snapshot(number=3), only_newer=True)

    async def test_only_newer_with_a_version_holds_to_both(self, acme: StateStore) -> None:
        first = await acme.save_snapshot(snapshot(number=1))
        second = await acme.save_snapshot(snapshot(number=2), only_newer=True, if_version=first)
        with pytest.raises(errors.VersionConflict):
            await acme.save_snapshot(snapshot(number=3), only_newer=True, if_version=first)
        with pytest.raises(errors.StaleSnapshot):
            await acme.save_snapshot(snapshot(number=1), only_newer=True, if_version=second)

    async def test_a_value_is_immutable_and_comparable(self) -> None:
        variables = {"a": [1]}
        made = ExecutionSnapshot.from_json(snapshot(variables=variables).to_json())
        kept = snapshot(variables=variables, timestamp=made.timestamp)
        variables["a"].append(2)
        assert kept == made
        with pytest.raises(AttributeError):
            kept.state = ExecutionState.FAILED  # type: ignore[misc]  # that is the point

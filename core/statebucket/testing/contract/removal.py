"""Removing executions and tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.contract.reports import DeletionReport
    from statebucket.testing.target import Target


class RemovalContract(Contract):
    """``delete_execution_state``, ``delete_tenant``."""

    async def test_an_execution_goes_whole_and_alone(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        await acme.set("exec:e1:a", b"1")
        await acme.set("exec:e1:b/c", b"2")
        await store.set("exec:e1:shared", b"3")
        await store.save_snapshot(snapshot("e10"))
        await acme.set("exec:e10:a", b"4")
        await acme.set("e1", b"5")
        report = await store.delete_execution_state(E1)
        assert report.snapshots in {1, None}  # None: the service does not say
        assert (report.keys, report.owners) == (3, 1)
        assert report.bytes >= 3
        assert target.raw_names() == [
            "owners/e10/acme",
            "tenants/acme/executions/e10/a",
            "tenants/acme/keys/e1",
            "tenants/acme/snapshots/e10",
        ]
        assert await store.load_snapshot(E1) is None

    async def test_a_view_leaves_the_keys_that_no_tenant_owns(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await acme.save_snapshot(snapshot())
        await acme.set("exec:e1:a", b"1")
        await store.set("exec:e1:shared", b"2")
        report = await acme.delete_execution_state(E1)
        assert (report.keys, report.owners) == (1, 1)
        assert target.raw_names() == ["shared/executions/e1/shared"]

    async def test_the_store_removes_keys_of_an_execution_without_a_snapshot(
        self, store: StateStore, target: Target
    ) -> None:
        await store.set("exec:e1:a", b"1")
        report = await store.delete_execution_state(E1)
        assert (report.snapshots, report.keys, report.owners) == (0, 1, 0)
        assert target.raw_names() == []

    async def test_removing_twice_is_no_error(self, store: StateStore, acme: StateStore) -> None:
        await store.save_snapshot(snapshot())
        await store.delete_execution_state(E1)
        for again in (store, acme):
            report = await again.delete_execution_state(E1)
            assert (report.keys, report.owners, report.bytes) == (0, 0, 0)
            assert not report.snapshots

    async def test_another_process_may_remove_it(self, store: StateStore, target: Target) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as other:
            assert (await other.delete_execution_state(E1)).owners == 1
        assert target.raw_names() == []

    async def test_an_execution_with_the_longest_id_can_be_removed(
        self, store: StateStore, target: Target
    ) -> None:
        longest = "x" * (1024 - len(f"{target.prefix}tenants/acme/snapshots/"))
        await store.save_snapshot(snapshot(longest))
        assert [key async for key in store.tenant(ACME).iter_keys(longest)] == []
        await store.delete_execution_state(longest)
        assert target.raw_names() == []

    async def test_an_execution_that_changed_hands_is_removed_from_its_new_tenant(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as other:
            await other.delete_execution_state(E1)
            await other.save_snapshot(snapshot(tenant_id="other"))
        report = await store.delete_execution_state(E1)
        assert report.owners == 1
        assert target.raw_names() == []

    async def test_a_snapshot_that_changed_hands_is_deleted_from_its_new_tenant(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as other:
            await other.delete_execution_state(E1)
            await other.save_snapshot(snapshot(tenant_id="other"))
        await store.delete_snapshot(E1)
        assert target.raw_names() == ["owners/e1/other"]

    async def test_progress_of_a_removal_is_told(self, store: StateStore, acme: StateStore) -> None:
        for number in range(3):
            await acme.save_snapshot(snapshot(f"e{number}"))
            await acme.set(f"exec:e{number}:k", b"v")
        told: list[DeletionReport] = []
        assert await store.delete_execution_state("e0", progress=told.append) == told[-1]
        assert (told[0].owners, told[-1].owners) == (0, 1)
        told.clear()
        assert await store.delete_tenant(ACME, progress=told.append) == told[-1]
        # The owner records, one request or two each, are what takes long.
        assert told[0].owners == 1
        assert (told[-1].keys, told[-1].owners) == (2, 2)

    async def test_a_tenant_goes_whole_and_alone(self, store: StateStore, target: Target) -> None:
        for tenant in ("a", "ab", "a/b"):
            view = store.tenant(tenant)
            await view.save_snapshot(snapshot(f"{tenant}-1", tenant))
            await view.save_snapshot(snapshot(f"{tenant}-2", tenant))
            await view.set(f"exec:{tenant}-1:k", b"v")
            await view.set("k", b"v")
        await store.set("k", b"v")
        async with target.open() as admin:
            report = await admin.delete_tenant("a")
        assert (report.snapshots, report.keys, report.owners) == (2, 2, 2)
        left = [
            "owners/a~2Fb-1/a~2Fb",
            "owners/a~2Fb-2/a~2Fb",
            "owners/ab-1/ab",
            "owners/ab-2/ab",
            "shared/keys/k",
            "tenants/a~2Fb/executions/a~2Fb-1/k",
            "tenants/a~2Fb/keys/k",
            "tenants/a~2Fb/snapshots/a~2Fb-1",
            "tenants/a~2Fb/snapshots/a~2Fb-2",
            "tenants/ab/executions/ab-1/k",
            "tenants/ab/keys/k",
            "tenants/ab/snapshots/ab-1",
            "tenants/ab/snapshots/ab-2",
        ]
        assert target.raw_names() == sorted(left)
        assert (await store.delete_tenant("a")).keys == 0
        assert sorted([tenant async for tenant in store.iter_tenants()]) == ["a/b", "ab"]

    async def test_a_tenant_with_keys_of_executions_only(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        await store.tenant(ACME).set("exec:e1:k", b"v")
        await store.delete_snapshot(E1)
        report = await store.delete_tenant(ACME)
        assert (report.snapshots, report.keys, report.owners) == (0, 1, 1)
        assert target.raw_names() == []

    @pytest.mark.parametrize("count", [0, 1, 100, 101, 256, 257, 1000, 1001, 2500])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        target.raw_put_many(f"tenants/acme/executions/e1/k{number:05}" for number in range(count))
        target.raw_put("tenants/acme/executions/e2/k", b"v")
        report = await acme.delete_execution_state(E1)
        assert report.keys == count
        assert target.raw_names() == ["tenants/acme/executions/e2/k"]

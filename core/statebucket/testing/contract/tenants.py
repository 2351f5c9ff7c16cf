"""Tenant views, owners, and stores whose tenants are kept apart by IAM."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import ExecutionState, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target


class TenantContract(Contract):
    """``tenant``, owner records, ``owner_index=false``."""

    async def test_a_view_refuses_another_tenant(self, acme: StateStore, target: Target) -> None:
        with pytest.raises(errors.TenantMismatch):
            await acme.save_snapshot(snapshot(tenant_id="other"))
        with pytest.raises(errors.TenantMismatch):
            await acme.list_snapshots("other", 10)
        with pytest.raises(errors.TenantMismatch):
            _ = [id_ async for id_ in acme.iter_snapshots("other")]
        with pytest.raises(errors.TenantMismatch):
            await acme.delete_tenant("other")
        with pytest.raises(errors.TenantMismatch):
            acme.tenant("other")
        assert target.raw_names() == []

    async def test_a_view_is_the_view_of_itself(self, acme: StateStore) -> None:
        await acme.tenant(ACME).set("k", b"v")
        assert await acme.get("k") == b"v"
        assert [tenant async for tenant in acme.iter_tenants()] == [ACME]
        await acme.delete("k")
        assert [tenant async for tenant in acme.iter_tenants()] == []

    async def test_a_view_does_not_see_anothers_execution(
        self, store: StateStore, acme: StateStore
    ) -> None:
        await store.save_snapshot(snapshot())
        other = store.tenant("other")
        assert await other.load_snapshot(E1) is None
        await other.delete_snapshot(E1)
        await other.delete_execution_state(E1)
        assert await acme.load_snapshot(E1) is not None
        assert await store.load_snapshot(E1) is not None

    async def test_two_tenants_may_have_one_execution_id(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        other = store.tenant("other")
        await acme.save_snapshot(snapshot(), ttl=timedelta(days=1))
        await store.save_snapshot(snapshot(tenant_id="other", number=2))
        assert target.raw_names()[:2] == ["owners/e1/acme", "owners/e1/other"]
        for view, number in ((acme, 1), (other, 2)):
            loaded = await view.load_snapshot(E1)
            assert loaded is not None
            assert (loaded.tenant_id, loaded.sequence_number) == (view.tenant_id, number)
        await other.set("exec:e1:k", b"v")
        report = await acme.delete_execution_state(E1)
        assert (report.keys, report.owners) == (0, 1)
        assert await other.get("exec:e1:k") == b"v"
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.tenant_id == "other"

    async def test_without_a_tenant_an_execution_of_several_is_ambiguous(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        other = store.tenant("other")
        await acme.save_snapshot(snapshot())
        await other.save_snapshot(snapshot(tenant_id="other"))
        with pytest.raises(errors.AmbiguousExecution):
            await store.load_snapshot(E1)
        before = target.raw_names()
        async with target.open() as elsewhere:
            for ambiguous in (
                elsewhere.load_snapshot(E1),
                elsewhere.load_stored(E1),
                elsewhere.delete_snapshot(E1),
                elsewhere.delete_execution_state(E1),
                elsewhere.lease(E1, ttl=5).__aenter__(),
            ):
                with pytest.raises(errors.AmbiguousExecution, match=r"'acme' and 'other'.*view"):
                    await ambiguous
            with pytest.raises(errors.AmbiguousExecution, match=r"execution\(…\)\.delete_keys\(\)"):
                await elsewhere.execution(E1).delete()
            assert target.raw_names() == before
            await other.delete_execution_state(E1)
            assert await elsewhere.load_snapshot(E1) == await acme.load_snapshot(E1)

    async def test_what_was_seen_of_an_executions_tenants_is_relied_on_for_a_minute(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as elsewhere:
            await elsewhere.save_snapshot(snapshot(tenant_id="other"))
        assert await store.load_snapshot(E1) is not None
        clock.advance(61)
        with pytest.raises(errors.AmbiguousExecution):
            await store.load_snapshot(E1)

    async def test_a_removal_relies_on_nothing_that_was_seen_before(self, target: Target) -> None:
        removals: dict[str, Callable[[StateStore], Awaitable[object]]] = {
            "e1": lambda store: store.delete_execution_state("e1"),
            "e2": lambda store: store.execution("e2").delete(),
            "e3": lambda store: store.delete_snapshot("e3"),
        }
        async with target.open() as one, target.open() as elsewhere:
            for execution_id, remove in removals.items():
                await one.save_snapshot(snapshot(execution_id))
                await elsewhere.save_snapshot(snapshot(execution_id, "other"))
                before = target.raw_names()
                assert await one.load_snapshot(execution_id) is not None  # a load may rely on it
                with pytest.raises(errors.AmbiguousExecution):
                    await remove(one)
                assert target.raw_names() == before

    async def test_an_ambiguous_execution_is_told_apart_by_what_the_message_says(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await acme.save_snapshot(snapshot())
        await store.save_snapshot(snapshot(tenant_id="other"))
        await acme.delete_snapshot(E1)  # whose owner record stays
        with pytest.raises(errors.AmbiguousExecution, match=r"delete_execution_state.*sweep\(\)"):
            await store.delete_execution_state(E1)
        await acme.delete_execution_state(E1)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.tenant_id == "other"
        await store.delete_execution_state(E1)
        assert target.raw_names() == []

    async def test_a_freed_execution_can_change_hands(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as elsewhere:
            await elsewhere.delete_execution_state(E1)
            await elsewhere.save_snapshot(snapshot(tenant_id="other", number=7))
        # What this process has seen is out of date, and it finds out.
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.tenant_id == "other"
        clock.advance(61)
        await store.save_snapshot(snapshot())
        assert target.raw_names()[:2] == ["owners/e1/acme", "owners/e1/other"]

    async def test_a_removal_through_the_store_takes_one_tenants_state_at_most(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as elsewhere:
            acme, other = elsewhere.tenant(ACME), elsewhere.tenant("other")
            await acme.delete_execution_state(E1)
            await acme.set("exec:e1:k", b"v")
            await other.save_snapshot(snapshot(tenant_id="other"))
            await other.set("exec:e1:k", b"v")
        report = await store.delete_execution_state(E1)
        assert report.keys == 1
        # The key that no owner record leads to is found by its tenant's view.
        assert target.raw_names() == ["tenants/acme/executions/e1/k"]

    async def test_a_lost_owner_record_is_written_again(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as elsewhere:
            await elsewhere.delete_execution_state(E1)
        await store.save_snapshot(snapshot(number=2))  # relies on what it saw a moment ago
        assert target.raw_names() == ["tenants/acme/snapshots/e1"]
        assert await store.tenant(ACME).load_snapshot(E1) is not None
        clock.advance(61)
        await store.save_snapshot(snapshot(number=3))
        assert target.raw_names() == ["owners/e1/acme", "tenants/acme/snapshots/e1"]

    async def test_without_an_owner_index_only_tenants_are_touched(self, target: Target) -> None:
        async with target.open(owner_index=False) as store:
            acme = store.tenant(ACME)
            await acme.save_snapshot(snapshot())
            await acme.set("exec:e1:k", b"v")
            await store.save_snapshot(snapshot("e2", "other"))
            names = target.raw_names()
            assert len(names) == 3
            assert all(name.startswith("tenants/") for name in names)
            assert await acme.load_snapshot(E1) is not None
            assert await store.list_snapshots(ACME, 10) == [E1]
            assert [tenant async for tenant in store.iter_tenants()] == [ACME, "other"]
            await store.health_check()
            report = await acme.delete_execution_state(E1)
            assert (report.keys, report.owners) == (1, 0)
            await store.delete_tenant("other")
            assert target.raw_names() == []

    async def test_without_an_owner_index_the_rest_is_refused(self, target: Target) -> None:
        async with target.open(owner_index=False) as store:
            for refused in (
                store.load_snapshot(E1),
                store.load_stored(E1),
                store.delete_snapshot(E1),
                store.delete_execution_state(E1),
                store.set("k", b"v"),
                store.get("k"),
                store.delete("k"),
                store.exists("k"),
                store.update("k", lambda _: b"v"),
                store.update_snapshot(E1, lambda _: None),
            ):
                with pytest.raises(errors.UnsupportedOperation, match="owner_index"):
                    await refused
            with pytest.raises(errors.UnsupportedOperation):
                _ = [key async for key in store.iter_keys()]

    async def test_a_view_knows_its_tenant_and_builds_its_snapshots(
        self, store: StateStore, target: Target
    ) -> None:
        acme = store.tenant(ACME)
        assert (store.tenant_id, acme.tenant_id) == (None, ACME)
        assert acme.with_deadline(5).tenant_id == ACME
        target.requests()
        built = acme.snapshot(E1, state=ExecutionState.RUNNING, variables={"a": 1})
        assert (built.tenant_id, built.execution_id) == (ACME, E1)
        assert (built.state, built.variables) == (ExecutionState.RUNNING, {"a": 1})
        assert acme.snapshot(E1, tenant_id=ACME).sequence_number == 0
        with pytest.raises(errors.TenantMismatch):
            acme.snapshot(E1, tenant_id="other")
        with pytest.raises(errors.InvalidSnapshot, match="stat"):
            acme.snapshot(E1, stat=ExecutionState.RUNNING)
        with pytest.raises(errors.InvalidSnapshot, match="execution_id"):
            acme.snapshot("")
        with pytest.raises(errors.UnsupportedOperation, match="tenant"):
            store.snapshot(E1)
        assert not target.requests()
        await acme.save_snapshot(built)
        assert await acme.load_snapshot(E1) == built

    async def test_a_tenants_view_can_be_opened(self, store: StateStore, target: Target) -> None:
        async with target.open(tenant=ACME) as acme:
            assert acme.tenant_id == ACME
            await acme.set("k", b"v")
            with pytest.raises(errors.TenantMismatch):
                acme.tenant("other")
        assert await store.tenant(ACME).get("k") == b"v"
        assert await store.get("k") is None
        for tenant in ("", "\ud800", "x" * 1100):
            with pytest.raises(errors.InvalidKey):
                target.open(tenant=tenant)

    async def test_a_deadline_can_be_chosen_for_some_calls(self, store: StateStore) -> None:
        for deadline in (5, 5.0, timedelta(seconds=5)):
            quick = store.tenant(ACME).with_deadline(deadline)
            await quick.set("k", b"v")
            assert await store.tenant(ACME).get("k") == b"v"
        for seconds in (0, -1, float("nan"), float("inf"), True, "5", None, timedelta(0), 86_401):
            with pytest.raises(errors.InvalidArgument):
                store.with_deadline(seconds)  # type: ignore[arg-type]  # that is the point

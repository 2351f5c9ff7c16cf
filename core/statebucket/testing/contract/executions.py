"""A store bound to one execution."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import ExecutionState, Version, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.contract.reports import DeletionReport
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

THREAD = "thread:7:main"
"""An id as frameworks make them."""


class ExecutionContract(Contract):
    """``execution``."""

    async def test_keys_of_an_execution_are_written_as_they_are(
        self, acme: StateStore, target: Target
    ) -> None:
        execution = acme.execution(E1)
        assert (execution.execution_id, execution.tenant_id) == (E1, ACME)
        version = await execution.set("a", b"1")
        assert await acme.get("exec:e1:a") == b"1"
        await acme.set("exec:e1:b/c", b"2")
        assert await execution.get("b/c") == b"2"
        stored = await execution.get_stored("a")
        assert stored is not None
        assert (stored.value, stored.version) == (b"1", version)
        assert await execution.exists("a")
        assert not await execution.exists("exec:e1:a")  # a key like any other here
        with pytest.raises(errors.VersionConflict):
            await execution.set("a", b"2", if_version=Version.ABSENT)
        assert await execution.update("a", lambda old: (old or b"") + b"!") == b"1!"
        assert target.raw_names() == [
            "tenants/acme/executions/e1/a",
            "tenants/acme/executions/e1/b~2Fc",
        ]
        assert await execution.delete("a") in {True, None}
        assert not await execution.exists("a")
        assert await execution.exists("b/c")

    async def test_json_of_an_execution(self, acme: StateStore, clock: Clock) -> None:
        execution = acme.execution(E1)
        await execution.set_json("n", {"a": 1}, timedelta(minutes=1))
        assert await execution.get_json("n") == {"a": 1}
        assert await execution.get_json("n", dict[str, int]) == {"a": 1}
        stored = await execution.get_json_stored("n")
        assert stored is not None
        assert stored.value == {"a": 1}
        assert await execution.update_json("n", lambda old: {"a": old["a"] + 1}) == {"a": 2}
        clock.advance(61)
        assert await execution.get_json("n") is None

    async def test_the_snapshot_of_an_execution(self, acme: StateStore, store: StateStore) -> None:
        execution = acme.execution(E1)
        assert await execution.load() is None
        built = execution.snapshot(state=ExecutionState.RUNNING, variables={"a": 1})
        assert (built.execution_id, built.tenant_id) == (E1, ACME)
        version = await execution.save(built, if_version=Version.ABSENT)
        assert await execution.load() == built == await acme.load_snapshot(E1)
        assert await store.execution(E1).load() == built
        stored = await execution.load_stored()
        assert stored is not None
        assert stored.version == version
        changed = await execution.update_snapshot(lambda old: old and old.advance(variables={}))
        assert changed == await execution.load()
        await execution.set("k", b"v")
        assert await execution.delete_snapshot() in {True, None}
        assert await execution.load() is None
        assert await execution.get("k") == b"v"
        for other in (snapshot("e2"), snapshot(tenant_id="other")):
            with pytest.raises((errors.InvalidSnapshot, errors.TenantMismatch)):
                await execution.save(other)
        with pytest.raises(errors.InvalidSnapshot):
            await execution.save(b"{}")  # type: ignore[arg-type]  # that is the point
        with pytest.raises(errors.UnsupportedOperation):
            store.execution(E1).snapshot()

    async def test_the_keys_of_an_execution_are_listed_as_they_are(self, acme: StateStore) -> None:
        execution = acme.execution(E1)
        for key in ("a", "a/b", "b", "exec:e1:a"):
            await execution.set(key, b"v")
        await acme.execution("e10").set("a", b"v")
        await acme.set("a", b"v")
        assert [key async for key in execution.iter_keys()] == ["a", "a/b", "b", "exec:e1:a"]
        assert [key async for key in execution.iter_keys(prefix="a")] == ["a", "a/b"]
        assert [key async for key in execution.iter_keys(after="a", limit=2)] == ["a/b", "b"]
        found = [entry async for entry in execution.scan_keys(prefix="b")]
        assert [entry.key for entry in found] == ["b"]
        report = await execution.delete_many(["a", "b"])
        assert report.keys + report.unreported == 2
        assert (await execution.delete_many([])).keys == 0
        assert [key async for key in execution.iter_keys()] == ["a/b", "exec:e1:a"]

    async def test_delete_with_a_key_deletes_it_and_without_one_the_execution(
        self, acme: StateStore, target: Target
    ) -> None:
        execution = acme.execution(E1)
        await execution.save(execution.snapshot())
        version = await execution.set("a", b"1")
        await execution.set("b", b"2")
        await acme.execution("e10").set("a", b"v")
        before = target.raw_names()
        for key in ("", None, 3, b"a"):
            with pytest.raises(errors.InvalidKey):
                await execution.delete(key)  # type: ignore[arg-type]  # that is the point
        forgotten: Any = execution.delete
        for options in ({"if_version": version}, {"want_current": True}):
            with pytest.raises(errors.InvalidArgument, match="without a key"):
                await forgotten(**options)
        with pytest.raises(errors.InvalidArgument, match="progress"):
            await forgotten("a", progress=print)
        assert target.raw_names() == before
        await execution.set("a", b"3")
        with pytest.raises(errors.VersionConflict):
            await execution.delete("a", if_version=version)
        assert await execution.delete("a") in {True, None}
        assert await execution.load() is not None
        told: list[DeletionReport] = []
        report = await execution.delete(progress=told.append)
        assert (report.keys, report.owners) == (1, 1)
        assert told[-1] == report
        assert target.raw_names() == ["tenants/acme/executions/e10/a"]

    async def test_an_id_may_hold_a_colon(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        execution = acme.execution(THREAD)
        taken = execution.snapshot(variables={"n": 1})
        await execution.save(taken)
        await acme.save_snapshot(taken.advance(variables={"n": 2}))  # by its snapshot
        await execution.set("main", b"1")
        await acme.set(f"exec:{THREAD}:main", b"2")  # the key "7:main:main" of execution "thread"
        assert await execution.get("main") == b"1"
        assert await acme.execution("thread").get("7:main:main") == b"2"
        assert [key async for key in execution.iter_keys()] == ["main"]
        assert await acme.list_snapshots() == [THREAD]
        assert [id_ async for id_ in acme.iter_executions()] == ["thread", THREAD]
        async with target.open() as elsewhere:
            loaded = await elsewhere.execution(THREAD).load()
        assert loaded is not None
        assert loaded.variables == {"n": 2}
        async with execution.lease(ttl=60) as lease:
            await execution.save(taken, lease=lease)
        async with execution.writer() as writer:
            writer.save(taken)
        # Its keys alone have no text form of their own: exec:thread:7:main:main is another's.
        for listing in ("iter_keys", "scan_keys"):
            with pytest.raises(errors.InvalidKey, match=rf"execution\(…\)\.{listing}\("):
                await anext(aiter(getattr(acme, listing)(THREAD)))
        assert (await execution.delete()).keys == 1
        assert await acme.execution("thread").get("7:main:main") == b"2"
        await acme.execution("thread").delete()
        await store.delete_tenant(ACME)  # the lease
        assert target.raw_names() == []

    async def test_calls_that_name_an_execution_take_an_id_with_a_colon(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        id_ = "urn:flows:eu-west-1:1:execution:import:1"
        for view in (acme, store):
            await acme.save_snapshot(snapshot(id_))
            await view.execution(id_).set("k", b"v")
            stored = await view.load_stored(id_)
            assert stored is not None
            assert await view.load_snapshot(id_) == stored.value
            assert await view.update_snapshot(id_, lambda old: old and old.advance()) is not None
            async with view.lease(id_, ttl=60):
                pass
            async with view.writer(id_) as writer:
                writer.save(snapshot(id_, number=2))
            assert await view.delete_snapshot(id_) in {True, None}
            await acme.save_snapshot(snapshot(id_))
            assert (await view.delete_execution_state(id_)).keys == 1
        await store.delete_tenant(ACME)  # the lease
        assert target.raw_names() == []

    async def test_what_belongs_to_no_tenant_is_reached_without_one(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await acme.execution(E1).save(snapshot())
        shared = store.execution(E1)
        assert shared.tenant_id is None
        await shared.set("k", b"1")
        assert await store.get("exec:e1:k") == b"1"
        assert await acme.execution(E1).get("k") is None
        assert await shared.load() == snapshot(timestamp=(await acme.load_snapshot(E1)).timestamp)  # type: ignore[union-attr]
        async with target.open(owner_index=False) as apart:
            with pytest.raises(errors.UnsupportedOperation, match="owner_index"):
                await apart.execution(E1).get("k")
        assert (await shared.delete()).keys == 1
        assert target.raw_names() == []

    async def test_keys_of_an_execution_go_without_its_snapshot(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await acme.execution(THREAD).save(snapshot(THREAD))
        for view in (store, acme):
            for key in ("a", "b/c"):
                await view.execution(THREAD).set(key, b"v")
            await view.execution("thread").set("7:main:a", b"v")
        seen: list[DeletionReport] = []
        target.requests()
        report = await acme.execution(THREAD).delete_keys(progress=seen.append)
        if requests := target.requests():
            assert requests <= 1 + 2  # one list, and one batch, or one deletion a key
        assert (report.snapshots, report.keys, report.owners) == (0, 2, 0)
        assert seen[-1] == report
        assert await acme.execution(THREAD).load() is not None
        assert [key async for key in store.execution(THREAD).iter_keys()] == ["a", "b/c"]
        assert (await acme.execution(THREAD).delete_keys()).keys == 0
        async with target.open(owner_index=False) as apart:
            with pytest.raises(errors.UnsupportedOperation, match="owner_index"):
                await apart.execution(THREAD).delete_keys()
        # Those that no tenant owns go without asking whose the execution is: here two have it.
        await store.save_snapshot(snapshot(THREAD, "other"))
        async with target.open() as elsewhere:
            assert (await elsewhere.execution(THREAD).delete_keys()).keys == 2
        assert target.raw_names() == [
            "owners/thread~3A7~3Amain/acme",
            "owners/thread~3A7~3Amain/other",
            "shared/executions/thread/7~3Amain~3Aa",
            "tenants/acme/executions/thread/7~3Amain~3Aa",
            "tenants/acme/snapshots/thread~3A7~3Amain",
            "tenants/other/snapshots/thread~3A7~3Amain",
        ]

    async def test_an_execution_that_cannot_be_named_is_refused(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        bad: list[Any] = ["", "\ud800", None, 3, b"e", "x" * 1100]
        for view in (store, acme):
            for execution_id in bad:
                with pytest.raises(errors.InvalidKey):
                    await view.execution(execution_id).load()
        with pytest.raises(errors.InvalidKey):
            await acme.execution(E1).set("k" * 1100, b"v")
        assert target.raw_names() == []

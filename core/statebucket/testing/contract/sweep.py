"""``sweep``."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import SweepReport, Version, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

MINUTE = timedelta(minutes=1)


class SweepContract(Contract):
    """Removal of expired objects now."""

    async def test_expired_objects_go_and_no_others(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.set("gone", b"12345", MINUTE)
        await store.set("kept", b"v", 5 * MINUTE)
        await store.set("ever", b"v")
        await acme.set("exec:e1:gone", b"v", MINUTE)
        await acme.save_snapshot(snapshot(), ttl=5 * MINUTE)
        await acme.save_snapshot(snapshot("e2"), ttl=MINUTE)
        clock.advance(2 * MINUTE)
        report = await store.sweep()
        assert (report.expired, report.removed, report.raced) == (3, 3, 0)
        assert report.scanned >= 8
        assert report.bytes >= 5
        assert target.raw_names() == [
            "owners/e1/acme",
            "shared/keys/ever",
            "shared/keys/kept",
            "tenants/acme/snapshots/e1",
        ]
        assert report.owners == 1
        again = await store.sweep()
        assert (again.expired, again.removed, again.owners, again.repaired) == (0, 0, 0, 0)

    async def test_a_margin_is_left_for_clocks_that_differ(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.set("k", b"v", MINUTE)
        clock.advance(MINUTE + timedelta(seconds=59))
        assert (await store.sweep()).removed == 0
        assert (await store.sweep(margin=2 * MINUTE)).removed == 0
        clock.advance(1)
        assert (await store.sweep(dry_run=True)).removed == 1
        assert target.raw_names() == ["shared/keys/k"]
        assert (await store.sweep()).removed == 1
        assert target.raw_names() == []
        await store.set("k", b"v", MINUTE)
        clock.advance(MINUTE)
        assert (await store.sweep(margin=timedelta(0))).removed == 1

    async def test_one_tenant_alone_can_be_swept(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        await acme.set("k", b"v", MINUTE)
        await store.tenant("other").set("k", b"v", MINUTE)
        await store.set("k", b"v", MINUTE)
        clock.advance(2 * MINUTE)
        assert (await store.sweep(tenant=ACME)).removed == 1
        assert target.raw_names() == ["shared/keys/k", "tenants/other/keys/k"]
        assert (await store.tenant("other").sweep()).removed == 1
        with pytest.raises(errors.TenantMismatch):
            await acme.sweep(tenant="other")

    async def test_the_same_value_set_again_is_not_removed(
        self, store: StateStore, clock: Clock, target: Target
    ) -> None:
        await store.set("k", b"same", MINUTE)
        clock.advance(2 * MINUTE)
        await store.set("k", b"same", MINUTE)
        assert (await store.sweep()).removed == 0
        assert await store.get("k") == b"same"
        assert target.raw_names() == ["shared/keys/k"]

    async def test_what_is_corrupt_does_not_stop_it(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        target.raw_put("owners/x/acme", b"junk")
        target.raw_put("tenants/acme/snapshots/y", b"{}", {"expiresat": "zz"})
        await store.set("k", b"v", MINUTE)
        clock.advance(2 * MINUTE)
        report = await store.sweep()
        assert report.removed == 1
        assert report.corrupt >= 1
        assert target.raw_names() == ["owners/x/acme", "tenants/acme/snapshots/y"]

    async def test_progress_is_told(self, store: StateStore, clock: Clock) -> None:
        for number in range(3):
            await store.set(f"k{number}", b"v", MINUTE)
        clock.advance(2 * MINUTE)
        told: list[SweepReport] = []
        report = await store.sweep(progress=told.append)
        assert told[-1] == report
        assert report.removed == 3

    async def test_a_lost_owner_record_is_written_again(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as elsewhere:
            await elsewhere.delete_execution_state(E1)
        await store.save_snapshot(snapshot(number=2), ttl=timedelta(days=3))
        assert target.raw_names() == ["tenants/acme/snapshots/e1"]
        assert (await store.sweep(dry_run=True)).repaired == 1
        assert (await store.sweep()).repaired == 1
        assert target.raw_names() == ["owners/e1/acme", "tenants/acme/snapshots/e1"]
        clock.advance(timedelta(days=3) - timedelta(seconds=1))
        async with target.open() as reader:
            assert await reader.load_snapshot(E1) is not None

    async def test_an_owner_record_stays_while_there_are_keys(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        await acme.save_snapshot(snapshot())
        await acme.set("exec:e1:k", b"v")
        await acme.delete_snapshot(E1)
        clock.advance(2 * MINUTE)
        assert (await store.sweep()).owners == 0
        await acme.delete("exec:e1:k")
        assert (await store.sweep()).owners == 1
        assert target.raw_names() == []

    async def test_an_owner_record_of_a_moment_ago_stays(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        await store.delete_snapshot(E1)
        clock.advance(30)
        assert (await store.sweep()).owners == 0
        clock.advance(30)
        assert (await store.sweep()).owners == 1
        assert target.raw_names() == []

    async def test_without_an_owner_index(self, target: Target, clock: Clock) -> None:
        async with target.open(owner_index=False) as store:
            await store.tenant(ACME).set("k", b"v", MINUTE)
            await store.tenant(ACME).save_snapshot(snapshot(), if_version=Version.ABSENT)
            clock.advance(2 * MINUTE)
            report = await store.sweep()
            assert (report.removed, report.repaired) == (1, 0)
            assert target.raw_names() == ["tenants/acme/snapshots/e1"]

    async def test_a_margin_may_be_seconds(self, store: StateStore, clock: Clock) -> None:
        await store.set("k", b"v", MINUTE)
        clock.advance(MINUTE + timedelta(seconds=1))
        assert (await store.sweep(margin=1.001)).removed == 0
        assert (await store.sweep(margin=1)).removed == 1
        assert (await store.sweep(margin=0)).removed == 0

    @pytest.mark.parametrize(
        "margin", [timedelta(seconds=-1), -1, math.nan, math.inf, True, "60", None]
    )
    async def test_a_margin_is_not_negative(self, store: StateStore, margin: object) -> None:
        with pytest.raises(errors.InvalidArgument, match="margin"):
            await store.sweep(margin=margin)  # type: ignore[arg-type]  # that is the point

    async def test_executions_without_a_snapshot_are_counted_and_stay(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        await acme.set("exec:e1:a", b"v")
        await acme.set("exec:e1:b", b"v")
        await acme.save_snapshot(snapshot("e2"))
        await acme.set("exec:e2:k", b"v")
        await acme.set("exec:gone:k", b"v", MINUTE)
        await acme.set("other", b"v")
        clock.advance(60 * MINUTE)
        before = target.raw_names()
        report = await store.sweep()
        assert (report.orphans, report.orphan_keys, report.removed) == (1, 0, 1)
        assert target.raw_names() == [name for name in before if "/gone/" not in name]

    async def test_orphans_go_if_asked_for(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        other = store.tenant("other")
        for view in (acme, other):
            await view.set("exec:e1:a", b"12345")
            await view.set("exec:e1:b", b"v")
        await other.save_snapshot(snapshot("e1", "other"))  # the same id, and another execution
        await acme.save_snapshot(snapshot("e2"), ttl=MINUTE)
        await acme.set("exec:e2:k", b"v")
        await acme.set("exec", b"v")
        async with acme.lease(E1, ttl=60 * MINUTE):
            pass
        assert (await store.sweep(orphans=True)).orphan_keys == 0  # they were written just now
        clock.advance(60 * MINUTE)
        expected = await store.sweep(orphans=True, dry_run=True)
        report = await store.sweep(orphans=True)
        for one in (expected, report):
            assert (one.orphans, one.orphan_keys, one.removed) == (2, 3, 1)
            assert one.bytes >= 5
        assert target.raw_names() == [
            "owners/e1/other",
            "tenants/acme/keys/exec",
            "tenants/acme/leases/e1",
            "tenants/other/executions/e1/a",
            "tenants/other/executions/e1/b",
            "tenants/other/snapshots/e1",
        ]
        assert (await store.sweep(orphans=True)).orphans == 0

    async def test_an_execution_that_is_kept_is_no_orphan(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        for view in (store, acme):
            await view.execution("e1").set("a", b"v")
            await view.execution("e1", keep=True).set("b", b"v")
            await view.execution("e1").set("c", b"v")
            await view.execution("a:b", keep=True).update_json("k", lambda _: 1)
            await view.execution("a:b").update_json("k", lambda n: n + 1)  # it stays kept
            await view.execution("gone", keep=True).set("k", b"v", MINUTE)
            await view.execution("other").set("k", b"v")
        clock.advance(60 * MINUTE)
        kept = [name for name in target.raw_names() if "/e1/" in name or "/a~3Ab/" in name]
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys, report.removed) == (2, 2, 2)
        assert target.raw_names() == kept
        for execution_id in ("e1", "a:b"):
            await store.execution(execution_id).delete()  # whoever wants to remove it can
            await acme.execution(execution_id).delete()
        assert target.raw_names() == []

    async def test_keys_set_without_a_tenant_are_orphans_of_no_tenants_snapshot(
        self, store: StateStore, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        await acme.save_snapshot(snapshot())
        await store.set("exec:e1:k", b"v")
        await store.set("exec:e2:k", b"v")
        clock.advance(60 * MINUTE)
        assert (await acme.sweep(orphans=True)).orphans == 0
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys) == (1, 1)
        assert "shared/executions/e1/k" in target.raw_names()
        await acme.delete_snapshot(E1)
        report = await store.sweep(orphans=True)
        assert (report.orphans, report.orphan_keys, report.owners) == (1, 1, 1)
        assert target.raw_names() == []

    async def test_more_orphans_than_a_page(
        self, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        keys = [f"tenants/acme/executions/e1/k{number:04}" for number in range(1003)]
        target.raw_put_many([*keys, "tenants/acme/executions/e1-2/k"])
        clock.advance(60 * MINUTE)
        assert (await acme.sweep()).orphans == 2

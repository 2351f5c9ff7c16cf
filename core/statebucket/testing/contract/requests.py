"""How many requests each call sends, counted on the wire."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statebucket import StateStore, Version, errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

MANY = 1060  # more than a page


class RequestCountContract(Contract):
    """Requests per call, for a target whose ``requests`` counts.

    A service that deletes objects one by one overrides `batch`.
    """

    def batch(self, objects: int) -> int:
        """How many requests the removal of this many objects takes."""
        return 1 if objects else 0

    async def test_one_request_for_each_plain_call(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await acme.save_snapshot(snapshot())
        versions: dict[str, Version] = {}

        async def create() -> None:
            versions["new"] = await store.set("new", b"v", if_version=Version.ABSENT)

        calls = {
            "save": lambda: acme.save_snapshot(snapshot(number=2)),
            "save with a TTL": lambda: acme.save_snapshot(snapshot(), ttl=timedelta(days=3)),
            "load in a view": lambda: acme.load_snapshot(E1),
            "load, owner known": lambda: store.load_snapshot(E1),
            "set": lambda: store.set("k", b"v"),
            "set again": lambda: store.set("k", b"v"),
            "create": create,
            "get": lambda: store.get("k"),
            "get_stored": lambda: store.get_stored("k"),
            "get what is missing": lambda: store.get("missing"),
            "set_json": lambda: store.set_json("j", [1]),
            "get_json": lambda: store.get_json("j"),
            "get_json_stored": lambda: store.get_json_stored("j"),
            "exists": lambda: store.exists("k"),
            "does not exist": lambda: store.exists("missing"),
            "delete a version": lambda: store.delete("new", if_version=versions["new"]),
            "delete": lambda: store.delete("k"),
            "delete what is missing": lambda: store.delete("k"),
            "list_snapshots": lambda: store.list_snapshots(ACME, 1000),
            "delete_snapshot": lambda: acme.delete_snapshot(E1),
            "health_check": store.health_check,
        }
        target.requests()
        counts = {}
        for name, call in calls.items():
            await call()
            counts[name] = target.requests()
        assert counts == dict.fromkeys(calls, 1)

    async def test_a_first_save(self, target: Target) -> None:
        async with target.open() as first:
            target.requests()
            await first.save_snapshot(snapshot())
            assert target.requests() == 2
            await first.save_snapshot(snapshot(number=2))
            assert target.requests() == 1
        async with target.open() as second:
            await second.save_snapshot(snapshot(number=3))
            assert target.requests() == 2
        async with target.open() as third:
            await third.tenant(ACME).load_snapshot(E1)
            await third.save_snapshot(snapshot(number=4))
            assert target.requests() == 2
        async with target.open(owner_index=False) as plain:
            await plain.tenant(ACME).save_snapshot(snapshot("e2"))
            assert target.requests() == 1

    async def test_a_save_when_the_owner_was_last_seen_a_minute_ago(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await store.save_snapshot(snapshot())
        clock.advance(60)
        target.requests()
        await store.save_snapshot(snapshot())
        assert target.requests() == 1
        clock.advance(1)
        await store.save_snapshot(snapshot())
        assert target.requests() == 2
        await store.save_snapshot(snapshot())
        assert target.requests() == 1

    async def test_a_load_without_a_tenant(self, store: StateStore, target: Target) -> None:
        await store.save_snapshot(snapshot())
        async with target.open() as other:
            target.requests()
            await other.load_snapshot(E1)
            assert target.requests() == 2
            await other.load_snapshot(E1)
            assert target.requests() == 1

    async def test_a_conditional_write_that_loses(self, store: StateStore, target: Target) -> None:
        version = await store.set("k", b"1")
        await store.set("k", b"2")
        target.requests()
        for condition in (Version.ABSENT, version):
            with pytest.raises(errors.VersionConflict):
                await store.set("k", b"3", if_version=condition)
            assert target.requests() == 2
            with pytest.raises(errors.VersionConflict):
                await store.set("k", b"3", if_version=condition, want_current=True)
            assert target.requests() == 2
        for want_current in (False, True):
            with pytest.raises(errors.VersionConflict):
                await store.delete("k", if_version=version, want_current=want_current)
            assert target.requests() == 2

    async def test_only_newer(self, acme: StateStore, target: Target) -> None:
        await acme.save_snapshot(snapshot())
        async with target.open() as other:
            await other.tenant(ACME).load_snapshot(E1)
            target.requests()
            await other.save_snapshot(snapshot(number=2), only_newer=True)
            assert target.requests() == 1
        async with target.open(owner_index=False) as unknown:
            await unknown.tenant(ACME).save_snapshot(snapshot(number=3), only_newer=True)
            assert target.requests() == 2

    async def test_removing_an_execution(self, acme: StateStore, target: Target) -> None:
        await acme.save_snapshot(snapshot())
        target.raw_put_many(f"tenants/acme/executions/e1/k{number}" for number in range(20))
        target.requests()
        await acme.delete_execution_state(E1)
        assert target.requests() == 1 + self.batch(21) + 1
        # Not known: one more to look the owner up, and nothing to remove there.
        async with target.open() as other:
            await other.tenant(ACME).delete_execution_state(E1)
            assert target.requests() == 1 + self.batch(1) + 1

    async def test_an_update(self, store: StateStore, acme: StateStore, target: Target) -> None:
        await acme.save_snapshot(snapshot())
        target.requests()
        for _ in range(2):
            await acme.update_json("n", lambda n: (n or 0) + 1)
            assert target.requests() == 2
        await acme.update("n", lambda _: None)
        assert target.requests() == 1
        await acme.update_snapshot(E1, lambda current: current and current.advance())
        assert target.requests() == 2
        await store.update_snapshot(E1, lambda current: current and current.advance())
        assert target.requests() == 3
        await acme.update_snapshot("new", lambda _: snapshot("new"))
        assert target.requests() == 3

    async def test_an_update_that_loses(self, acme: StateStore, target: Target) -> None:
        # The function, which is called between the load and the write, has the value changed.
        # What won comes with the look into the lost race, so that it is not read again.
        await acme.set("n", b"1")
        raw = target.raw_get("tenants/acme/keys/n")
        assert raw is not None
        seen: list[bytes | None] = []

        def change(value: bytes | None) -> bytes:
            seen.append(value)
            if len(seen) == 1:
                target.raw_put("tenants/acme/keys/n", b"5" + raw.body[1:], raw.metadata)
            return b"done"

        target.requests()
        assert await acme.update("n", change) == b"done"
        assert seen == [b"1", b"5"]
        assert target.requests() == 4

    async def test_keeping_an_execution(self, acme: StateStore, target: Target) -> None:
        kept = acme.execution(E1, keep=True)
        target.requests()
        await kept.set("k", b"v")
        assert target.requests() == 1
        await kept.update("k", lambda _: b"w")
        assert target.requests() == 2

    async def test_getting_many_keys(self, acme: StateStore, target: Target) -> None:
        target.requests()
        await acme.get_many(["a", "b", "c", "a"])
        assert target.requests() == 3
        await acme.execution(E1).get_many_stored(["a", "b"])
        assert target.requests() == 2

    async def test_deleting_many_keys(self, acme: StateStore, target: Target) -> None:
        target.raw_put_many(f"tenants/acme/keys/k{number}" for number in range(20))
        target.requests()
        await acme.delete_many([f"k{number}" for number in range(20)])
        assert target.requests() == self.batch(20)

    async def test_removing_an_execution_through_the_store(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        await store.set("exec:e1:k", b"v")
        await store.tenant(ACME).set("exec:e1:k", b"v")
        target.requests()
        await store.delete_execution_state(E1)
        assert target.requests() == 1 + 2 + self.batch(3) + 1
        await store.save_snapshot(snapshot())
        target.requests()
        async with target.open() as other:  # knows no owner, and so looks it up
            await other.delete_execution_state(E1)
            assert target.requests() == 1 + 2 + self.batch(1) + 1

    async def test_listing_tenants(self, store: StateStore, target: Target) -> None:
        target.raw_put_many(f"tenants/t{number:04}/keys/k" for number in range(MANY))
        target.requests()
        assert len([tenant async for tenant in store.iter_tenants()]) == MANY
        assert target.requests() == 2

    async def test_a_scan(self, acme: StateStore, target: Target) -> None:
        for number in range(3):
            await acme.set(f"k{number}.", b"v")
        await acme.save_snapshot(snapshot())
        target.requests()
        assert len([entry async for entry in acme.scan_keys()]) == 3
        assert target.requests() == 1
        assert [entry.key async for entry in acme.scan_keys(after="k0.", limit=1)] == ["k1."]
        assert target.requests() == 1
        assert [entry.key async for entry in acme.scan_keys(prefix="k2.", after="k1.")] == ["k2."]
        assert target.requests() == 2  # as for each prefix that ends in a full stop
        assert [entry.id async for entry in acme.scan_snapshots(prefix="e")] == [E1]
        assert target.requests() == 1
        assert [id_ async for id_ in acme.iter_executions()] == [E1]
        assert target.requests() == 2

    async def test_a_listing_begins_behind_a_page(self, acme: StateStore, target: Target) -> None:
        target.raw_put_many(f"tenants/acme/keys/k{number:04}" for number in range(MANY))
        target.requests()
        assert len([key async for key in acme.iter_keys(after="k0999")]) == MANY - 1000
        assert target.requests() == 1

    async def test_a_page_of_executions_begins_behind_another(
        self, acme: StateStore, target: Target
    ) -> None:
        folder = "tenants/acme/executions"
        target.raw_put_many(f"{folder}/run-{number:04}/k" for number in range(MANY))
        target.requests()
        page = [one async for one in acme.iter_executions(after="run-1001", limit=50)]
        assert (page[0], len(page)) == ("run-1002", 50)
        assert target.requests() == 3  # keys, snapshots, and whether "run" has one, which is behind

    async def test_a_live_listing(self, store: StateStore, target: Target) -> None:
        for number in range(3):
            await store.save_snapshot(snapshot(f"e{number}"))
        target.requests()
        assert len([id_ async for id_ in store.iter_snapshots(ACME, live=True)]) == 3
        assert target.requests() == (1 if target.lists_metadata else 4)

"""``partitions``, and what works on the parts: ``sweep``, ``delete_tenant`` and inventories."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from statebucket import Partition
from statebucket.admin import inventory
from statebucket.testing.contract.base import ACME, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

EU = "acme-é:1"
IDS = ("a", "a-b", "a.b", "a:b", "aé", "b")
"""Ids whose names come in another order than they do, as ``a-b/k`` before ``a/k``."""

EXPIRING = {"a-b", "a:b"}
FOREIGN = ("tenants/acme/report.csv", "tenants/acme/executions/a/k/report.csv")
HOUR = timedelta(hours=1)


class PartitionContract(Contract):
    """The parts of a store hold everything once; a call on each does what one on the whole does."""

    async def test_parts_follow_each_other_and_leave_nothing_out(
        self, store: StateStore, target: Target
    ) -> None:
        assert [(part.start, part.end) for part in await store.partitions(3)] == [(None, None)]
        await _fill(store, target)
        for parts in (await store.partitions(5), await store.tenant(ACME).partitions(5)):
            assert [part.index for part in parts] == list(range(len(parts)))
            assert {part.count for part in parts} == {len(parts)} <= set(range(1, 6))
            borders = [part.end for part in parts[:-1]]
            assert [part.start for part in parts] == [None, *borders]
            assert parts[-1].end is None

    async def test_inventories_of_the_parts_add_up(self, store: StateStore, target: Target) -> None:
        await _fill(store, target)
        whole = await inventory(store)
        assert whole.listed == len(target.raw_names())
        border = "tenants/acme/a-b"  # behind it in order come the keys of a, which lies before it
        halves = [
            Partition(index=0, count=2, end=border),
            Partition(index=1, count=2, start=border),
        ]
        for parts in (halves, await store.partitions(100)):  # a part for each id
            counted = [await inventory(store, partition=part) for part in _sent(parts)]
            assert reduce(add, counted) == whole
        alone = [
            await inventory(store, partition=part) for part in await store.partitions(4, tenant=EU)
        ]
        assert reduce(add, alone).tenants == {EU: whole.tenants[EU]}

    async def test_sweeps_of_the_parts_remove_what_one_sweep_would(
        self, store: StateStore, target: Target, clock: Clock
    ) -> None:
        await _fill(store, target)
        before = target.raw_names()
        clock.advance(2 * HOUR)
        expected = await store.sweep(dry_run=True)
        parts = _sent(await store.partitions(4))
        swept = [await store.sweep(orphans=True, partition=part) for part in parts]
        total = reduce(add, swept)
        assert (total.scanned, total.removed, total.bytes) == (
            expected.scanned,
            expected.removed,
            expected.bytes,
        )
        assert total.removed == 7  # three snapshots and the key of each, and a key of no tenant
        assert (total.owners, total.repaired) == (3, 0)
        # An orphan's key without a tenant is left to a sweep of the whole store.
        assert (total.orphans, total.orphan_keys) == (1, 0)
        gone = {"a-b", "a~3Ab", "expiring"}
        left = [name for name in before if gone.isdisjoint(name.split("/"))]
        assert target.raw_names() == left
        for part in (parts[0], parts[-1]):
            again = await store.sweep(orphans=True, partition=part)
            assert (again.removed, again.owners, again.repaired) == (0, 0, 0)
        assert target.raw_names() == left
        assert (await store.sweep(orphans=True)).orphan_keys == 1
        assert target.raw_names() == [name for name in left if "alone" not in name.split("/")]

    async def test_removals_of_the_parts_remove_a_tenant_and_nothing_else(
        self, store: StateStore, target: Target
    ) -> None:
        await _fill(store, target)
        before = target.raw_names()
        parts = _sent(await store.partitions(4, tenant=ACME))
        reports = [await store.delete_tenant(ACME, partition=part) for part in (parts[0], *parts)]
        total = reduce(add, reports)
        assert total.snapshots in {len(IDS), None}  # None: the service does not say
        assert (total.keys, total.leases, total.owners) == (len(IDS) + 2, 1, len(IDS))
        left = [
            name
            for name in before
            if name in FOREIGN or not (name.startswith("tenants/acme/") or name.endswith("/acme"))
        ]
        assert target.raw_names() == left
        assert (await store.delete_tenant(ACME)).keys == 0


def _sent(parts: list[Partition]) -> list[Partition]:
    """The parts, as workers on other machines receive them."""
    received = [Partition.from_dict(json.loads(json.dumps(part.to_dict()))) for part in parts]
    assert received == parts
    return received


async def _fill(store: StateStore, target: Target) -> None:
    """State of two tenants and of none, some of it expiring after an hour, and foreign objects."""

    async def execution(tenant: str, execution_id: str) -> None:
        ttl = HOUR if execution_id in EXPIRING else None
        inside = store.tenant(tenant).execution(execution_id)
        await inside.save(snapshot(execution_id, tenant), ttl=ttl)
        await inside.set("k", b"value", ttl)

    await asyncio.gather(
        *(execution(ACME, execution_id) for execution_id in IDS),
        *(execution(EU, execution_id) for execution_id in IDS[:2]),
        store.tenant(ACME).set("a/k", b"v"),
        store.tenant(ACME).set("k", b"v"),
        store.tenant(EU).set("k", b"v"),
        store.execution("a").set("k", b"v"),
        store.execution("alone").set("k", b"v"),
        store.set("a-b-c", b"v"),
        store.set("expiring", b"v", HOUR),
    )
    async with store.tenant(ACME).lease("a", ttl=60):
        pass
    target.raw_put_many(FOREIGN)

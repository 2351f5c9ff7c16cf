"""The contents of a partition: whole executions, everything once, whatever the ids are."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statebucket import Partition, StateStore, errors, open_store
from statebucket.admin import inventory
from statebucket.store.extent import Extent
from statebucket.store.layout import Layout
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, snapshot
from support.many_names import ManyNames
from support.scripted_bucket import opened
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.usefixtures("_scripted")]

LAYOUT = Layout("p")
IDS = st.text("ab-._z~", min_size=1, max_size=3)
HOUR = timedelta(hours=1)
BESIDE = st.lists(
    st.sampled_from(["x", "x-", "x-y", "keys", "executions", "leases", "snapshots", "a", "b", "-"]),
    min_size=1,
    max_size=5,
).flatmap(
    lambda some: st.sampled_from(["tenants", "shared", "owners"]).map(
        lambda area: "/".join([area, *some])
    )
)


def divided(positions: Sequence[str], tenant: str | None = None) -> list[Partition]:
    """Partitions with these borders."""
    edges = [None, *positions, None]
    return [
        Partition(index=at, count=len(edges) - 1, start=start, end=end, tenant=tenant)
        for at, (start, end) in enumerate(pairwise(edges))
    ]


def segment(name: str) -> str:
    return name.rpartition("/")[2]


@given(
    names=st.lists(st.tuples(st.sampled_from(["x", "x-", "x-y", "x.y"]), IDS), min_size=1),
    edges=st.sets(st.tuples(st.sampled_from(["x", "x-", "x-y", "x.y"]), IDS), max_size=3),
    behind=st.sets(st.tuples(st.sampled_from(["shared", "owners"]), IDS), max_size=2),
    beside=st.sets(BESIDE),
)
@example(names=[("x", "a")], edges={("x", "a")}, behind=set(), beside={"tenants/x"})
@example(names=[("x", "a"), ("x", "a-b")], edges=set(), behind={("owners", "a-b")}, beside=set())
@example(names=[("x", "a"), ("x", "a-b")], edges=set(), behind={("shared", "a-b")}, beside=set())
def test_each_object_lies_in_one_part_and_an_execution_in_the_same(
    names: list[tuple[str, str]],
    edges: set[tuple[str, str]],
    behind: set[tuple[str, str]],
    beside: set[str],
) -> None:
    objects = [
        name
        for tenant, execution in names
        for name in (
            LAYOUT.snapshot(tenant, execution),
            LAYOUT.lease(tenant, execution),
            LAYOUT.key_of(tenant, execution, "k"),
            LAYOUT.key_of(tenant, execution, "k-2"),
            LAYOUT.owner(execution, tenant),
            LAYOUT.key_of(None, execution, "k"),
        )
    ]
    foreign = {
        "p/tenants/x/other/1",
        "p/tenants/beside",
        "p/owners/beside",
        *map("p/".__add__, beside),
    }
    bucket = ManyNames([*objects, *foreign])
    borders = sorted(
        (segment(LAYOUT.tenant(tenant)[:-1]), segment(LAYOUT.snapshot(tenant, one)))
        for tenant, one in edges
    )
    later = sorted(
        ((area, segment(LAYOUT.snapshot("x", one))) for area, one in behind),
        key=lambda border: (border[0] == "owners", border[1]),
    )
    parts = divided(
        [
            *(f"tenants/{tenant}/{one}" for tenant, one in borders),
            *(f"{area}/{one}" for area, one in later),
        ]
    )

    async def work() -> None:
        store: Any = opened(bucket)
        context = store.context
        held: list[list[str]] = []
        for part in parts:
            pieces = Extent(context.layout, None, part).pieces()
            held.append(
                [
                    info.name
                    for piece in pieces
                    async for page in piece.pages(context.objects, "test", 1)
                    for info in page
                ]
            )
        assert sorted(name for some in held for name in some) == bucket._names
        counted = [await inventory(store, partition=part) for part in parts]
        assert sum(counted[1:], counted[0]) == await inventory(store)
        for tenant, execution in names:
            own = {LAYOUT.snapshot(tenant, execution), LAYOUT.lease(tenant, execution)}
            own |= {LAYOUT.key_of(tenant, execution, key) for key in ("k", "k-2")}
            records = {LAYOUT.owner(execution, other) for other, _ in names}
            for whole in (own, records):
                assert sum(not whole.isdisjoint(some) for some in held) == 1

    run(work())


def test_what_lies_before_a_part_is_not_listed_with_it() -> None:
    own = [f"p/tenants/{tenant}/keys/k{at:05d}" for tenant in ("a", "b", "c") for at in range(9000)]
    bucket = ManyNames([*own, *(f"p/tenants/a/executions/e/k{at:05d}" for at in range(9000))])
    parts = divided(["tenants/a/e", "tenants/a/k04499", "tenants/b/k08000"])

    async def work() -> None:
        store = opened(bucket)
        for part, objects, most in zip(
            parts, (9000, 4500, 12_501, 9999), (22, 14, 28, 18), strict=True
        ):
            before = bucket.listings
            assert (await store.sweep(partition=part, dry_run=True)).scanned == objects
            assert bucket.listings - before <= most

    run(work())


async def filled(store: StateStore, clock: Clock) -> None:
    """State of two tenants, half of it expired, an orphan, and a lost owner record."""
    for tenant in (ACME, "acme-eu"):
        view = store.tenant(tenant)
        for at in range(6):
            ttl = HOUR if at % 2 else None
            await view.save_snapshot(snapshot(f"e-{at}", tenant_id=tenant), ttl=ttl)
            await view.set(f"exec:e-{at}:k", b"v", ttl)
            await view.set(f"k{at}", b"v", ttl)
        await view.set("exec:e:k", b"v")
    await store.set("exec:e-1:k", b"v", HOUR)
    await store.set("k", b"v", HOUR)
    clock.advance(2 * 3600)


EDGES = ["tenants/acme/e-2", "tenants/acme/k3", "tenants/acme-eu/e-1", "shared/e", "owners/e-3"]


@pytest.mark.asyncio
async def test_sweeps_of_the_parts_add_up_to_a_sweep_of_the_whole() -> None:
    clock = Clock()
    whole, parts = (open_store(f"memory://{name}", clock=clock) for name in ("whole", "parts"))
    await filled(whole, clock)
    clock.advance(-2 * 3600)
    await filled(parts, clock)
    expected = await whole.sweep(orphans=True, margin=0)
    partitions = divided(EDGES)
    total = await parts.sweep(orphans=True, margin=0, partition=partitions[0])
    for partition in partitions[1:]:
        total += await parts.sweep(orphans=True, margin=0, partition=partition)
    assert total == expected
    assert (expected.removed, expected.orphans) == (20, 2)


@pytest.mark.asyncio
async def test_a_part_of_a_sweep_may_run_twice_and_overlap_with_another() -> None:
    clock = Clock()
    store = open_store("memory://", clock=clock)
    await filled(store, clock)
    first, second = divided(["tenants/acme/k3"])
    third = Partition(index=0, count=1, start="tenants/acme/e-1")
    for partition in (second, third, second, first, first):
        await store.sweep(margin=0, partition=partition)
    again = await store.sweep(margin=0)
    assert (again.expired, again.removed, again.repaired) == (0, 0, 0)


@pytest.mark.asyncio
async def test_removals_of_the_parts_add_up_to_a_removal_of_the_tenant() -> None:
    whole, parts = open_store("memory://"), open_store("memory://")
    for store in (whole, parts):
        await filled(store, Clock())
    expected = await whole.delete_tenant(ACME)
    partitions = divided(EDGES)
    total = await parts.delete_tenant(ACME, partition=partitions[0])
    for partition in partitions[1:]:
        total += await parts.delete_tenant(ACME, partition=partition)
    assert total == expected
    assert (total.snapshots, total.keys, total.owners) == (6, 13, 6)
    assert [one async for one in parts.iter_tenants()] == ["acme-eu"]
    assert await parts.tenant("acme-eu").load_snapshot("e-0") is not None


@pytest.mark.asyncio
async def test_a_removal_by_parts_takes_one_execution_whole() -> None:
    store = open_store("memory://")
    await filled(store, Clock())
    await store.delete_tenant(ACME, partition=divided(["tenants/acme/e-2"])[0])
    left = [one async for one in store.iter_executions(ACME)]
    assert left == ["e-3", "e-4", "e-5"]


@pytest.mark.asyncio
async def test_what_is_not_ours_stays_and_is_counted_once() -> None:
    own = {f"p/tenants/acme/keys/k{at}" for at in range(9)}
    foreign = {f"p/tenants/acme/{name}" for name in ("", "report.csv", "z/x", "snapshots/e1.bak~")}
    bucket = ManyNames(own | foreign)
    store = opened(bucket)
    reports = [
        await store.delete_tenant(ACME, partition=part) for part in divided(["tenants/acme/k4"])
    ]
    assert [report.keys for report in reports] == [5, 4]
    assert sum(report.foreign for report in reports) == len(foreign)
    assert set(bucket._names) == foreign


@pytest.mark.asyncio
async def test_a_partition_of_one_tenant_is_for_no_other() -> None:
    store = open_store("memory://")
    (partition,) = divided([], tenant="acme")
    with pytest.raises(errors.InvalidArgument, match="of tenant 'acme'"):
        await store.delete_tenant("other", partition=partition)
    with pytest.raises(errors.InvalidArgument, match="of tenant 'acme'"):
        await store.sweep(tenant="other", partition=partition)
    with pytest.raises(errors.InvalidArgument, match="partition must be one of"):
        await store.sweep(partition={"index": 0})  # type: ignore[arg-type]

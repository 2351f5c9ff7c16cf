"""Partitions of about the same size, found with few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.port.bucket import Limits
from statebucket.store.extent import Extent
from support.many_names import ManyNames, keys, snapshots, ulids, uuids
from support.scripted_bucket import opened
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket import Partition
    from statebucket.store.context import StoreContext

pytestmark = pytest.mark.usefixtures("_scripted")

N = 20_000


def one_tenant_has_most() -> list[str]:
    others = [name for at in range(10) for name in snapshots(f"t{at}", uuids(N // 100, at))]
    return others + snapshots("big", (f"run-{at:07d}" for at in range(N * 9 // 10)))


def of_several_kinds() -> list[str]:
    return [
        *snapshots("a", (f"job-{at:09d}" for at in range(N // 3))),
        *snapshots("b", uuids(N // 3)),
        *(f"owners/job-{at:09d}/a" for at in range(N // 3)),
    ]


CASES: dict[str, Callable[[], list[str]]] = {
    "random ids": lambda: snapshots("acme", uuids(N)),
    "ids that begin alike": lambda: snapshots("acme", (f"order-2026-{i:08d}" for i in range(N))),
    "numbers without zeros": lambda: snapshots("acme", (f"exec-{at}" for at in range(N))),
    "ids that begin with the time": lambda: snapshots("acme", ulids(N)),
    "many keys an execution": lambda: keys("acme", uuids(N // 10), 10),
    "one tenant has 90 %": one_tenant_has_most,
    "many small tenants": lambda: [
        name for at in range(N // 20) for name in snapshots(f"t{at}", map(str, range(20)))
    ],
    "several kinds": of_several_kinds,
    "keys of no tenant": lambda: [f"shared/keys/k{at}" for at in range(N)],
}


async def sizes(store: Any, parts: list[Partition]) -> list[int]:
    """How many objects lie in each part, all of which together are held against the listing."""
    context: StoreContext = store.context
    found: list[list[str]] = []
    for part in parts:
        found.append([])
        for piece in Extent(context.layout, None, part).pieces():
            async for page in piece.pages(context.objects, "test", context.deadline):
                found[-1] += [info.name for info in page]
    everything = [name for names in found for name in names]
    assert sorted(everything) == context.objects.bucket._names  # type: ignore[attr-defined]
    return [len(names) for names in found]


@pytest.mark.parametrize("case", CASES)
def test_parts_are_within_twice_the_even_share(case: str) -> None:
    bucket = ManyNames(f"p/{name}" for name in CASES[case]())

    async def work() -> None:
        store = opened(bucket)
        parts = await store.partitions(4)
        asked = bucket.listings
        counted = await sizes(store, parts)
        assert len(counted) == 4
        assert max(counted) < 2 * sum(counted) / 4
        assert min(counted) > sum(counted) / 4 / 2
        assert asked < 90 or case == "many small tenants"

    run(work())


def test_one_execution_stays_whole_however_many_keys_it_has() -> None:
    bucket = ManyNames(f"p/{name}" for name in keys("acme", ["e1", "e2", "e3"], N // 4))

    async def work() -> None:
        store = opened(bucket)
        parts = await store.partitions(8)
        assert set(await sizes(store, parts)) <= {N // 4, 0}

    run(work())


def test_a_tenant_can_be_divided_alone() -> None:
    bucket = ManyNames(f"p/{name}" for name in one_tenant_has_most())

    async def work() -> None:
        store = opened(bucket)
        for parts in (
            await store.partitions(3, tenant="big"),
            await store.tenant("big").partitions(3),
        ):
            assert [part.tenant for part in parts] == ["big"] * 3
            assert all(part.end is None or "/big/" in part.end for part in parts)
            reports = [await store.sweep(partition=part, dry_run=True) for part in parts]
            scanned = [report.scanned for report in reports]
            assert sum(scanned) == N * 9 // 10
            assert max(scanned) < 2 * N * 9 // 10 / 3

    run(work())


def test_a_small_store_has_fewer_parts_than_were_asked_for() -> None:
    bucket = ManyNames(["p/shared/keys/a", "p/shared/keys/b"])

    async def work() -> None:
        store = opened(bucket)
        assert await sizes(store, await store.partitions(5)) == [1, 1]
        assert await sizes(store, await store.partitions(1)) == [2]

    run(work())


def test_an_empty_store_is_one_part() -> None:
    async def work() -> None:
        (part,) = await opened(ManyNames([])).partitions(5)
        assert (part.start, part.end) == (None, None)

    run(work())


def test_a_service_that_lists_in_no_order_is_not_divided() -> None:
    bucket = ManyNames(f"p/shared/keys/k{at}" for at in range(5000))
    bucket.limits = Limits(lists_in_order=False)

    async def work() -> None:
        assert len(await opened(bucket).partitions(5)) == 1

    run(work())


@pytest.mark.parametrize("n", [0, -1, 100_001, True, 2.0, "2", None])
def test_a_number_of_parts_that_is_none_is_refused(n: Any) -> None:
    async def work() -> None:
        with pytest.raises(errors.InvalidArgument, match="from 1 to 100,000"):
            await opened(ManyNames([])).partitions(n)

    run(work())

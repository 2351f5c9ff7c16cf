"""One division for all workers of a run, whatever each of them sees in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from statebucket.scale.jobs import Job
from statebucket.scale.plan import KEY, agreed, keeper, of_worker

if TYPE_CHECKING:
    from statebucket import Partition, StateStore

pytestmark = pytest.mark.asyncio


async def division(store: StateStore, run: str = "r1", workers: int = 3) -> list[Partition]:
    return await agreed(store, store, workers=workers, tenant=None, run=run)


async def test_workers_that_start_at_different_times_have_one_division() -> None:
    store = open_store("memory://")
    for at in range(30):
        await store.set(f"k{at}", b"v")
    first = await division(store)
    for at in range(400):
        await store.set(f"a{at}", b"v")
    assert await division(store) == first
    assert await division(store, "r2") != first
    shares = [of_worker(first, index, 3) for index in range(3)]
    assert sorted((part for mine in shares for part in mine), key=lambda part: part.index) == first


async def test_a_worker_that_was_slower_takes_the_other_s_division() -> None:
    store, slower = open_store("memory://"), open_store("memory://")
    await store.set("k1", b"v")
    for at in range(9):
        await slower.set(f"k{at}", b"v")
    first = await division(store)
    later = await agreed(slower, store, workers=3, tenant=None, run="r1")
    assert later == first


async def test_a_run_without_a_name_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="pass --run"):
        await division(open_store("memory://"), "")


@pytest.mark.parametrize(
    "value",
    [
        [],
        3,
        [{"index": 0}],
        [
            {"index": 0, "count": 2, "end": "shared/a"},
            {"index": 1, "count": 2, "start": "shared/b"},
        ],
        [{"index": 0, "count": 1, "end": "shared/a"}],
    ],
)
async def test_a_division_with_a_gap_is_never_used(value: object) -> None:
    store = open_store("memory://")
    await store.set_json(f"{KEY}r1:3:", value)
    with pytest.raises(errors.CorruptObject, match=r"not a division|leaves something out"):
        await division(store)


async def test_a_division_is_kept_outside_of_what_the_run_removes() -> None:
    store = open_store("memory://")
    for command in ("sweep", "delete_tenant", "inventory"):
        job = Job(command=command, url="memory://", tenant="acme")
        assert keeper(job, store) is store
    sweep = Job(command="sweep", url="memory://", tenant="acme")
    removal = Job(command="delete_tenant", url="memory://", tenant="acme")
    bound, recordless = store.tenant("acme"), open_store("memory://?owner_index=false")
    assert keeper(sweep, bound) is bound
    await agreed(recordless, keeper(sweep, recordless), workers=2, tenant="acme", run="r")
    assert await recordless.tenant("acme").exists(f"{KEY}r:2:acme")
    with pytest.raises(errors.InvalidArgument, match="leave tenant= out of the URL"):
        keeper(removal, bound)
    with pytest.raises(errors.InvalidArgument, match="use --jobs or --dask"):
        keeper(removal, recordless)

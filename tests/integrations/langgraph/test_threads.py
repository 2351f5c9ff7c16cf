"""Whole threads: their life, their listing, pruning, and the order of writes."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import ERROR, RESUME

from integrations.langgraph.savers import checkpoint, metadata, thread
from statebucket import errors, open_store
from statebucket.testing import Clock
from statebucket_langgraph import AsyncStatebucketSaver, StatebucketSaver

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import RunnableConfig

pytestmark = pytest.mark.asyncio
HOUR = timedelta(hours=1)


class Rotating(JsonPlusSerializer):
    """A serializer with a key, which reads nothing that was written with another one."""

    key = b"1"

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = super().dumps_typed(obj)
        return kind, self.key + data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if not data[1].startswith(self.key):
            raise ValueError("it was written with another key")
        return super().loads_typed((data[0], data[1][1:]))


async def grow(saver: AsyncStatebucketSaver, count: int, **more: Any) -> list[RunnableConfig]:
    """Saves checkpoints, one continuing the other, each with a write."""
    saved: list[RunnableConfig] = []
    for step in range(count):
        config = saved[-1] if saved else thread()
        saved.append(await saver.aput(config, checkpoint(n=step), metadata(step, **more), {}))
        await saver.aput_writes(saved[-1], [("n", step)], "task")
    return saved


async def listed(saver: AsyncStatebucketSaver, name: str = "t") -> list[RunnableConfig]:
    return [found.config async for found in saver.alist(thread(name))]


async def test_a_thread_lives_for_its_ttl_after_the_last_save() -> None:
    clock = Clock()
    async with open_store("memory://", clock=clock) as store:
        saver = AsyncStatebucketSaver(store, ttl=HOUR)
        first = await saver.aput(thread(), checkpoint(), metadata(), {})
        clock.advance(HOUR / 2)
        second = await saver.aput(first, checkpoint(), metadata(), {})
        clock.advance(HOUR / 2)
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert found.config == second
        clock.advance(HOUR)
        assert await saver.aget_tuple(thread()) is None
        await saver.aput(thread(), checkpoint(), metadata(), {})
        assert await saver.aget_tuple(thread()) is not None


async def test_a_sweep_of_orphans_leaves_threads() -> None:
    clock = Clock()
    async with open_store("memory://", clock=clock) as store:
        saver = AsyncStatebucketSaver(store)
        await saver.aput(thread(), checkpoint(), metadata(), {})
        clock.advance(24 * HOUR)
        assert (await store.sweep(orphans=True)).orphans == 0
        assert await saver.aget_tuple(thread()) is not None


async def test_pending_writes_are_in_the_order_of_their_paths_not_of_their_tasks() -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        config = await saver.aput(thread(), checkpoint(), metadata(), {})
        await saver.aput_writes(config, [("n", 3), ("n", 4)], "a", "~2")
        await saver.aput_writes(config, [("n", 1), ("n", 2)], "z", "~1")
        await saver.aput_writes(config, [("n", 0)], "m")
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert found.pending_writes == [
            ("m", "n", 0),
            ("z", "n", 1),
            ("z", "n", 2),
            ("a", "n", 3),
            ("a", "n", 4),
        ]


async def test_special_channels_are_replaced_and_others_keep_the_first() -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        config = await saver.aput(thread(), checkpoint(), metadata(), {})
        await saver.aput_writes(config, [("n", 1), (ERROR, "first")], "task")
        await saver.aput_writes(config, [("n", 2), (ERROR, "second"), (RESUME, 1)], "task")
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert sorted(found.pending_writes or []) == [
            ("task", ERROR, "second"),
            ("task", RESUME, 1),
            ("task", "n", 1),
        ]


async def test_prune_is_safe_while_a_graph_runs() -> None:
    async with open_store("memory://") as store:
        saver, operator = AsyncStatebucketSaver(store), AsyncStatebucketSaver(store)
        *_, last = await grow(saver, 5)
        coming = checkpoint()
        # What LangGraph does while a step runs: writes of a checkpoint that is not yet saved.
        await saver.aput_writes(thread("t", coming["id"]), [("n", 9)], "task")
        await operator.aprune(["t"])
        assert await listed(saver) == [last]
        saved = await saver.aput(last, coming, metadata(), {})
        assert await listed(saver) == [saved, last]
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert found.pending_writes == [("task", "n", 9)]
        earlier = await saver.aget_tuple(last)
        assert earlier is not None
        assert earlier.pending_writes == [("task", "n", 4)]
        keys = [key async for key in store.tenant("langgraph").execution("t").iter_keys()]
        assert len(keys) == 4
        with pytest.raises(errors.InvalidArgument, match="keep_latest"):
            await operator.aprune(["t"], strategy="some")


async def test_prune_keeps_what_a_delta_channel_is_rebuilt_from() -> None:
    counters: dict[str, Any] = {"counters_since_delta_snapshot": {"n": (1, 1)}}
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        start, seed = await grow(saver, 2)
        config = seed
        for step in (2, 3):
            new = checkpoint()
            new["channel_versions"] = {"n": step}
            config = await saver.aput(config, new, metadata(step, **counters), {})
            await saver.aput_writes(config, [("n", step)], "task")
        before = await saver.aget_delta_channel_history(config=thread(), channels=["n", "none"])
        assert before == {
            "n": {"writes": [("task", "n", 1), ("task", "n", 2)], "seed": 1},
            "none": {"writes": []},
        }
        await saver.aprune(["t"])
        assert len(await listed(saver)) == 3
        assert start not in await listed(saver)
        after = await saver.aget_delta_channel_history(config=thread(), channels=["n"])
        assert after["n"] == before["n"]
        without = AsyncStatebucketSaver(store, history=False)
        with pytest.raises(errors.UnsupportedOperation, match="history=True"):
            await without.aput(thread("u"), checkpoint(), metadata(**counters), {})


async def test_prune_keeps_nothing_for_a_delta_channel_that_was_never_written() -> None:
    counters: dict[str, Any] = {"counters_since_delta_snapshot": {"n": (0, 1), "never": (0, 9)}}
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        *_, seed = await grow(saver, 9)
        new = checkpoint()
        new["channel_versions"] = {"n": 1}
        last = await saver.aput(seed, new, metadata(9, **counters), {})
        await saver.aprune(["t"])
        assert await listed(saver) == [last, seed]


async def test_a_run_that_is_deleted_leaves_the_checkpoint_before_it() -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        (kept,) = await grow(saver, 1, run_id="r1")
        last = await saver.aput(kept, checkpoint(), metadata(run_id="r2"), {})
        await saver.aput(last, checkpoint(), metadata(run_id="r2"), {})
        await saver.adelete_for_runs(["r2"])
        assert await listed(saver) == [kept]
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert found.config == kept
        await saver.adelete_for_runs(["r1"])
        assert await saver.aget_tuple(thread()) is None
        assert [one async for one in saver.alist_threads()] == []


async def test_tenants_do_not_see_each_others_threads() -> None:
    async with open_store("memory://") as store:
        one, other = (AsyncStatebucketSaver(store.tenant(name)) for name in ("a", "b"))
        await grow(one, 1)
        assert await other.aget_tuple(thread()) is None
        assert [found async for found in other.alist(None)] == []
        assert [found async for found in one.alist_threads()] == ["t"]


@pytest.mark.parametrize(
    ("query", "options", "tenant"),
    [
        ("", {}, "langgraph"),
        ("?tenant=acme", {}, "acme"),
        ("", {"tenant": "acme"}, "acme"),
        ("?tenant=acme", {"tenant": "acme"}, "acme"),
    ],
    ids=["default", "url", "argument", "both"],
)
async def test_a_url_may_name_the_tenant(
    query: str, options: dict[str, Any], tenant: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    async with AsyncStatebucketSaver.from_conn_string(url + query, **options) as saver:
        await saver.setup()
        await grow(saver, 1)
    with StatebucketSaver.from_conn_string(url + query, **options) as blocking:
        blocking.setup()
        assert list(blocking.list_threads()) == ["t"]
    async with open_store(url) as store:
        assert [found async for found in store.iter_tenants()] == [tenant]
    other = AsyncStatebucketSaver.from_conn_string(f"{url}?tenant=acme", tenant="b")
    with pytest.raises(errors.TenantMismatch):
        await other.__aenter__()


async def test_a_saver_remembers_a_limited_number_of_bytes(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/state.db") as store:
        saver = AsyncStatebucketSaver(store)
        tracemalloc.start()
        try:
            for number in range(6):
                large = checkpoint(text=f"{number}" * 9_000_000)
                last = await saver.aput(thread(f"{number}"), large, metadata(), {})
            del large
            assert tracemalloc.get_traced_memory()[0] < 45_000_000
        finally:
            tracemalloc.stop()
        await saver.aput(last, checkpoint(), metadata(), {})
        first = await saver.aget_tuple(thread("0"))
        assert first is not None
        await saver.aput(first.config, checkpoint(), metadata(), {})
        assert len([one async for one in saver.alist(thread("0"))]) == 2


async def test_a_namespace_may_be_left_open() -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        place: dict[str, Any] = {"thread_id": "t", "checkpoint_ns": None}
        made = await saver.aput({"configurable": place}, checkpoint(), metadata(), {})
        assert await listed(saver) == [made]


async def test_without_a_history_writes_that_arrive_late_do_not_stay() -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store, history=False)
        first = await saver.aput(thread(), checkpoint(), metadata(), {})
        second = await saver.aput(first, checkpoint(), metadata(), {})
        next_, after = checkpoint(), checkpoint()
        # LangGraph saves a step's writes in the background, at times after the next checkpoint.
        await saver.aput_writes(first, [("n", 1)], "late")
        await saver.aput_writes(second, [("n", 2)], "in time")
        for coming in (next_, after):
            await saver.aput_writes(thread("t", coming["id"]), [("n", 3)], "ahead")
        third = await saver.aput(second, next_, metadata(), {})
        execution = store.tenant("langgraph").execution("t")
        assert [key async for key in execution.iter_keys()] == [
            "head/",
            f"writes//{next_['id']}/ahead",
            f"writes//{after['id']}/ahead",
        ]
        await saver.aput(third, after, metadata(), {})
        found = await saver.aget_tuple(thread())
        assert found is not None
        assert found.pending_writes == [("ahead", "n", 3)]


async def test_a_delta_channel_needs_nothing_from_before_its_seed() -> None:
    serde = Rotating()
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store, serde=serde)
        config = thread()
        for step in range(12):
            if step == 6:  # ancestors are loaded several at a time
                serde.key = b"2"
            values = {"n": ["seed"]} if step == 6 else {}
            saved = checkpoint() | {"channel_versions": {"n": step + 1}, "channel_values": values}
            config = await saver.aput(config, saved, metadata(step), {})
            await saver.aput_writes(config, [("n", step)], "task")
        found = await saver.aget_delta_channel_history(config=config, channels=["n"])
    assert found["n"]["seed"] == ["seed"]
    assert [value for _, _, value in found["n"]["writes"]] == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("kind", ["checkpoint", "writes"])
async def test_a_corrupt_ancestor_matters_only_to_a_delta_channel_that_needs_it(kind: str) -> None:
    async with open_store("memory://") as store:
        saver = AsyncStatebucketSaver(store)
        config, ids = thread(), []
        for step in range(12):
            values = {"n": ["seed"]} if step == 6 else {}
            saved = checkpoint() | {"channel_versions": {"n": step + 1}, "channel_values": values}
            config = await saver.aput(config, saved, metadata(step), {})
            await saver.aput_writes(config, [("n", step)], "task")
            ids.append(saved["id"])
        execution = store.tenant("langgraph").execution("t")

        async def damage(step: int) -> None:
            async for key in execution.iter_keys(prefix=kind):
                if ids[step] in key:
                    await execution.set(key, b"not msgpack")

        for step in range(6):  # ancestors are loaded several at a time
            await damage(step)
        found = await saver.aget_delta_channel_history(config=config, channels=["n"])
        assert found["n"]["seed"] == ["seed"]
        assert [value for _, _, value in found["n"]["writes"]] == [6, 7, 8, 9, 10]
        await damage(8)
        with pytest.raises(errors.CorruptObject):
            await saver.aget_delta_channel_history(config=config, channels=["n"])


async def test_leaving_history_out_from_now_on_takes_no_writes_of_earlier_checkpoints() -> None:
    async with open_store("memory://") as store:
        saved = await grow(AsyncStatebucketSaver(store), 5)
        saver = AsyncStatebucketSaver(store, history=False)
        assert await saver.aget_tuple(thread()) is not None
        await saver.aput(saved[-1], checkpoint(), metadata(), {})
        for config in saved[:3]:
            found = await saver.aget_tuple(config)
            assert found is not None
            assert found.pending_writes

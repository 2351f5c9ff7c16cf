"""Which worker may continue a thread: one of two, a fork, one with a late clock."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from integrations.langgraph.savers import checkpoint, metadata, thread
from statebucket import errors, open_store
from statebucket_langgraph import AsyncStatebucketSaver, CheckpointConflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint

    from statebucket import StateStore

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def store() -> AsyncIterator[StateStore]:
    async with open_store("memory://") as opened:
        yield opened.tenant("acme")


def two(store: StateStore) -> tuple[AsyncStatebucketSaver, AsyncStatebucketSaver]:
    """Savers as two processes have them."""
    return AsyncStatebucketSaver(store), AsyncStatebucketSaver(store)


async def put(
    saver: AsyncStatebucketSaver, config: RunnableConfig, new: Checkpoint | None = None
) -> RunnableConfig:
    return await saver.aput(config, new or checkpoint(), metadata(), {})


async def read(saver: AsyncStatebucketSaver, config: RunnableConfig) -> RunnableConfig:
    found = await saver.aget_tuple(config)
    assert found is not None
    return found.config


async def newest(saver: AsyncStatebucketSaver) -> str:
    place: str = (await read(saver, thread()))["configurable"]["checkpoint_id"]
    return place


async def ids(saver: AsyncStatebucketSaver) -> list[str]:
    return [found.checkpoint["id"] async for found in saver.alist(thread())]


def id_of(config: RunnableConfig) -> str:
    place: str = config["configurable"]["checkpoint_id"]
    return place


@pytest.mark.parametrize("by_id", [False, True])
async def test_the_second_of_two_workers_is_refused(store: StateStore, *, by_id: bool) -> None:
    one, two_ = two(store)
    start = await put(one, thread())
    asked = start if by_id else thread()
    first, second = await read(one, asked), await read(two_, asked)
    won = await put(one, first)
    with pytest.raises(CheckpointConflict) as refused:
        await put(two_, second)
    assert isinstance(refused.value, errors.VersionConflict)
    assert refused.value.thread_id == "t"
    assert refused.value.parent_id == id_of(start)
    assert refused.value.newest_id == id_of(won)
    assert id_of(start) in str(refused.value)
    assert id_of(won) in str(refused.value)
    assert await ids(one) == [id_of(won), id_of(start)]


async def test_two_runs_on_one_saver_are_told_apart(store: StateStore) -> None:
    saver, _ = two(store)
    await put(saver, thread())
    first, second = await read(saver, thread()), await read(saver, thread())
    won = await put(saver, first)
    with pytest.raises(CheckpointConflict):
        await put(saver, second)
    assert await newest(saver) == id_of(won)


async def test_what_follows_a_refused_checkpoint_is_refused(store: StateStore) -> None:
    one, two_ = two(store)
    start = await put(one, thread())
    await read(two_, thread())
    won = await put(one, start)
    lost = checkpoint()
    with pytest.raises(CheckpointConflict):
        await put(two_, start, lost)
    with pytest.raises(CheckpointConflict):
        await put(two_, thread("t", lost["id"]))
    assert await newest(two_) == id_of(won)


@pytest.mark.parametrize("savers", [1, 2])
async def test_of_two_runs_that_start_a_thread_one_is_refused(
    store: StateStore, savers: int
) -> None:
    one, two_ = two(store)
    if savers == 1:
        two_ = one
    assert await one.aget_tuple(thread()) is None
    assert await two_.aget_tuple(thread()) is None
    won = await put(one, thread())
    with pytest.raises(CheckpointConflict, match="new thread"):
        await put(two_, thread())
    assert await ids(one) == [id_of(won)]


async def test_of_many_that_continue_at_once_one_goes_on(store: StateStore) -> None:
    savers = [AsyncStatebucketSaver(store) for _ in range(10)]
    start = await put(savers[0], thread())
    read_ = [await read(saver, thread()) for saver in savers]
    done = await asyncio.gather(
        *(put(saver, config) for saver, config in zip(savers, read_, strict=True)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["CheckpointConflict"] * 9 + ["dict"]
    (won,) = [one for one in done if not isinstance(one, BaseException)]
    assert await ids(savers[0]) == [id_of(won), id_of(start)]


async def test_a_run_goes_on_from_what_it_has_saved_itself(store: StateStore) -> None:
    saver, _ = two(store)
    await put(saver, thread())
    config = await read(saver, thread())
    for _ in range(3):
        new = checkpoint()
        await put(saver, config, new)
        # As LangGraph does: what it read, with the id of what it has saved last.
        config = {"configurable": {**config["configurable"], "checkpoint_id": new["id"]}}
    assert await newest(saver) == id_of(config)
    assert len(await ids(saver)) == 4


async def test_a_saver_that_knows_an_older_head_looks_again(store: StateStore) -> None:
    one, two_ = two(store)
    await put(one, thread())
    await read(two_, thread())
    second = await put(one, await read(one, thread()))
    third = await put(two_, second)
    assert await newest(one) == id_of(third)


async def test_a_fork_becomes_the_newest(store: StateStore) -> None:
    saver, other = two(store)
    start = await put(saver, thread())
    await put(saver, start)
    fork = await put(other, await read(other, start))
    assert await newest(saver) == id_of(fork)
    found = await saver.aget_tuple(thread())
    assert found is not None
    assert found.parent_config == start
    assert len(await ids(saver)) == 3


async def test_a_fork_or_a_root_never_moves_the_head_backwards(store: StateStore) -> None:
    saver, _ = two(store)
    old_root, old_fork, after = checkpoint(), checkpoint(), checkpoint()
    start = await put(saver, thread())
    head = await put(saver, start)
    fork = await read(saver, start)
    await put(saver, thread(), old_root)
    await put(saver, fork, old_fork)
    config: RunnableConfig = {
        "configurable": {**fork["configurable"], "checkpoint_id": old_fork["id"]}
    }
    await put(saver, config, after)
    assert await newest(saver) == id_of(head)
    assert set(await ids(saver)) == {
        id_of(start),
        id_of(head),
        old_root["id"],
        old_fork["id"],
        after["id"],
    }


async def test_a_run_whose_clock_is_behind_moves_the_head(store: StateStore) -> None:
    saver, other = two(store)
    behind = checkpoint()
    start = await put(saver, thread())
    await put(other, await read(other, thread()), behind)
    assert behind["id"] < id_of(start)
    assert await newest(saver) == behind["id"]
    assert await ids(saver) == [behind["id"], id_of(start)]
    await put(saver, await read(saver, thread()))
    assert len(await ids(saver)) == 3


async def test_a_run_does_not_bring_a_deleted_thread_back(store: StateStore) -> None:
    saver, other = two(store)
    await put(saver, thread())
    config = await read(saver, thread())
    await other.adelete_thread("t")
    with pytest.raises(CheckpointConflict, match="gone"):
        await put(saver, config)
    await saver.adelete_thread("t")
    with pytest.raises(CheckpointConflict, match="gone"):
        await put(saver, config)
    assert await ids(saver) == []


async def test_namespaces_have_heads_of_their_own(store: StateStore) -> None:
    saver, _ = two(store)
    for namespace in ("", "child:1", "child:1|grand/child", "x" * 900):
        assert await saver.aget_tuple(thread(namespace=namespace)) is None
        made = await put(saver, thread(namespace=namespace))
        found = await saver.aget_tuple(thread(namespace=namespace))
        assert found is not None
        assert found.config == made
    everything: RunnableConfig = {"configurable": {"thread_id": "t"}}
    spaces = [
        found.config["configurable"]["checkpoint_ns"] async for found in saver.alist(everything)
    ]
    assert sorted(spaces) == sorted(["", "child:1", "child:1|grand/child", "x" * 900])


@pytest.mark.parametrize("name", ["a:b/c", "%2F", "ü", "a b~", "1", 7])
async def test_a_thread_may_have_any_name(store: StateStore, name: str) -> None:
    saver, _ = two(store)
    made = await put(saver, thread(name))
    found = await saver.aget_tuple(thread(name))
    assert found is not None
    assert found.config == made
    assert pickle.loads(pickle.dumps(found.config)) == made
    assert [one async for one in saver.alist_threads()] == [str(name)]
    await saver.adelete_thread(name)
    assert [one async for one in saver.alist_threads()] == []

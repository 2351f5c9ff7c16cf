"""Counts the requests of each call of the savers, which their page states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integrations.langgraph.savers import checkpoint, metadata, thread
from statebucket_langgraph import AsyncStatebucketSaver

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio
counted_on = pytest.mark.parametrize("deployment", ["s3", "s3+http", "gcs+http"], indirect=True)


@counted_on
@pytest.mark.parametrize("length", [1, 40])
async def test_the_requests_of_each_call(
    deployment: Deployment, counted: FaultProxy, length: int
) -> None:
    async with deployment.open(counted.url) as store:
        saver, new_process = AsyncStatebucketSaver(store), AsyncStatebucketSaver(store)
        sent: dict[str, int] = {}

        def count(call: str) -> None:
            sent[call] = counted.count()
            counted.clear()

        counted.clear()
        assert await saver.aget_tuple(thread()) is None
        count("aget_tuple, no thread")
        last = first = await saver.aput(thread(), checkpoint(), metadata(), {})
        count("aput, the first")
        for _ in range(length):
            last = await saver.aput(last, checkpoint(), metadata(), {})
        sent["aput"] = counted.count() // length
        counted.clear()
        await saver.aput_writes(last, [("a", 1), ("b", 2)], "task")
        count("aput_writes")
        await saver.aput_writes(last, [("a", 1), ("b", 2), ("c", 3)], "task")
        count("aput_writes, again")
        await saver.aput_writes(last, [("a", 1)], "other")
        counted.clear()
        await new_process.aget_tuple(thread())
        count("aget_tuple, 2 tasks")
        await new_process.aget_tuple(last)
        count("aget_tuple by id")
        await new_process.aget_tuple(first)
        count("aget_tuple by id, an earlier one")
        assert len([one async for one in saver.alist(thread(), limit=2)]) == 2
        count("alist, 2 of them, 2 tasks")
        last = await new_process.aput(last, checkpoint(), metadata(), {})
        count("aput after aget_tuple")
        await new_process.aget_tuple(thread())
        count("aget_tuple")
        await AsyncStatebucketSaver(store).aput(last, checkpoint(), metadata(), {})
        count("aput of what was not read")
        await saver.aget_delta_channel_history(config=thread(), channels=["n"])
        sent["aget_delta_channel_history"] = counted.count() - length
        counted.clear()
        assert [one async for one in saver.alist_threads()] == ["t"]
        count("alist_threads")
    assert sent == {
        "aget_tuple, no thread": 1,
        "aput, the first": 1,
        "aput": 2,
        "aput after aget_tuple": 2,
        "aput of what was not read": 3,
        "aput_writes": 1,
        "aput_writes, again": 3,
        "aget_tuple": 2,
        "aget_tuple, 2 tasks": 4,
        "aget_tuple by id": 4,
        "aget_tuple by id, an earlier one": 4,
        "alist, 2 of them, 2 tasks": 6,
        "aget_delta_channel_history": 3 + 2 + 2,  # 2 more ancestors than counted, 2 tasks
        "alist_threads": 2,
    }


@counted_on
async def test_a_saver_without_a_history(deployment: Deployment, counted: FaultProxy) -> None:
    async with deployment.open(counted.url) as store:
        saver = AsyncStatebucketSaver(store, history=False)
        last = await saver.aput(thread(), checkpoint(), metadata(), {})
        counted.clear()
        last = await saver.aput(last, checkpoint(), metadata(), {})
        assert counted.count() == 2
        await saver.aput_writes(last, [("a", 1)], "task")
        counted.clear()
        last = await saver.aput(last, checkpoint(), metadata(), {})
        assert counted.count() == 3
        assert [one.config async for one in saver.alist(thread())] == [last]
        assert [key async for key in store.tenant("langgraph").execution("t").iter_keys()] == [
            "head/"
        ]

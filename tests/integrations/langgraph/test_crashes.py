"""A process that dies at any request of a save, before or after the service has done it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from integrations.langgraph.savers import checkpoint, metadata, thread
from statebucket.errors import AccessDenied, DeleteIncomplete
from statebucket_langgraph import AsyncStatebucketSaver
from support.scripted_bucket import ScriptedBucket, fail, opened, through

if TYPE_CHECKING:
    from support.scripted_bucket import Send, Step

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("_scripted")]


async def done_then_dead(send: Send) -> Any:
    """The service does what is asked, and no one is left to hear of it."""
    await send()
    raise AccessDenied("dead")


DEATHS = {"before": fail(AccessDenied), "after": done_then_dead}


def new_saver(bucket: ScriptedBucket, **options: Any) -> AsyncStatebucketSaver:
    """A saver of a new process."""
    return AsyncStatebucketSaver(opened(bucket).tenant("acme"), **options)


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("at", range(4))
async def test_a_save_that_dies_leaves_a_thread_that_loads_and_continues(
    at: int, death: str, *, history: bool
) -> None:
    bucket = ScriptedBucket()
    saver = new_saver(bucket, history=history)
    first, second, lost = checkpoint(n=1), checkpoint(n=2), checkpoint(n=3)
    start = await saver.aput(thread(), first, metadata(), {})
    stored = await saver.aput(start, second, metadata(), {})
    await saver.aput_writes(stored, [("n", 3)], "task")

    sent = len(bucket.requests)
    bucket.script.extend([through] * at + [DEATHS[death]])
    try:
        await saver.aput(stored, lost, metadata(), {})
    except (AccessDenied, DeleteIncomplete):
        assert len(bucket.requests) - sent == at + 1
    else:  # it takes fewer requests
        assert at >= (2 if history else 3)
        bucket.script.clear()

    after = new_saver(bucket, history=history)
    found = await after.aget_tuple(thread())
    assert found is not None
    assert found.checkpoint["id"] in {second["id"], lost["id"]}
    assert found.checkpoint["channel_values"] == {"n": 2 if found.checkpoint == second else 3}
    assert found.pending_writes == ([("task", "n", 3)] if found.checkpoint == second else [])
    last = await after.aput(found.config, checkpoint(n=4), metadata(), {})
    again = await new_saver(bucket).aget_tuple(thread())
    assert again is not None
    assert again.config == last
    assert again.parent_config == found.config
    listed = [one.checkpoint["id"] async for one in after.alist(thread())]
    if history:
        behind = [found.checkpoint["id"], second["id"], first["id"]]
        assert listed == list(dict.fromkeys([again.checkpoint["id"], *behind]))
    else:
        assert listed == [again.checkpoint["id"]]


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("at", range(3))
async def test_writes_that_die_are_there_or_not(at: int, death: str) -> None:
    bucket = ScriptedBucket()
    saver = new_saver(bucket)
    stored = await saver.aput(thread(), checkpoint(n=1), metadata(), {})
    await saver.aput_writes(stored, [("n", 1)], "task")
    bucket.script.extend([through] * at + [DEATHS[death]])
    with suppress(AccessDenied):  # the service has done it, and says so when asked
        await saver.aput_writes(stored, [("n", 2), ("m", 3)], "task")
    bucket.script.clear()
    after = new_saver(bucket)
    found = await after.aget_tuple(thread())
    assert found is not None
    both = [("task", "n", 1), ("task", "m", 3)]
    assert found.pending_writes in (both[:1], both)
    await after.aput_writes(found.config, [("n", 2), ("m", 3)], "task")
    found = await after.aget_tuple(thread())
    assert found is not None
    assert found.pending_writes == both


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("work", ["prune", "delete_for_runs", "copy"])
async def test_a_clean_up_that_dies_is_finished_by_the_next(work: str, at: int, death: str) -> None:
    async def do(saver: AsyncStatebucketSaver) -> None:
        if work == "prune":
            await saver.aprune(["t"])
        elif work == "copy":
            await saver.acopy_thread("t", "u")
        else:
            await saver.adelete_for_runs(["r2"])

    step: Step = DEATHS[death]
    bucket = ScriptedBucket()
    saver = new_saver(bucket)
    config = thread()
    for run in ("r1", "r1", "r2"):
        config = await saver.aput(config, checkpoint(run=run), metadata(run_id=run), {})
        await saver.aput_writes(config, [("run", run)], "task")
    bucket.script.extend([through] * at + [step])
    try:
        await do(saver)
    except (AccessDenied, DeleteIncomplete):
        found = await new_saver(bucket).aget_tuple(thread())
        assert found is not None
    bucket.script.clear()
    after = new_saver(bucket)
    await do(after)
    expected = {"prune": ["r2"], "copy": ["r2", "r1", "r1"], "delete_for_runs": ["r1", "r1"]}[work]
    where = "u" if work == "copy" else "t"
    found_runs = [
        (one.checkpoint["channel_values"]["run"], one.pending_writes)
        async for one in after.alist(thread(where))
    ]
    assert found_runs == [(run, [("task", "run", run)]) for run in expected]

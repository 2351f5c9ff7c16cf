"""Two events for one session do not interleave, and a late worker overwrites nothing."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from strands import tool
from strands.hooks import AfterInvocationEvent, BeforeInvocationEvent
from strands.session import SnapshotSessionManager

from integrations.strands.app import Scripted, agent, texts
from statebucket import errors, open_store
from statebucket.testing import Clock
from statebucket_strands import StatebucketSessionManager, StatebucketStorage

if TYPE_CHECKING:
    from statebucket import StateStore
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio


@pytest.fixture
def local() -> StateStore:
    return open_store("memory://")


class Slow:
    """A model's work that goes on when it is told to."""

    def __init__(self) -> None:
        self.begun, self.told = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        await self.told.wait()


async def is_free(store: StateStore) -> bool:
    """Whether no one holds the session."""
    with contextlib.suppress(errors.LeaseHeld):
        async with store.tenant("strands").lease("s", ttl=60):
            return True
    return False


async def test_of_two_invocations_at_once_one_gets_an_error(deployment: Deployment) -> None:
    slow = Slow()
    async with deployment.open() as one, deployment.open() as two:
        if deployment.service == "memory":
            two = one  # noqa: PLW2901  (no two stores share a memory)
        first = agent(StatebucketSessionManager("s", one), Scripted(slow))
        second = agent(StatebucketSessionManager("s", two))
        running = asyncio.create_task(first.invoke_async("one"))
        await slow.begun.wait()
        with pytest.raises(errors.LeaseHeld):
            await second.invoke_async("two")
        slow.told.set()
        await running
        await second.invoke_async("two")
        assert texts(second.messages) == ["one", "ONE", "two", "TWO"]


async def test_a_second_invocation_waits_where_it_may(local: StateStore) -> None:
    slow = Slow()
    first = agent(StatebucketSessionManager("s", local), Scripted(slow))
    second = agent(StatebucketSessionManager("s", local, wait=timedelta(seconds=60)))
    running = asyncio.create_task(first.invoke_async("one"))
    await slow.begun.wait()
    waiting = asyncio.create_task(second.invoke_async("two"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    slow.told.set()
    await asyncio.gather(running, waiting)
    assert texts(second.messages) == ["one", "ONE", "two", "TWO"]
    assert texts(agent(StatebucketSessionManager("s", local)).messages) == texts(second.messages)


async def test_an_agent_that_was_made_before_goes_on_with_what_is_there(local: StateStore) -> None:
    managers = [StatebucketSessionManager("s", local) for _ in range(2)]
    # Two of one manager's, too.
    agents = [agent(managers[0]), agent(managers[0]), agent(managers[1])]
    said: list[str] = []
    for n in (0, 2, 1, 1, 0):
        await agents[n].invoke_async(f"by {n}")
        said += [f"by {n}", f"BY {n}"]
        assert texts(agents[n].messages) == said


async def test_what_an_agent_was_given_stays_where_no_one_else_was_there(
    local: StateStore,
) -> None:
    mine = agent(StatebucketSessionManager("s", local))
    await mine.invoke_async("one")
    mine.state.set("seat", 17)
    await mine.invoke_async("two")
    assert agent(StatebucketSessionManager("s", local)).state.get("seat") == 17


async def test_a_worker_that_has_lost_its_lease_stops_and_saves_nothing() -> None:
    clock = Clock()
    store = open_store("memory://", clock=clock)
    used: list[str] = []

    @tool
    def pay() -> str:
        """Must not be called twice."""
        used.append("pay")
        return "paid"

    async def pause() -> None:
        clock.advance(timedelta(seconds=65))
        await agent(StatebucketSessionManager("s", store)).invoke_async("meanwhile")

    paused = agent(
        StatebucketSessionManager("s", store), Scripted(pause, tools=("pay",)), tools=[pay]
    )
    with pytest.raises(errors.LeaseLost):
        await paused.invoke_async("one")
    late = agent(StatebucketSessionManager("s", store), Scripted(pause))  # no step after it
    with pytest.raises(errors.LeaseLost):
        await late.invoke_async("two")
    assert used == []
    kept = texts(agent(StatebucketSessionManager("s", store)).messages)
    assert kept == ["meanwhile", "MEANWHILE"] * 2


async def test_a_save_replaces_only_what_was_loaded(local: StateStore) -> None:
    async def saves_without_the_lease() -> None:
        other = SnapshotSessionManager("s", storage=StatebucketStorage(local))
        await agent(other).invoke_async("other")

    first = agent(StatebucketSessionManager("s", local), Scripted(saves_without_the_lease))
    with pytest.raises(errors.VersionConflict, match=r"another worker has saved.*'s'"):
        await first.invoke_async("one")
    assert await is_free(local)
    assert texts(agent(StatebucketSessionManager("s", local)).messages) == ["other", "OTHER"]


async def test_a_session_that_was_deleted_is_not_written_again(local: StateStore) -> None:
    first = agent(StatebucketSessionManager("s", local))
    await first.invoke_async("one")
    await StatebucketSessionManager("s", local).delete_session()
    with pytest.raises(errors.VersionConflict, match="was deleted or has expired"):
        await first.invoke_async("two")
    assert await is_free(local)
    fresh = agent(StatebucketSessionManager("s", local))
    await fresh.invoke_async("three")
    assert texts(fresh.messages) == ["three", "THREE"]


async def test_the_lease_is_given_up_whatever_ends_an_invocation(local: StateStore) -> None:
    async def fails() -> None:
        raise ConnectionError("the model is gone")

    manager = StatebucketSessionManager("s", local)
    with pytest.raises(ConnectionError):
        await agent(manager, Scripted(fails)).invoke_async("one")
    assert await is_free(local)

    slow = Slow()
    running = asyncio.create_task(agent(manager, Scripted(slow)).invoke_async("two"))
    await slow.begun.wait()
    assert not await is_free(local)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await is_free(local)

    stream = agent(manager).stream_async("three")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert await is_free(local)


@pytest.mark.parametrize("event", [BeforeInvocationEvent, AfterInvocationEvent])
async def test_a_hook_that_raises_keeps_the_lease_no_longer_than_its_ttl(
    local: StateStore, event: Any
) -> None:
    def fails(_event: object) -> None:
        raise KeyError("hook")

    mine = agent(StatebucketSessionManager("s", local, lease_ttl=0.3))
    mine.hooks.add_callback(event, fails)
    with pytest.raises(KeyError):
        await mine.invoke_async("one")
    async with local.tenant("strands").lease("s", ttl=60, wait=20):
        pass
    # A blocking call has an event loop of its own, with which the lease ends.
    with pytest.raises(KeyError):
        await asyncio.to_thread(mine, "two")
    assert await is_free(local)


async def test_a_hook_that_cancels_leaves_the_session_free(local: StateStore) -> None:
    def cancel(event: BeforeInvocationEvent) -> None:
        event.cancel = "not now"

    mine = agent(StatebucketSessionManager("s", local))
    mine.hooks.add_callback(BeforeInvocationEvent, cancel)
    await mine.invoke_async("one")
    assert await is_free(local)
    assert texts(agent(StatebucketSessionManager("s", local)).messages) == ["not now"]

"""Sessions keep the promises of Strands' own session managers, on every service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from strands import Agent, tool
from strands.agent import NullConversationManager
from strands.hooks import BeforeToolCallEvent
from strands.multiagent import GraphBuilder
from strands.types.content import ContentBlock
from strands.types.exceptions import StorageError

from integrations.strands.app import Scripted, agent, texts
from statebucket import errors, open_store
from statebucket_strands import StatebucketSessionManager, StatebucketStorage
from support.fault_proxy.proxy import HangBeforeReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from strands.multiagent.graph import Graph

    from statebucket import StateStore
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment


class Redacting(Scripted):
    """A model whose guardrail takes back what the user has said."""

    async def stream(self, *args: Any, **options: Any) -> AsyncGenerator[Any]:
        yield {"redactContent": {"redactUserContentMessage": "[redacted]"}}
        async for event in super().stream(*args, **options):
            yield event


@pytest.fixture
def local() -> StateStore:
    return open_store("memory://")


def test_another_agent_goes_on_with_messages_state_and_prompt(deployment: Deployment) -> None:
    store = deployment.open()
    first = agent(StatebucketSessionManager("s:1", store), system_prompt="Shout.")
    image: ContentBlock = {"image": {"format": "png", "source": {"bytes": bytes(range(256))}}}
    first.state.set("seat", {"row": 17})
    first([ContentBlock(text="one"), image])
    first("two")
    with_another_loop = agent(StatebucketSessionManager("s:1", store))
    assert texts(with_another_loop.messages) == ["one", "ONE", "two", "TWO"]
    assert with_another_loop.messages[0]["content"][1] == image
    assert with_another_loop.state.get("seat") == {"row": 17}
    assert with_another_loop.system_prompt == "Shout."
    another_session = agent(StatebucketSessionManager("s:2", store.tenant("strands")))
    assert another_session.messages == []
    another_tenant = agent(StatebucketSessionManager("s:1", store.tenant("acme")))
    assert another_tenant.messages == []


@pytest.mark.asyncio
async def test_earlier_states_are_kept_listed_and_restored(deployment: Deployment) -> None:
    async with deployment.open() as store:
        manager = StatebucketSessionManager("s", store, snapshot_trigger=lambda **_: True)
        first = agent(manager)
        for said in ("one", "two", "three"):
            await first.invoke_async(said)
        ids = await manager.list_snapshot_ids(first)
        assert len(ids) == 3
        assert await manager.list_snapshot_ids(first, limit=1, start_after=ids[0]) == [ids[1]]
        assert await manager.restore_snapshot(first, snapshot_id=ids[0])
        await first.invoke_async("again")
        assert texts(first.messages) == ["one", "ONE", "again", "AGAIN"]
        other = StatebucketSessionManager("other", store)
        await agent(other).invoke_async("elsewhere")
        await manager.delete_session()
        assert agent(StatebucketSessionManager("s", store)).messages == []
        assert len(agent(StatebucketSessionManager("other", store)).messages) == 2


@pytest.mark.asyncio
async def test_a_session_that_its_own_manager_has_deleted_is_saved_again(local: StateStore) -> None:
    manager = StatebucketSessionManager("s", local)
    first = agent(manager)
    await first.invoke_async("one")
    await manager.delete_session()
    await first.invoke_async("two")
    await manager.delete_session()
    await manager.save_snapshot(first, is_latest=True)
    goes_on = agent(StatebucketSessionManager("s", local))
    assert texts(goes_on.messages) == ["one", "ONE", "two", "TWO"]
    await goes_on.invoke_async("three")
    await manager.delete_session()
    await StatebucketSessionManager("s", local).save_snapshot(goes_on, is_latest=True)
    with pytest.raises(errors.VersionConflict):  # another's
        await manager.save_snapshot(first, is_latest=True)


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", ["s3+http"], indirect=True)
async def test_a_save_that_was_stored_unheard_of_is_replaced_by_the_next(
    deployment: Deployment, counted: FaultProxy
) -> None:
    async with deployment.open(counted.url, deadline=3) as store:
        manager = StatebucketSessionManager("s", store)
        first = agent(manager)
        await first.invoke_async("one")
        first.state.set("seat", 1)
        counted.always(HangBeforeReply())
        with pytest.raises(StorageError, match="deadline"):
            await manager.save_snapshot(first, is_latest=True)
        counted.heal()
        for seat in 2, 3:
            first.state.set("seat", seat)
            await manager.save_snapshot(first, is_latest=True)
        other = agent(StatebucketSessionManager("s", store))
        assert other.state.get("seat") == 3
        await other.invoke_async("two")
        with pytest.raises(errors.VersionConflict, match="another worker"):
            await manager.save_snapshot(first, is_latest=True)


def test_each_message_is_saved_where_that_is_asked_for(local: StateStore) -> None:
    async def fails() -> None:
        raise ConnectionError("the model is gone")

    manager = StatebucketSessionManager("s", local, save_latest_on="message")
    with pytest.raises(ConnectionError):
        agent(manager, Scripted(fails))("one")
    assert texts(agent(StatebucketSessionManager("s", local)).messages) == ["one"]


def test_what_a_guardrail_takes_back_is_not_kept(local: StateStore) -> None:
    manager = StatebucketSessionManager("s", local, save_latest_on="trigger")
    agent(manager, Redacting())("my secret")
    kept = agent(StatebucketSessionManager("s", local))
    assert texts(kept.messages) == ["[redacted]"]


def test_a_model_that_keeps_messages_itself_is_given_none(local: StateStore) -> None:
    def says(text: str) -> None:
        manager = StatebucketSessionManager("s", local)
        agent(manager, conversation_manager=NullConversationManager())(text)

    says("one")
    mine = agent(StatebucketSessionManager("s", local), Scripted(stateful=True))
    assert mine.messages == []
    says("two")
    mine("three")
    assert "two" not in texts(mine.messages)


def graph(store: StateStore, second: Scripted) -> Graph:
    builder = GraphBuilder()
    builder.add_node(Agent(model=Scripted(), callback_handler=None), "first")
    builder.add_node(Agent(model=second, callback_handler=None), "second")
    builder.add_edge("first", "second")
    builder.set_entry_point("first")
    builder.set_graph_id("two steps").set_max_node_executions(9)
    return builder.set_session_manager(StatebucketSessionManager("s", store)).build()


def test_a_graph_goes_on_at_the_node_that_failed(local: StateStore) -> None:
    async def fails() -> None:
        raise ConnectionError("the model is gone")

    with pytest.raises(ConnectionError):
        graph(local, Scripted(fails))("one")
    runs: list[str] = []

    async def runs_second() -> None:
        runs.append("second")
        holder = StatebucketSessionManager("s", local)
        with pytest.raises(Exception, match="held by another worker"):
            await agent(holder).invoke_async("meanwhile")

    done = graph(local, Scripted(runs_second))("one")
    assert [node.node_id for node in done.execution_order][-1] == "second"
    assert runs == ["second"]
    assert local.tenant("strands").name == "memory"


def test_an_answer_to_an_interrupt_reaches_the_agent_of_another_process(local: StateStore) -> None:
    paid: list[str] = []

    @tool
    def pay() -> str:
        """Asks first."""
        paid.append("once")
        return "paid"

    def ask(event: BeforeToolCallEvent) -> None:
        if event.interrupt("approval", reason="pay?") != "yes":
            event.cancel_tool = "refused"

    def made(model: Scripted) -> Agent:
        found = agent(StatebucketSessionManager("s", local), model, tools=[pay])
        found.hooks.add_callback(BeforeToolCallEvent, ask)
        return found

    stopped = made(Scripted(tools=("pay",)))("one")
    assert (stopped.stop_reason, paid) == ("interrupt", [])
    assert stopped.interrupts is not None
    [interrupt] = stopped.interrupts
    answer: Any = {"interruptResponse": {"interruptId": interrupt.id, "response": "yes"}}
    assert made(Scripted())([answer]).stop_reason == "end_turn"
    assert paid == ["once"]


def test_agents_of_one_session_are_apart_and_share_its_lease(local: StateStore) -> None:
    manager = StatebucketSessionManager("s", local)
    helper = agent(manager, agent_id="helper")

    @tool
    def ask() -> str:
        """Asks the other agent of this session, in a thread of its own."""
        return str(helper("help"))

    @tool
    async def ask_and_wait() -> str:
        """Asks the other agent of this session."""
        return str(await helper.invoke_async("more help"))

    model = Scripted(tools=("ask", "ask_and_wait"))
    asking = agent(manager, model, agent_id="asking", tools=[ask, ask_and_wait])
    asking("one")
    assert texts(helper.messages) == ["help", "HELP", "more help", "MORE HELP"]
    for agent_id, said in (("helper", "more help"), ("asking", "one")):
        kept = agent(StatebucketSessionManager("s", local), agent_id=agent_id)
        assert said in texts(kept.messages)


def test_a_session_is_a_few_keys_of_the_storage(local: StateStore) -> None:
    agent(StatebucketSessionManager("s", local))("one")
    keys = asyncio.run(StatebucketStorage(local).list("session/"))
    assert keys == ["session/s/scopes/agent/default/snapshots/snapshot_latest.json"]


@pytest.mark.parametrize("session_id", ["", ".", "a/b", "../a", " "])
def test_an_id_that_is_none_is_refused(local: StateStore, session_id: str) -> None:
    with pytest.raises(ValueError, match="session"):
        StatebucketSessionManager(session_id, local)

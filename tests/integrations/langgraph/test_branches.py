"""Graphs that go back to an earlier checkpoint do what they do with LangGraph's own saver."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from integrations.langgraph.graphs import State, asks, says, steps
from statebucket.sync import open_store
from statebucket_langgraph import StatebucketSaver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import StateSnapshot

    Run = Callable[[BaseCheckpointSaver[Any]], Any]

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.fixture
def saver() -> Iterator[StatebucketSaver]:
    with open_store("memory://") as store:
        yield StatebucketSaver(store)


def counts(state: State) -> dict[str, list[str]]:
    """A node of a subgraph that shows how much the subgraph has kept."""
    return {"said": [f"after {len(state['said'])}"]}


def around(saver: BaseCheckpointSaver[Any], *, stops: bool) -> CompiledStateGraph[Any]:
    """A graph with a subgraph that has a memory of its own; it may stop before that."""
    child = StateGraph(State)
    child.add_node("counts", counts)
    child.add_edge(START, "counts")
    child.add_edge("counts", END)
    builder = StateGraph(State)
    builder.add_node("first", says("first"))
    builder.add_node("child", child.compile(checkpointer=True))
    builder.add_edge(START, "first")
    builder.add_edge("first", "child")
    builder.add_edge("child", END)
    return builder.compile(checkpointer=saver, interrupt_before=["child"] if stops else [])


def before_the_child(graph: CompiledStateGraph[Any]) -> list[StateSnapshot]:
    return [state for state in graph.get_state_history(THREAD) if state.next == ("child",)]


def copies_the_start(saver: BaseCheckpointSaver[Any]) -> Any:
    graph = steps(saver, one=says("one"))
    assert graph.get_state(THREAD).values == {}
    graph.invoke({"said": ["in"]}, THREAD)
    *_, start = graph.get_state_history(THREAD)
    copied = graph.update_state(start.config, None, as_node="__copy__")
    return graph.invoke(None, copied)


def goes_back_with_a_state_it_was_given(saver: BaseCheckpointSaver[Any]) -> Any:
    graph = around(saver, stops=False)
    for said in ("one", "two", "three"):
        graph.invoke({"said": [said]}, THREAD)
    asked = [graph.get_state(state.config).config for state in before_the_child(graph)]
    return [graph.invoke(None, config) for config in asked]


def goes_back_before_the_child_began(saver: BaseCheckpointSaver[Any]) -> Any:
    graph = around(saver, stops=True)
    graph.invoke({"said": ["in"]}, THREAD)
    for _ in range(3):
        graph.get_state(THREAD, subgraphs=True)
    done = [graph.invoke(None, THREAD)]
    *_, first = before_the_child(graph)
    done.append(graph.invoke(None, first.config))
    done.append(graph.invoke(None, THREAD))
    return done


def goes_back_twice_with_a_delta_channel(saver: BaseCheckpointSaver[Any]) -> Any:
    class Log(TypedDict):
        said: Annotated[list[str], add]
        log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=2)]

    builder = StateGraph(Log)
    builder.add_node("starts", lambda _: {"log": ["starts"]})
    builder.add_node("asks", lambda state: asks(state) | {"log": ["asked"]})
    builder.add_edge(START, "starts")
    builder.add_edge("starts", "asks")
    builder.add_edge("asks", END)
    graph = builder.compile(checkpointer=saver)
    graph.invoke({"said": [], "log": ["in"]}, THREAD)
    waits = graph.get_state(THREAD).config
    graph.invoke(None, waits)
    forked = graph.get_state(THREAD).config
    graph.invoke(Command(resume="yes"), waits)  # writes on what the fork continues
    return graph.get_state(forked).values, [state.values for state in history(graph)]


def joined(log: list[str], writes: list[list[str]]) -> list[str]:
    return [*(log or []), *(one for some in writes for one in some)]


def history(graph: CompiledStateGraph[Any]) -> list[StateSnapshot]:
    return list(graph.get_state_history(THREAD))


@pytest.mark.parametrize(
    "run",
    [
        copies_the_start,
        goes_back_with_a_state_it_was_given,
        goes_back_before_the_child_began,
        goes_back_twice_with_a_delta_channel,
    ],
)
def test_a_graph_does_the_same_as_with_langgraphs_own_saver(
    saver: StatebucketSaver, run: Run
) -> None:
    assert run(saver) == run(InMemorySaver())


@pytest.mark.parametrize("which", [1, -1])
def test_a_process_copies_what_another_has_continued(which: int) -> None:
    with open_store("memory://") as store:
        graph, other = (steps(StatebucketSaver(store), one=says("one")) for _ in range(2))
        for said in ("first", "second"):
            graph.get_state(THREAD)  # the newest that it knows
            other.invoke({"said": [said]}, THREAD)
            state = history(other)[which]
            copied = graph.update_state(state.config, None, as_node="__copy__")
            assert graph.get_state(copied).values == state.values
            assert other.get_state(THREAD).config == copied

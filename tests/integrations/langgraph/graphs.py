"""Graphs that the tests run, and a process that runs one: ``python -m … URL``."""

from __future__ import annotations

import asyncio
import os
import sys
from operator import add
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from statebucket_langgraph import AsyncStatebucketSaver, CheckpointConflict

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph


class State(TypedDict):
    """What a graph keeps."""

    said: Annotated[list[str], add]


def steps(saver: BaseCheckpointSaver[Any] | None, **nodes: Any) -> CompiledStateGraph[Any]:
    """A graph of nodes, one after the other."""
    builder = StateGraph(State)
    before = START
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder.compile(checkpointer=saver)


def says(text: str) -> Any:
    """A node that says one thing."""
    return lambda _state: {"said": [text]}


def asks(_state: State) -> dict[str, list[str]]:
    """A node that waits for a person."""
    return {"said": [interrupt("may I?")]}


def say(text: str) -> None:
    """Writes a line that the other process waits for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _work(url: str, credential: str | None) -> None:
    options: dict[str, Any] = {"credential": credential} if credential else {}
    loop = asyncio.get_running_loop()

    async def waits(_state: State) -> dict[str, list[str]]:
        say("ready")
        return {"said": [(await loop.run_in_executor(None, sys.stdin.readline)).strip()]}

    async with AsyncStatebucketSaver.from_conn_string(url, **options) as saver:
        graph = steps(saver, work=waits)
        try:
            done = await graph.ainvoke({"said": []}, {"configurable": {"thread_id": "t"}})
        except CheckpointConflict as refused:
            say(type(refused).__name__)
        else:
            say(" ".join(done["said"]))


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], os.environ.get("CREDENTIAL")))

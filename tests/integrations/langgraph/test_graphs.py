"""Real graphs: they wait for a person, fork, save once a run, and meet another process."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.types import Command

from integrations.langgraph.graphs import asks, says, steps
from integrations.langgraph.savers import open_blocking
from statebucket.sync import open_store
from statebucket_langgraph import AsyncStatebucketSaver, StatebucketSaver
from support.competing_processes import environ

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from support.targets.deployments import Deployment

SOME = ["sqlite", "s3+http", "gcs+http", "azure+http"]
NETWORKED = [*SOME, "s3", "gcs", "azure"]
on_each = pytest.mark.parametrize("deployment", NETWORKED, indirect=True)
on_some = pytest.mark.parametrize("deployment", SOME, indirect=True)
T: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.mark.asyncio
@on_each
async def test_a_graph_waits_and_another_process_goes_on(deployment: Deployment) -> None:
    async with deployment.open() as store:
        graph = steps(AsyncStatebucketSaver(store), first=says("a"), ask=asks, last=says("z"))
        stopped = await graph.ainvoke({"said": []}, T)
        assert stopped["__interrupt__"][0].value == "may I?"
    async with deployment.open() as store:
        graph = steps(AsyncStatebucketSaver(store), first=says("a"), ask=asks, last=says("z"))
        assert (await graph.aget_state(T)).next == ("ask",)
        done = await graph.ainvoke(Command(resume="yes"), T)
        assert done["said"] == ["a", "yes", "z"]
        history = [state.values.get("said", []) async for state in graph.aget_state_history(T)]
        assert history == [["a", "yes", "z"], ["a", "yes"], ["a"], [], []]


@on_some
def test_a_graph_waits_and_another_process_goes_on_blocking(deployment: Deployment) -> None:
    with open_blocking(deployment) as store:
        graph = steps(StatebucketSaver(store), first=says("a"), ask=asks, last=says("z"))
        graph.invoke({"said": []}, T)
    with open_blocking(deployment) as store:
        graph = steps(StatebucketSaver(store), first=says("a"), ask=asks, last=says("z"))
        assert graph.get_state(T).next == ("ask",)
        assert graph.invoke(Command(resume="yes"), T)["said"] == ["a", "yes", "z"]
        history = [state.values.get("said", []) for state in graph.get_state_history(T)]
        assert history == [["a", "yes", "z"], ["a", "yes"], ["a"], [], []]


def test_a_programs_seed_neither_repeats_a_channels_version_nor_is_used_up() -> None:
    with open_store("memory://") as store:
        saver = StatebucketSaver(store)
        versions = set()
        for _ in range(3):  # as processes do that begin alike
            random.seed(1)
            before = random.getstate()
            versions.add(saver.get_next_version(None, None))
            assert random.getstate() == before
    assert len(versions) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", ["sqlite", "s3+http"], indirect=True)
async def test_a_graph_forks_from_its_past_and_goes_on_from_there(deployment: Deployment) -> None:
    async with deployment.open() as store:
        graph = steps(AsyncStatebucketSaver(store), a=says("a"), b=says("b"), c=says("c"))
        await graph.ainvoke({"said": []}, T)
        history = [state async for state in graph.aget_state_history(T)]
        past = next(state for state in history if state.values.get("said") == ["a"])
        changed = await graph.aupdate_state(past.config, {"said": ["!"]})
        done = await graph.ainvoke(None, changed)
        assert done["said"] == ["a", "!", "b", "c"]
        assert (await graph.aget_state(T)).values["said"] == ["a", "!", "b", "c"]
        replayed = await graph.ainvoke(None, past.config)
        assert replayed["said"] == ["a", "b", "c"]
        assert (await graph.aget_state(T)).values["said"] == ["a", "b", "c"]
        assert (await graph.ainvoke({"said": ["more"]}, T))["said"][-4:] == ["more", "a", "b", "c"]


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", ["sqlite", "s3+http"], indirect=True)
@pytest.mark.parametrize("history", [True, False])
async def test_a_graph_saves_once_a_run(deployment: Deployment, *, history: bool) -> None:
    async with deployment.open() as store:
        saver = AsyncStatebucketSaver(store, history=history)
        graph = steps(saver, a=says("a"), b=says("b"))
        for _ in range(3):
            await graph.ainvoke({"said": []}, T, durability="exit")
        assert (await graph.aget_state(T)).values["said"] == ["a", "b"] * 3
        assert len([one async for one in saver.alist(T)]) == (3 if history else 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
async def test_two_runs_of_one_process_do_not_mix(deployment: Deployment) -> None:
    async with deployment.open() as store:
        saver = AsyncStatebucketSaver(store)

        async def slow(_state: Any) -> dict[str, list[str]]:
            await asyncio.sleep(0.3)
            return {"said": ["slow"]}

        graph = steps(saver, a=slow)
        await graph.ainvoke({"said": []}, T)
        runs = await asyncio.gather(
            *(graph.ainvoke({"said": []}, T) for _ in range(2)), return_exceptions=True
        )
        assert sorted(type(run).__name__ for run in runs) == ["CheckpointConflict", "dict"]
        assert (await graph.aget_state(T)).values["said"] == ["slow", "slow"]


@on_some
def test_of_two_processes_on_a_thread_one_goes_on(deployment: Deployment) -> None:
    with open_blocking(deployment) as store:
        graph = steps(StatebucketSaver(store), work=says("start"))
        graph.invoke({"said": []}, T)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-m", "integrations.langgraph.graphs", deployment.url],
                        env=environ(deployment.environ | _credential(deployment)),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for _ in range(2)
            ]
            for worker in workers:
                stack.callback(worker.kill)
            first = workers[0].stdout
            assert first is not None
            said = [first.readline().strip()]
            second = workers[1].stdout
            assert second is not None
            said.append(second.readline().strip())
            # Both have begun, and one of them may have lost to the other's first checkpoint.
            for number, worker in enumerate(workers):
                if said[number] == "ready":
                    out, _ = worker.communicate(f"worker {number}\n", timeout=60)
                    said[number] = out.strip()
        refused, won = sorted(said)
        assert refused == "CheckpointConflict", said
        assert " ".join(graph.get_state(T).values["said"]) == won
        assert won in {"start worker 0", "start worker 1"}


def _credential(deployment: Deployment) -> dict[str, str]:
    credential = deployment.options.get("credential")
    return {"CREDENTIAL": credential} if isinstance(credential, str) else {}


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
async def test_many_tasks_of_a_step_and_a_subgraph(deployment: Deployment) -> None:
    async with deployment.open() as store:
        saver = AsyncStatebucketSaver(store)
        inner = steps(None, ask=asks)
        graph = steps(saver, sub=inner, last=says("z"))
        config: RunnableConfig = {"configurable": {"thread_id": uuid4().hex}}
        await graph.ainvoke({"said": ["a"]}, config)
        again = steps(AsyncStatebucketSaver(store), sub=inner, last=says("z"))
        done = await again.ainvoke(Command(resume="b"), config)
        assert done["said"][-2:] == ["b", "z"]

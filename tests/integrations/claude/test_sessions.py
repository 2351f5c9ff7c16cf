"""What the session store promises beyond the SDK's contracts."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from claude_agent_sdk import list_sessions_from_store

from integrations.conftest import COUNTED
from statebucket import errors
from statebucket_claude import StatebucketSessionStore
from support.fault_proxy.answers import azure_error, gcs_error, s3_error
from support.fault_proxy.holding import HoldReplyUntil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from claude_agent_sdk import SessionKey

    from statebucket import StateStore
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio

KEY: SessionKey = {"project_key": "-home-ada-app", "session_id": "s1"}
SUB: SessionKey = {**KEY, "subpath": "subagents/agent-1"}


def entry(number: int, **fields: Any) -> Any:
    return {"type": "user", "uuid": f"u{number}", "n": number, **fields}


@pytest_asyncio.fixture
async def state_store(deployment: Deployment) -> AsyncIterator[StateStore]:
    async with deployment.open() as store:
        yield store


async def titles(store: StatebucketSessionStore) -> dict[str, object]:
    summaries = await store.list_session_summaries(KEY["project_key"])
    return {found["session_id"]: found["data"].get("custom_title") for found in summaries}


async def test_entries_come_back_as_they_were(state_store: StateStore) -> None:
    store = StatebucketSessionStore(state_store)
    awkward = [
        entry(1, text="Hello 世界 🌍", half="\ud83d", big=10**30, small=1.5e-300, none=None),
        {"type": "mode"},
        {"type": "mode"},
        entry(2, customTitle="half \ud83d", nested={"a": [{"b": []}]}),
    ]
    await store.append(KEY, awkward)
    assert await store.load(KEY) == awkward
    assert await titles(store) == {"s1": "half \ud83d"}


async def test_a_sweep_of_orphans_leaves_a_session_without_its_summary(
    state_store: StateStore, deployment: Deployment
) -> None:
    store = StatebucketSessionStore(state_store)
    await store.append(KEY, [entry(1)])
    tenant = state_store.tenant(KEY["project_key"])
    await tenant.delete_snapshot(KEY["session_id"])
    later = deployment.open(clock=lambda: datetime.now(UTC).timestamp() + 86_400)
    async with later:
        assert (await later.sweep(orphans=True)).orphans == 0
    assert await store.load(KEY) == [entry(1)]


async def test_a_repeated_entry_counts_once_and_one_without_an_id_each_time(
    state_store: StateStore,
) -> None:
    store = StatebucketSessionStore(state_store)
    await store.append(KEY, [entry(1), {"type": "tag"}])
    await store.append(KEY, [entry(1), {"type": "tag"}, entry(2)])
    assert await store.load(KEY) == [entry(1), {"type": "tag"}, {"type": "tag"}, entry(2)]


async def test_two_processes_append_to_one_session(state_store: StateStore) -> None:
    one, two = StatebucketSessionStore(state_store), StatebucketSessionStore(state_store)
    await asyncio.gather(
        *(one.append(KEY, [entry(n, customTitle="one")]) for n in range(4)),
        *(two.append(KEY, [entry(n, gitBranch="two")]) for n in range(4, 8)),
    )
    loaded = await one.load(KEY)
    assert loaded is not None
    numbers = [found["n"] for found in loaded]  # type: ignore[typeddict-item]  # the test's own
    assert sorted(numbers) == list(range(8))
    assert [n for n in numbers if n < 4] == [0, 1, 2, 3]
    assert [n for n in numbers if n >= 4] == [4, 5, 6, 7]
    [summary] = await two.list_session_summaries(KEY["project_key"])
    assert summary["data"]["custom_title"] == "one"
    assert summary["data"]["git_branch"] == "two"


async def test_a_process_whose_clock_is_behind_appends_at_the_end(
    state_store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, behind = StatebucketSessionStore(state_store), StatebucketSessionStore(state_store)
    monkeypatch.setattr("time.time_ns", lambda: 2_000_000_000_000_000_000)
    await ahead.append(KEY, [entry(1)])
    await ahead.append(KEY, [entry(2)])
    monkeypatch.setattr("time.time_ns", lambda: 1_900_000_000_000_000_000)
    await behind.load(KEY)
    await behind.append(KEY, [entry(3)])
    assert await ahead.load(KEY) == [entry(1), entry(2), entry(3)]


async def test_packed_parts_are_the_same_transcript(state_store: StateStore) -> None:
    store = StatebucketSessionStore(state_store)
    for n in range(5):
        await store.append(KEY, [entry(n)])
        await store.append(SUB, [entry(n + 10)])
    assert await store.compact(KEY) == 5
    assert await store.compact(KEY) == 0
    await store.append(KEY, [entry(5)])
    await store.append(KEY, [entry(6)])
    other = StatebucketSessionStore(state_store)
    assert await other.load(KEY) == [entry(n) for n in range(7)]
    assert await other.compact(KEY) == 2
    assert await other.load(KEY) == [entry(n) for n in range(7)]
    assert await other.load(SUB) == [entry(n) for n in range(10, 15)]
    assert await other.list_subkeys(KEY) == ["subagents/agent-1"]
    await other.delete(KEY)
    assert await store.load(KEY) is None
    assert await store.list_sessions(KEY["project_key"]) == []


async def test_packing_by_two_while_others_append_and_load(state_store: StateStore) -> None:
    stores = [StatebucketSessionStore(state_store) for _ in range(3)]
    for n in range(12):
        await stores[0].append(SUB, [entry(n)])

    async def append() -> None:
        for n in range(12, 16):
            await stores[0].append(SUB, [entry(n)])

    async def load() -> None:
        for _ in range(4):
            loaded = await stores[1].load(SUB)
            assert loaded is not None
            assert loaded[:12] == [entry(n) for n in range(12)]

    await asyncio.gather(append(), load(), stores[1].compact(SUB), stores[2].compact(SUB))
    await stores[2].compact(SUB)
    assert await stores[1].load(SUB) == [entry(n) for n in range(16)]


async def test_many_appends_are_packed_on_the_way(state_store: StateStore) -> None:
    store = StatebucketSessionStore(state_store)
    for n in range(70):
        await store.append(SUB, [entry(n)])
    tenant = state_store.tenant(KEY["project_key"])
    assert len([key async for key in tenant.iter_keys("s1")]) == 7
    assert await store.load(SUB) == [entry(n) for n in range(70)]


async def test_what_a_process_that_died_has_appended_is_in_the_summary(
    state_store: StateStore, deployment: Deployment
) -> None:
    store = StatebucketSessionStore(state_store)
    await store.append(KEY, [entry(1, customTitle="first")])
    # A part without its summary: what is left by a process that dies between the two.
    session = state_store.tenant(KEY["project_key"]).execution("s1")
    before = await session.load_stored()
    assert before is not None
    await store.append(KEY, [entry(2, customTitle="second")])
    await session.save(before.value)
    assert await titles(store) == {"s1": "first"}
    async with deployment.open() as another:
        other = StatebucketSessionStore(another)
        await other.append(KEY, [entry(3)])
        assert await titles(other) == {"s1": "second"}
    # The first process's version is not the stored one any more.
    await store.append(KEY, [entry(4, gitBranch="main")])
    [summary] = await store.list_session_summaries(KEY["project_key"])
    assert summary["data"]["custom_title"] == "second"
    assert summary["data"]["git_branch"] == "main"


@pytest.mark.parametrize("deployment", COUNTED[1:], indirect=True)
async def test_an_append_that_is_tried_again_is_the_same(
    deployment: Deployment, counted: FaultProxy
) -> None:
    refusal = {"s3": s3_error, "gcs": gcs_error, "azure": azure_error}[deployment.service]
    entries = [{"type": "tag"}, entry(1, customTitle="first")]
    async with deployment.open(counted.url, deadline=3) as state_store:
        store = StatebucketSessionStore(state_store)
        await store.append(KEY, [entry(0)])
        # Cloud Storage has the name of what is written in the body.
        counted.always(
            refusal(
                403,
                "AccessDenied",
                when=lambda seen: b"snapshots" in seen.target.encode() + seen.body,
            )
        )
        with pytest.raises(errors.StateBucketError):
            await store.append(KEY, entries)
        counted.heal()
        await store.append(KEY, entries)
        assert await store.load(KEY) == [entry(0), *entries]
        assert await titles(store) == {"s1": "first"}


@pytest.mark.parametrize("deployment", ["s3+http"], indirect=True)
async def test_an_append_that_is_given_up_but_was_stored_is_in_the_summary(
    deployment: Deployment, counted: FaultProxy
) -> None:
    async with deployment.open(counted.url) as state_store:
        store = StatebucketSessionStore(state_store)
        await store.append(KEY, [entry(1, customTitle="first")])
        stored, given_up = threading.Event(), threading.Event()

        def may_go() -> bool:
            stored.set()
            return given_up.is_set()

        counted.always(HoldReplyUntil(may_go))
        appending = asyncio.create_task(store.append(KEY, [entry(2, customTitle="second")]))
        assert await asyncio.to_thread(stored.wait, 60)
        appending.cancel()  # the SDK does not try again after its timeout
        with pytest.raises(asyncio.CancelledError):
            await appending
        given_up.set()
        counted.heal()
        await store.append(KEY, [entry(3)])
        assert await store.load(KEY) == [
            entry(1, customTitle="first"),
            entry(2, customTitle="second"),
            entry(3),
        ]
        assert await titles(store) == {"s1": "second"}


@pytest.mark.parametrize("deployment", ["sqlite", *COUNTED[1:]], indirect=True)
async def test_the_sdk_lists_sessions_by_their_summaries(state_store: StateStore) -> None:
    store = StatebucketSessionStore(state_store)
    await store.append(KEY, [entry(1, customTitle="A title", timestamp="2026-01-01T00:00:00Z")])
    listed = await list_sessions_from_store(store, directory="/home/ada/app")
    assert json.dumps([found.custom_title for found in listed]) == '["A title"]'


async def test_projects_of_a_view_are_apart(state_store: StateStore) -> None:
    store = StatebucketSessionStore(state_store.tenant("acme"))
    keys: list[SessionKey] = [
        {"project_key": "a", "session_id": "b/c"},
        {"project_key": "a/b", "session_id": "c"},
        {"project_key": "a%2Fb", "session_id": "c"},
    ]
    for n, key in enumerate(keys):
        await store.append(key, [entry(n)])
    for n, key in enumerate(keys):
        assert await store.load(key) == [entry(n)]
        listed = await store.list_sessions(key["project_key"])
        assert [found["session_id"] for found in listed] == [key["session_id"]]
    assert [tenant async for tenant in state_store.iter_tenants()] == ["acme"]

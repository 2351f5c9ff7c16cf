"""Counts the requests of each call of the session store, which its page states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integrations.conftest import COUNTED
from statebucket_claude import StatebucketSessionStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from claude_agent_sdk import SessionKey

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

MAIN: SessionKey = {"project_key": "proj", "session_id": "s1"}
SUB: SessionKey = {**MAIN, "subpath": "subagents/agent-1"}


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", COUNTED, indirect=True)
async def test_the_requests_of_each_call(deployment: Deployment, counted: FaultProxy) -> None:
    async with deployment.open(counted.url) as first, deployment.open(counted.url) as second:
        store = StatebucketSessionStore(first)
        other = StatebucketSessionStore(second)
        calls: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "a session's first append": (lambda: store.append(MAIN, [{"type": "a"}]), 4),
            "append": (lambda: store.append(MAIN, [{"type": "b"}]), 2),
            "append nothing": (lambda: store.append(MAIN, []), 0),
            "append of a subagent": (lambda: store.append(SUB, [{"type": "c"}]), 1),
            "load": (lambda: store.load(MAIN), 1 + 2),
            "load what is missing": (lambda: store.load({**MAIN, "session_id": "none"}), 1),
            "a process's first append": (lambda: other.append(MAIN, [{"type": "d"}]), 5),
            "append after another's": (lambda: store.append(MAIN, [{"type": "e"}]), 5),
            "list_sessions": (lambda: store.list_sessions("proj"), 1),
            "list_session_summaries": (lambda: store.list_session_summaries("proj"), 2),
            "list_subkeys": (lambda: store.list_subkeys(MAIN), 1),
            "compact": (lambda: store.compact(MAIN), 1 + 4 + 3),
            "load, packed": (lambda: store.load(MAIN), 1 + 1),
            "delete of a subagent": (lambda: store.delete(SUB), 2),
            "delete": (lambda: store.delete(MAIN), 3),
        }
        sent = {}
        for name, (call, _) in calls.items():
            counted.clear()
            await call()
            sent[name] = counted.count()
    assert sent == {name: requests for name, (_, requests) in calls.items()}

"""Counts the requests of each call of the storage and the session manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integrations.conftest import COUNTED
from integrations.strands.app import agent
from statebucket_strands import StatebucketSessionManager, StatebucketStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.parametrize("deployment", COUNTED, indirect=True),
]


async def test_the_requests_of_each_call(deployment: Deployment, counted: FaultProxy) -> None:
    async with deployment.open(counted.url) as store:
        storage = StatebucketStorage(store)
        calls: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "write": (lambda: storage.write("a/k", b"one word"), 1),
            "read": (lambda: storage.read("a/k"), 1),
            "read what is missing": (lambda: storage.read("none"), 1),
            "list": (lambda: storage.list("a/"), 1),
            "search": (lambda: storage.search("word"), 1 + 1),
            "delete": (lambda: storage.delete("a/k"), 1),
        }
        sent = {}
        for name, (call, _) in calls.items():
            counted.clear()
            await call()
            sent[name] = counted.count()
    assert sent == {name: requests for name, (_, requests) in calls.items()}


async def test_the_requests_of_an_invocation(deployment: Deployment, counted: FaultProxy) -> None:
    async with deployment.open(counted.url) as store:
        manager = StatebucketSessionManager("s", store)
        mine = agent(manager)
        made = counted.count()
        calls: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "the first invocation": (lambda: mine.invoke_async("one"), 3 + 1 + 1 + 1),
            "an invocation": (lambda: mine.invoke_async("two"), 3 + 1 + 1 + 1),
            "save_snapshot": (lambda: manager.save_snapshot(mine, is_latest=False), 1),
            "list_snapshot_ids": (lambda: manager.list_snapshot_ids(mine), 1),
            "restore_snapshot": (lambda: manager.restore_snapshot(mine), 1),
            "delete_session": (manager.delete_session, 1 + 2 + 1),
        }
        sent = {}
        for name, (call, _) in calls.items():
            counted.clear()
            await call()
            sent[name] = counted.count()
    assert made == 1
    assert sent == {name: requests for name, (_, requests) in calls.items()}

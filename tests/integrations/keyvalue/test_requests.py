"""Counts the requests of each call of the py-key-value store, which its page states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integrations.conftest import COUNTED
from statebucket_keyvalue import StatebucketStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.deployments import Deployment


@pytest.mark.asyncio
@pytest.mark.parametrize("deployment", COUNTED, indirect=True)
async def test_the_requests_of_each_call(deployment: Deployment, counted: FaultProxy) -> None:
    s3 = deployment.service == "s3"
    batches = 2 if deployment.service == "gcs" else 1  # of 100 keys there
    keys = [f"k{n}" for n in range(120)]
    async with deployment.open(counted.url) as state_store:
        store = StatebucketStore(store=state_store)
        calls: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "put": (lambda: store.put("k", {"n": 1}), 1),
            "get": (lambda: store.get("k"), 1),
            "ttl": (lambda: store.ttl("k"), 1),
            "get what is missing": (lambda: store.get("none"), 1),
            "put_if_absent": (lambda: store.put_if_absent("new", {}), 1),
            "put_if_absent, present": (lambda: store.put_if_absent("new", {}), 2),
            "delete": (lambda: store.delete("k"), 2 if s3 else 1),
            "delete what is missing": (lambda: store.delete("k"), 1),
            "put_many": (lambda: store.put_many(keys, [{}] * 120), 120),
            "get_many": (lambda: store.get_many(keys), 120),
            "keys": (store.keys, 1),
            "collections": (store.collections, 1),
            "delete_many": (lambda: store.delete_many(keys), batches + 120 * s3),
            "destroy_collection": (lambda: store.destroy_collection("default_collection"), 3),
        }
        sent = {}
        for name, (call, _) in calls.items():
            counted.clear()
            await call()
            sent[name] = counted.count()
    assert sent == {name: requests for name, (_, requests) in calls.items()}

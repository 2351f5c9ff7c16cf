"""LangGraph's own suite for checkpointers, all of it, on each service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from integrations.langgraph.savers import InTheLoop, open_blocking
from statebucket_langgraph import AsyncStatebucketSaver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio

CASES = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


@asynccontextmanager
async def asynchronous(deployment: Deployment) -> AsyncIterator[Any]:
    async with deployment.open() as store:
        yield lambda: AsyncStatebucketSaver(store.tenant(uuid4().hex))


@asynccontextmanager
async def blocking(deployment: Deployment) -> AsyncIterator[Any]:
    with open_blocking(deployment) as store:
        yield lambda: InTheLoop(store.tenant(uuid4().hex))


# The savers know no engine: each is tried on one of each service.
@pytest.mark.parametrize(
    ("savers", "deployment"),
    [
        *((asynchronous, where) for where in ("sqlite", "s3+http", "gcs+http", "azure+http")),
        *((blocking, where) for where in ("sqlite", "s3", "gcs", "azure")),
    ],
    indirect=["deployment"],
)
async def test_every_case_passes(deployment: Deployment, savers: Any) -> None:
    async with savers(deployment) as new:

        @checkpointer_test(name="statebucket")
        async def saver() -> AsyncIterator[Any]:
            yield new()

        report = await validate(saver)
    failed = [failure for result in report.results.values() for failure in result.failures]
    assert failed == []
    assert {name: found.tests_passed for name, found in report.results.items()} == CASES
    assert sum(CASES.values()) == 81

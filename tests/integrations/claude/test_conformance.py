"""The SDK's own conformance suite, on every service: none of its 14 contracts is skipped."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from claude_agent_sdk import SessionStore
from claude_agent_sdk.testing import run_session_store_conformance

from statebucket import open_store
from statebucket_claude import StatebucketSessionStore

if TYPE_CHECKING:
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio


def beside(url: str) -> str:
    """The URL of another place in the same bucket."""
    path, mark, query = url.partition("?")
    return f"{path}{uuid4().hex}{mark}{query}"


@pytest.mark.parametrize("in_a_view", [False, True])
async def test_all_fourteen_contracts(deployment: Deployment, *, in_a_view: bool) -> None:
    # Contracts of optional calls are left out where a store has no such call.
    for call in ("list_sessions", "list_session_summaries", "delete", "list_subkeys"):
        assert getattr(StatebucketSessionStore, call) is not getattr(SessionStore, call)
    async with AsyncExitStack() as stack:

        async def make() -> StatebucketSessionStore:
            opened = open_store(beside(deployment.url), **deployment.options)
            store = await stack.enter_async_context(opened)
            return StatebucketSessionStore(store.tenant("acme") if in_a_view else store)

        await run_session_store_conformance(make)

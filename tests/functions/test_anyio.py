"""Inside anyio's cancel scopes, which cancel every await until the scope is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
import pytest_asyncio

from statebucket import errors, open_store
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from statebucket import StateStore

pytestmark = pytest.mark.asyncio

LONG = 60
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    async with open_store(f"sqlite:///{tmp_path}/state.db") as opened:
        await opened.set("warm", b"1")  # opening the file takes longer than a test should
        yield opened.tenant(ACME)


async def test_the_writer_stores_the_last_snapshot(store: StateStore) -> None:
    with anyio.move_on_after(LONG) as scope:
        async with store.writer(E1) as writer:
            writer.save(snapshot(number=1))
            await writer.flush()
            writer.save(snapshot(number=2))
            writer.save(snapshot(number=3))
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert (writer.saved, writer.dropped, writer.failed) == (2, 1, 0)
    stored = await store.load_snapshot(E1)
    assert stored is not None
    assert stored.sequence_number == 3


async def test_a_writer_can_be_cancelled_from_outside_while_it_is_left(store: StateStore) -> None:
    # Another task's cancellation is no scope's, and is heeded.
    async def work() -> None:
        async with store.with_deadline(60).writer(E1) as writer:
            writer.save(snapshot(number=1))

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_lease_is_given_up_before_the_scope_is_left(store: StateStore) -> None:
    with anyio.move_on_after(LONG) as scope:
        async with store.lease(E1, ttl=MINUTE):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    async with store.lease(E1, ttl=MINUTE) as lease:
        assert lease.held


async def test_a_lease_whose_taking_is_cancelled_is_given_up(store: StateStore) -> None:
    with anyio.move_on_after(LONG) as scope:
        scope.cancel()
        async with store.lease(E1, ttl=MINUTE):
            raise AssertionError("unreachable: the scope is cancelled")
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with store.lease(E1, ttl=MINUTE) as lease:
        assert lease.held


async def test_a_store_is_shut_down(tmp_path: Path) -> None:
    with anyio.move_on_after(LONG) as scope:
        async with open_store(f"sqlite:///{tmp_path}/other.db") as opened:
            await opened.set("k", b"v")
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not opened.context.objects.bucket._workers  # type: ignore[attr-defined]


async def test_a_removal_and_a_listing_leave_nothing_running(store: StateStore) -> None:
    for number in range(5):
        await store.set(f"exec:{E1}:{number}", b"v")
    with anyio.move_on_after(LONG) as scope:
        scope.cancel()
        await store.delete_execution_state(E1)
    with anyio.move_on_after(LONG) as scope:
        async for _ in store.iter_keys(E1):
            scope.cancel()
            await anyio.sleep_forever()
    with anyio.move_on_after(LONG) as scope:
        scope.cancel()
        with pytest.raises(errors.StateBucketError):
            await store.sweep(margin=-1)
        await store.sweep()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len([key async for key in store.iter_keys(E1)]) == 5

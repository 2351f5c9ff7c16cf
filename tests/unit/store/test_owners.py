"""What one process knows of an execution's owner, after another process has changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from statebucket import StateStore, errors
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.targets.local import MemoryTarget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket.testing import Clock

pytestmark = pytest.mark.asyncio


@pytest.fixture
def target() -> MemoryTarget:
    return MemoryTarget()


@pytest.fixture
def clock(target: MemoryTarget) -> Clock:
    return target.clock


@pytest.fixture
def one(target: MemoryTarget) -> StateStore:
    return target.open()


@pytest_asyncio.fixture
async def other(target: MemoryTarget, one: StateStore) -> AsyncIterator[StateStore]:
    """Another process's store, which has seen e1 belong to "globex"; it is acme's now."""
    other = target.open()
    await one.save_snapshot(snapshot(E1, "globex"))
    assert await other.load_snapshot(E1) is not None
    await one.delete_execution_state(E1)
    await one.save_snapshot(snapshot(E1, ACME, 7))
    await one.tenant(ACME).set("exec:e1:k", b"v")
    yield other


async def test_a_load_finds_the_new_owners_snapshot(other: StateStore) -> None:
    loaded = await other.load_snapshot(E1)
    assert loaded is not None
    assert (loaded.tenant_id, loaded.sequence_number) == (ACME, 7)


async def test_a_removal_in_the_new_owners_view_removes_the_record_too(
    other: StateStore, target: MemoryTarget
) -> None:
    report = await other.tenant(ACME).delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (1, 1, 1)
    assert target.raw_names() == []


async def test_a_removal_in_the_old_owners_view_leaves_the_new_ones(
    other: StateStore, target: MemoryTarget
) -> None:
    before = target.raw_names()
    report = await other.tenant("globex").delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (0, 0, 0)
    assert target.raw_names() == before


async def test_a_removal_through_the_store_removes_the_new_owners(
    other: StateStore, target: MemoryTarget
) -> None:
    report = await other.delete_execution_state(E1)
    assert (report.snapshots, report.keys, report.owners) == (1, 1, 1)
    assert target.raw_names() == []


async def test_after_a_minute_a_removal_spares_the_old_owners_keys(
    other: StateStore, one: StateStore, clock: Clock
) -> None:
    await one.tenant("globex").set("exec:e1:mine", b"v")
    clock.advance(61)
    assert (await other.delete_execution_state(E1)).snapshots == 1
    assert await one.tenant("globex").get("exec:e1:mine") == b"v"


async def test_the_new_owner_can_save(other: StateStore) -> None:
    await other.save_snapshot(snapshot(E1, ACME, 8))


async def test_the_old_owner_is_refused_after_a_minute(other: StateStore, clock: Clock) -> None:
    clock.advance(61)
    with pytest.raises(errors.TenantMismatch):
        await other.save_snapshot(snapshot(E1, "globex", 9))

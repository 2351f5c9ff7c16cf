"""Saves that never go backwards, whoever has saved meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statebucket import StateStore, Version, errors
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.targets.local import MemoryTarget

pytestmark = pytest.mark.asyncio


@pytest.fixture
def target() -> MemoryTarget:
    return MemoryTarget()


@pytest.fixture
def acme(target: MemoryTarget) -> StateStore:
    return target.open().tenant(ACME)


async def ahead(acme: StateStore, target: MemoryTarget) -> Version:
    """Another process saves a later snapshot than the one that this process has seen."""
    await acme.save_snapshot(snapshot(number=5))
    return await target.open().save_snapshot(snapshot(number=10))


async def number(acme: StateStore) -> int | None:
    loaded = await acme.load_snapshot(E1)
    return None if loaded is None else loaded.sequence_number


async def test_only_newer_looks_at_a_version_that_only_the_caller_knows(
    acme: StateStore, target: MemoryTarget
) -> None:
    theirs = await ahead(acme, target)
    with pytest.raises(errors.StaleSnapshot):
        await acme.save_snapshot(snapshot(number=7), only_newer=True, if_version=theirs)
    assert await number(acme) == 10
    await acme.save_snapshot(snapshot(number=11), only_newer=True, if_version=theirs)
    assert await number(acme) == 11


async def test_only_newer_looks_at_what_was_stored_when_a_lease_was_taken(
    acme: StateStore, target: MemoryTarget
) -> None:
    await ahead(acme, target)
    async with acme.lease(E1, ttl=timedelta(hours=1)) as lease:
        before = acme.stats().requests
        with pytest.raises(errors.StaleSnapshot):
            await acme.save_snapshot(snapshot(number=7), only_newer=True, lease=lease)
        assert acme.stats().requests - before == 1
        await acme.save_snapshot(snapshot(number=11), only_newer=True, lease=lease)
        assert acme.stats().requests - before == 2
    assert await number(acme) == 11


async def test_only_newer_that_creates_looks_at_nothing_that_is_gone(
    acme: StateStore, target: MemoryTarget
) -> None:
    await acme.save_snapshot(snapshot(number=5))
    await target.open().tenant(ACME).delete_snapshot(E1)
    await acme.save_snapshot(snapshot(number=1), only_newer=True, if_version=Version.ABSENT)
    assert await number(acme) == 1

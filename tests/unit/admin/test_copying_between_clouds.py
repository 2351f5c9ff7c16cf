"""A store copied object by object from one service reads the same on another."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, Version
from support.targets.azure import AzureTarget, raw_container
from support.targets.gcs import GCSTarget
from support.targets.local import MemoryTarget, SQLiteTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statebucket import StateStore
    from statebucket.testing import Target
    from support.servers import Server

SERVICES = ("memory", "sqlite", "s3", "gcs", "azure")
DAY = timedelta(days=1)
BINARY = bytes(range(256)) + b" \t\r\n" * 8
SNAPSHOT = ExecutionSnapshot(
    execution_id=ExecutionId("é/1"),
    tenant_id=TenantId("a b"),
    state=ExecutionState.PAUSED,
    sequence_number=2**64 - 1,
    variables={"deep": [{"x": None}], "☕": 1.5},
)


@pytest.fixture
def make(
    moto: Server, fake: Server, azurite: Server, tmp_path: Path
) -> Iterator[Callable[[str], Target]]:
    """Makes a place on a service."""
    with raw_container(azurite) as raw:
        kinds: dict[str, Callable[[], Target]] = {
            "memory": MemoryTarget,
            "sqlite": lambda: SQLiteTarget(tmp_path),
            "s3": lambda: S3Target(moto, raw_client(moto)),
            "gcs": lambda: GCSTarget(fake.url),
            "azure": lambda: AzureTarget(azurite, raw),
        }
        yield lambda service: kinds[service]()


async def write(store: StateStore) -> None:
    """State of every kind."""
    await store.save_snapshot(SNAPSHOT, ttl=2 * DAY)
    view = store.tenant("a b")
    await view.set("exec:é/1:k/1", BINARY, DAY)
    await view.set_json("settings", {"a": [1, None]})
    await store.set("shared~key", b"", 3 * DAY)
    await store.set("exec:é/1:shared", b"\n\n")


async def check(store: StateStore, now: float) -> None:
    """That all of it is there, and goes when it should."""
    stored = await store.load_stored("é/1")
    assert stored is not None
    assert stored.value == SNAPSHOT
    assert stored.size == len(SNAPSHOT.to_json())
    assert stored.expires_at is not None
    assert stored.expires_at.timestamp() == now + 2 * DAY.total_seconds()
    view = store.tenant("a b")
    assert await view.get("exec:é/1:k/1") == BINARY
    assert await view.get_json("settings") == {"a": [1, None]}
    assert await store.get("shared~key") == b""
    assert await store.get("exec:é/1:shared") == b"\n\n"
    assert [tenant async for tenant in store.iter_tenants()] == ["a b"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("source", "sink"), [*permutations(SERVICES, 2)])
async def test_a_copied_store_reads_the_same(
    make: Callable[[str], Target], source: str, sink: str
) -> None:
    written, copied = make(source), make(sink)
    copied.clock.now = now = written.clock.now
    async with written.open() as store:
        await write(store)
    names = written.raw_names()
    for name in names:
        raw = written.raw_get(name)
        assert raw is not None
        copied.raw_put(name, raw.body, raw.metadata)
    assert copied.raw_names() == names
    async with copied.open() as store:
        await check(store, now)
        # And it is a store like any other: conditions, expiry, clean-up.
        stored = await store.load_stored("é/1")
        assert stored is not None
        version = await store.save_snapshot(
            stored.value.advance(sequence_number=7), if_version=stored.version, ttl=2 * DAY
        )
        assert version not in {stored.version, Version.ABSENT}
        copied.clock.advance(DAY)
        assert await store.tenant("a b").get("exec:é/1:k/1") is None
        copied.clock.advance(DAY)
        assert await store.load_snapshot("é/1") is None
        await store.delete_execution_state("é/1")
        assert [name for name in copied.raw_names() if "~C3~A9" in name] == []


@pytest.mark.asyncio
async def test_the_names_are_the_same_everywhere(make: Callable[[str], Target]) -> None:
    listed = {}
    for service in SERVICES:
        target = make(service)
        async with target.open() as store:
            await write(store)
        listed[service] = target.raw_names()
    assert listed["memory"]
    assert all(names == listed["memory"] for names in listed.values())

"""The storage keeps the promises of Strands' own storages, on every service."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from strands.session import SnapshotSessionManager
from strands.storage import Storage
from strands.storage.search import KeywordSearchStrategy
from strands.types.exceptions import StorageError

from integrations.strands.app import Scripted, agent, texts
from statebucket import errors, open_store
from statebucket.testing import Clock
from statebucket_strands import StatebucketSessionManager, StatebucketStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket import StateStore
    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def store(deployment: Deployment) -> AsyncIterator[StateStore]:
    async with deployment.open() as opened:
        yield opened


@pytest_asyncio.fixture
async def storage(store: StateStore) -> StatebucketStorage:
    return StatebucketStorage(store)


@pytest.fixture
def local() -> StatebucketStorage:
    """A storage in memory, for what is the same on every service."""
    return StatebucketStorage(open_store("memory://"))


class Index(KeywordSearchStrategy):
    """A search strategy that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def index(self, storage: Storage, key: str, data: bytes, **_options: Any) -> None:
        self.asked.append((storage, key, data))
        if data == b"unfit":
            raise ValueError(data)

    async def search(self, storage: Storage, query: str, **_options: Any) -> Any:
        self.asked.append((storage, query))
        return []


async def test_what_is_written_is_read_replaced_and_deleted(storage: StatebucketStorage) -> None:
    assert isinstance(storage, Storage)
    assert await storage.read("k") is None
    await storage.delete("k")
    every_byte = bytes(range(256))
    for data in (every_byte, b"", b"second"):
        await storage.write("a/k", data)
        assert await storage.read("a/k") == data
    await storage.delete("a/k")
    assert await storage.read("a/k") is None
    assert await storage.list("") == []


async def test_lists_by_prefix_in_the_order_of_characters(storage: StatebucketStorage) -> None:
    keys = ["b", "a", "c", "sessions/b", "sessions/a", "sessions-old/a", "Sessions", "s é~/%2F"]
    for key in keys:
        await storage.write(key, b"")
    assert await storage.list() == sorted(keys)
    assert await storage.list("sessions/") == ["sessions/a", "sessions/b"]
    assert await storage.list("/sessions") == ["sessions-old/a", "sessions/a", "sessions/b"]
    assert await storage.list("none/") == []


async def test_a_key_is_written_in_one_way_only(local: StatebucketStorage) -> None:
    await local.write("//foo///bar//", b"data")
    assert await local.read("foo/bar") == b"data"
    assert await local.list("//foo//") == ["foo/bar"]
    await local.write("a..b/.c", b"dots within a name")
    for bad in ("", "///", "..", "../bad", "a/../b", "a\\b", "..\\a"):
        for call in (local.read(bad), local.delete(bad), local.write(bad, b"")):
            with pytest.raises(StorageError, match="storage key"):
                await call
    for bad in ("..", "a/../b", "a\\b"):
        with pytest.raises(StorageError, match="storage prefix"):
            await local.list(bad)
        with pytest.raises(StorageError, match="storage prefix"):
            local.namespace(bad)


async def test_a_namespace_is_a_storage_of_what_is_below_it(storage: StatebucketStorage) -> None:
    scoped = storage.namespace("memory/agent/")
    await scoped.write("notes.md", b"hello")
    await storage.write("other/memory-agent-notes.md", b"memory agent")
    assert isinstance(scoped, StatebucketStorage)
    assert await storage.list("memory") == ["memory/agent/notes.md"]
    assert await scoped.list("") == ["notes.md"]
    assert await storage.namespace("memory").namespace("agent").read("notes.md") == b"hello"
    assert await storage.namespace("").list("memory") == ["memory/agent/notes.md"]
    await scoped.delete("notes.md")
    assert await storage.list("") == ["other/memory-agent-notes.md"]


async def test_searches_by_words_within_a_namespace(storage: StatebucketStorage) -> None:
    await storage.write("other/memory-agent-deploy.md", b"unrelated")
    scoped = storage.namespace("memory/agent")
    await scoped.write("deploy.md", b"blue green deploys")
    await scoped.write("theme.md", b"dark mode for the memory")
    found = await scoped.search("memory agent deploy dark")
    assert [(result.key, result.score) for result in found] == [("theme.md", 2), ("deploy.md", 1)]
    assert found[0].data == b"dark mode for the memory"


async def test_a_search_strategy_indexes_and_searches() -> None:
    index = Index()
    storage = StatebucketStorage(open_store("memory://"), search_strategy=index)
    scoped = storage.namespace("memory")
    await storage.write("/k", b"data")
    await scoped.write("deploy.md", b"x")
    assert await scoped.search("query") == []
    assert index.asked == [(storage, "k", b"data"), (scoped, "deploy.md", b"x"), (scoped, "query")]
    with pytest.raises(StorageError, match="could not index"):
        await storage.write("odd", b"unfit")
    assert await storage.read("odd") == b"unfit"


async def test_a_session_manager_adds_no_prefix_to_a_namespace(local: StatebucketStorage) -> None:
    for storage in (local, local.namespace("team")):
        manager = SnapshotSessionManager("s", storage=storage)
        await agent(manager).invoke_async("hello")
    latest = "s/scopes/agent/default/snapshots/snapshot_latest.json"
    assert await local.list("") == [f"session/{latest}", f"team/{latest}"]


async def test_failures_are_strands_errors_with_their_cause() -> None:
    storage = StatebucketStorage(open_store("sqlite:////no/such/folder/state.db", deadline=1))
    calls = {
        "write 'k'": storage.write("k", b""),
        "read 'k'": storage.read("k"),
        "delete 'k'": storage.delete("k"),
        "list 'k'": storage.list("k"),
    }
    for said, call in calls.items():
        with pytest.raises(StorageError, match=f"Failed to {said}: .+") as raised:
            await call
        assert isinstance(raised.value.__cause__, errors.StateBucketError)
    with pytest.raises(StorageError, match="Failed to write"):
        await storage.write("k" * 2000, b"")


async def test_a_ttl_is_of_each_write() -> None:
    clock = Clock()
    store = open_store("memory://", clock=clock)
    storage = StatebucketStorage(store, ttl=timedelta(hours=1))
    await storage.namespace("a").write("k", b"1")
    clock.advance(timedelta(minutes=59))
    assert await storage.read("a/k") == b"1"
    await storage.write("a/k", b"2")
    clock.advance(timedelta(minutes=59))
    assert await storage.read("a/k") == b"2"
    clock.advance(timedelta(minutes=1))
    assert await storage.read("a/k") is None


async def test_leaves_what_else_is_in_the_tenant_alone() -> None:
    store = open_store("memory://")
    acme = store.tenant("acme")
    await acme.set("other", b"1")
    await StatebucketStorage(acme).write("k", b"2")
    await StatebucketStorage(store).write("k", b"3")
    assert await StatebucketStorage(acme).list("") == ["k"]
    assert sorted([key async for key in acme.iter_keys()]) == ["other", "strands/k"]
    assert [tenant async for tenant in store.iter_tenants()] == ["acme", "strands"]


async def test_many_at_once(storage: StatebucketStorage) -> None:
    keys = [f"k{n:02}" for n in range(40)]
    await asyncio.gather(*(storage.write(key, key.encode()) for key in keys))
    assert await asyncio.gather(*map(storage.read, keys)) == [key.encode() for key in keys]
    assert await storage.list("k") == keys


async def test_a_session_of_snapshots_goes_on_with_a_lease_and_back(
    storage: StatebucketStorage, store: StateStore
) -> None:
    first = SnapshotSessionManager("s", storage=storage)
    await agent(first).invoke_async("one")
    await agent(StatebucketSessionManager("s", store), Scripted()).invoke_async("two")
    last = agent(SnapshotSessionManager("s", storage=storage))
    assert texts(last.messages) == ["one", "ONE", "two", "TWO"]


async def test_a_sweep_of_orphans_leaves_what_has_no_snapshot() -> None:
    clock = Clock()
    async with open_store("memory://", clock=clock) as store:
        storage = StatebucketStorage(store)
        await storage.write("exec:e1:notes", b"kept")
        manager = StatebucketSessionManager("s", store, snapshot_trigger=lambda **_: True)
        speaker = agent(manager)
        await speaker.invoke_async("one")
        clock.advance(timedelta(days=30))
        swept = await store.sweep(orphans=True)
        assert swept.orphans == 0
        assert await storage.read("exec:e1:notes") == b"kept"
        assert agent(StatebucketSessionManager("s", store)).messages == speaker.messages
        assert len(await manager.list_snapshot_ids(speaker)) == 1

"""Name, health, shutting down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket import StateStore, StorageBackend
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket.testing.target import Target


class BackendContract(Contract):
    """The storage-backend part."""

    async def test_implements_both_protocols(self, store: StateStore) -> None:
        assert isinstance(store, StorageBackend)
        assert isinstance(store, StateStore)
        assert isinstance(store.tenant(ACME), StateStore)

    async def test_is_air_gapped_exactly_without_a_network(self, store: StateStore) -> None:
        assert store.name
        assert store.supports_air_gapped is not store.requires_network

    async def test_is_healthy(self, store: StateStore, target: Target) -> None:
        await store.health_check()
        await store.tenant(ACME).health_check()
        assert target.raw_names() == []

    async def test_can_be_shut_down_twice_and_used_again(self, store: StateStore) -> None:
        await store.save_snapshot(snapshot())
        await store.shutdown()
        await store.shutdown()
        assert await store.load_snapshot(E1) == snapshot(timestamp=(await _stamp(store)))

    async def test_works_without_async_with(self, target: Target) -> None:
        store = target.open()
        await store.set("k", b"v")
        assert await store.get("k") == b"v"
        await store.shutdown()

    async def test_does_not_show_secrets_in_its_repr(self, target: Target) -> None:
        text = repr(target.open())
        assert "StateStore" in text
        assert "secret" not in text.lower()


async def _stamp(store: StateStore) -> object:
    loaded = await store.load_snapshot(E1)
    assert loaded is not None
    return loaded.timestamp

"""Ids and keys of any form: an exact round trip or a typed error, never another object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.testing.contract.base import ACME, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.target import Target

AWKWARD = [
    *(".", "..", "...", ".a", "a.", "a./b", "a/../b", "../../owners/e1"),
    *("/", "//", "a//b", "/a", "a/", "\\", "a:b", "tenants", "con"),
    *("~", "~2F", "~7E2F", "%", "%2F", "%48", "a b+c", "#", "?a=b", "*", "&<>\"'", "$metadata"),
    *("\x00", "\n", "\r\n", "\t", "\x7f", " ", " a ", "\u202e", "\ufeff"),
    *("é", "e\u0301", "€" * 100, "👩‍👩‍👧", "\uff21", "A", "a", "-", "--", "_", "x" * 300),
]


class NameContract(Contract):
    """Names through the whole store and service."""

    async def test_awkward_keys_stay_distinct(self, store: StateStore) -> None:
        for at, key in enumerate(AWKWARD):
            await store.set(key, str(at).encode())
        for at, key in enumerate(AWKWARD):
            assert await store.get(key) == str(at).encode(), repr(key)
        assert sorted([key async for key in store.iter_keys()]) == sorted(AWKWARD)
        for key in AWKWARD[::2]:
            await store.delete(key)
        assert sorted([key async for key in store.iter_keys()]) == sorted(AWKWARD[1::2])

    async def test_awkward_executions_and_tenants_stay_distinct(self, store: StateStore) -> None:
        names = [name for name in AWKWARD if ":" not in name and len(name) < 100]
        for at, name in enumerate(names):
            await store.save_snapshot(snapshot(name, f"t{name}", at))
        for at, name in enumerate(names):
            loaded = await store.load_snapshot(name)
            assert loaded is not None
            assert (loaded.execution_id, loaded.sequence_number) == (name, at)
            assert await store.list_snapshots(f"t{name}") == [name]
        assert sorted([tenant async for tenant in store.iter_tenants()]) == sorted(
            f"t{name}" for name in names
        )

    async def test_pairs_that_join_alike_stay_apart(self, store: StateStore) -> None:
        pairs = [("a", "b/c"), ("a/b", "c"), ("a", "b_c"), ("a_b", "c"), ("a", "b"), ("ab", "")]
        for tenant, key in pairs:
            await store.tenant(tenant).set(f"k{key}", f"{tenant}|{key}".encode())
        for tenant, key in pairs:
            assert await store.tenant(tenant).get(f"k{key}") == f"{tenant}|{key}".encode()
        for execution, key in pairs:
            await store.set(f"exec:{execution}:k{key}", f"{execution}|{key}".encode())
        for execution, key in pairs:
            assert await store.get(f"exec:{execution}:k{key}") == f"{execution}|{key}".encode()

    async def test_a_name_of_1024_bytes_fits_and_one_more_does_not(
        self, acme: StateStore, target: Target
    ) -> None:
        room = 1024 - len(f"{target.prefix}tenants/acme/keys/")
        await acme.set("x" * room, b"v")
        assert await acme.get("x" * room) == b"v"
        assert len(target.prefix + target.raw_names()[0]) == 1024
        for key in ("x" * (room + 1), "€" * 400):
            with pytest.raises(errors.InvalidKey, match="1024"):
                await acme.set(key, b"v")
            with pytest.raises(errors.InvalidKey, match="1024"):
                await acme.get(key)

    async def test_a_tenant_cannot_reach_out_of_its_prefix(
        self, store: StateStore, target: Target
    ) -> None:
        await store.tenant("a/../" + ACME).set("k", b"v")
        await store.tenant("..").set("../../shared/keys/k", b"v")
        await store.tenant("acme/keys").set("exec:../..:k", b"v")
        names = target.raw_names()
        assert len(names) == 3
        assert all(name.startswith("tenants/") for name in names)
        assert await store.tenant(ACME).get("k") is None
        assert await store.get("k") is None
        assert [key async for key in store.tenant(ACME).iter_keys()] == []

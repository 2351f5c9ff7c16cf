"""Copies and inventories in parts: together they match those of the whole."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from statebucket.admin import copy, inventory
from statebucket.testing.contract.base import snapshot

if TYPE_CHECKING:
    from statebucket import StateStore

pytestmark = pytest.mark.asyncio

TENANTS = ("acme", "acme-eu", "b")


async def filled() -> StateStore:
    """Executions with snapshots, keys with a tenant and without, and keys of no execution."""
    store = open_store("memory://")
    for tenant in TENANTS:
        view = store.tenant(tenant)
        for at in range(8):
            await view.save_snapshot(snapshot(f"{tenant}-{at}", tenant_id=tenant))
            await view.set(f"exec:{tenant}-{at}:k", b"v")
            await view.set(f"k{at}", b"v")
        await view.set(f"exec:{tenant}:alone", b"v")
    for at in range(8):
        await store.set(f"exec:acme-{at}:shared", b"v")
        await store.set(f"k{at}", b"v")
    await store.set("exec:alone:shared", b"v")
    return store


async def names(store: StateStore) -> list[str]:
    bucket = store.context.objects.bucket  # type: ignore[attr-defined]
    return sorted(bucket._objects)


@pytest.mark.parametrize("n", [1, 4, 9])
async def test_copies_of_the_parts_make_a_copy_of_the_whole(n: int) -> None:
    source, whole, target = await filled(), open_store("memory://"), open_store("memory://")
    expected = await copy(source, whole)
    parts = await source.partitions(n)
    assert len(parts) == n
    reports = [await copy(source, target, partition=part) for part in reversed(parts)]
    total = reduce(add, reports)
    assert await names(target) == await names(whole) == await names(source)
    assert (total.copied, total.failed, total.ok) == (expected.copied, 0, True)
    again = reduce(add, [await copy(source, target, partition=part) for part in parts])
    assert (again.copied, again.same) == (0, expected.copied)


async def test_the_parts_of_one_tenant_are_copied_with_its_executions_shared_keys() -> None:
    source, whole, target = await filled(), open_store("memory://"), open_store("memory://")
    await copy(source, whole, tenants=["acme"])
    for part in await source.partitions(3, tenant="acme"):
        await copy(source, target, partition=part)
    assert await names(target) == await names(whole)
    with pytest.raises(errors.InvalidArgument, match="tenants or a partition, not both"):
        await copy(source, target, tenants=["acme"], partition=part)


async def test_an_execution_that_is_newer_there_stays_as_a_whole_in_any_part() -> None:
    source, target = await filled(), open_store("memory://")
    newer = snapshot("acme-1", tenant_id="acme", number=9)
    await target.tenant("acme").save_snapshot(newer)
    await target.set("exec:acme-1:shared", b"theirs")
    reports = [await copy(source, target, partition=part) for part in await source.partitions(5)]
    assert reduce(add, reports).newer == 3
    assert await target.get("exec:acme-1:shared") == b"theirs"
    assert await target.tenant("acme").get("exec:acme-1:k") is None


async def test_of_many_failures_some_are_kept_and_all_are_counted() -> None:
    source = open_store("memory://")
    for at in range(250):
        await source.set(f"k{at}", b"v")
    target = open_store("memory://?owner_index=false")
    reports = [await copy(source, target, partition=part) for part in await source.partitions(3)]
    total = reduce(add, reports)
    assert (total.failed, len(total.failures), total.ok) == (250, 100, False)


@pytest.mark.parametrize("n", [1, 2, 5])
async def test_what_several_tenants_share_is_counted_once_and_so_is_each_tenant(n: int) -> None:
    source = open_store("memory://")
    for at in range(8):
        for tenant in ("a", "b", "c"):
            view = source.tenant(tenant)
            await view.save_snapshot(view.snapshot(f"e{at}"))
        await source.set(f"exec:e{at}:k", b"v")
    await source.tenant("a").delete_snapshot("e0")
    expected = await copy(source, open_store("memory://"))
    target = open_store("memory://")
    parts = await source.partitions(n)
    total = reduce(add, [await copy(source, target, partition=part) for part in parts])
    assert (total.tenants, total.seen, total.copied) == (3, expected.seen, expected.copied)
    assert (total.same, total.bytes) == (0, expected.bytes)
    again = reduce(add, [await copy(source, target, partition=part) for part in parts])
    assert (again.seen, again.same) == (expected.seen, expected.seen)
    alone = [
        await copy(source, target, partition=part)
        for part in await source.partitions(n, tenant="b")
    ]
    assert reduce(add, alone).tenants == 1


@pytest.mark.parametrize("n", [1, 3, 7])
async def test_inventories_of_the_parts_add_up(n: int) -> None:
    store = await filled()
    whole = await inventory(store)
    parts = [await inventory(store, partition=part) for part in await store.partitions(n)]
    assert reduce(add, parts) == whole
    assert set(whole.tenants) == set(TENANTS)
    acme = whole.tenants["acme"]
    assert (acme.snapshots, acme.keys) == (8, 17)
    assert (whole.shared.keys, whole.owners) == (17, 24)
    assert whole.objects == whole.listed == len(await names(store))


async def test_an_inventory_of_one_tenant() -> None:
    store = await filled()
    alone = await inventory(store, tenant="b")
    assert list(alone.tenants) == ["b"]
    assert alone == await inventory(store.tenant("b"))
    assert alone.owners is None  # no one counted them: they lie outside the tenant's folder
    assert alone.objects == alone.tenants["b"].objects
    parts = await store.partitions(3, tenant="b")
    assert reduce(add, [await inventory(store, partition=part) for part in parts]) == alone
    seen: list[int] = []
    await inventory(store, progress=lambda so_far: seen.append(so_far.listed))
    assert seen[-1] == len(await names(store))

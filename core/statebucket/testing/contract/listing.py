"""Listing snapshots, keys and tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.testing.contract.base import ACME, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.target import Target

MANY = 1003  # more than a page


class ListingContract(Contract):
    """``list_snapshots``, ``iter_snapshots``, ``iter_keys``, ``iter_tenants``."""

    async def test_snapshots_are_listed_in_order_up_to_a_limit(self, store: StateStore) -> None:
        for name in ("c", "a", "b", "a/b", "é"):
            await store.save_snapshot(snapshot(name))
        await store.save_snapshot(snapshot("z", "other"))
        listed = await store.list_snapshots(ACME, 10)
        assert sorted(listed) == sorted(["a", "a/b", "b", "c", "é"])
        assert await store.list_snapshots(ACME, 2) == listed[:2]
        assert await store.list_snapshots(ACME, 0) == []
        assert await store.list_snapshots(ACME, 5) == listed
        assert [id_ async for id_ in store.iter_snapshots(ACME)] == listed
        assert await store.tenant(ACME).list_snapshots(ACME, 10) == listed
        assert await store.list_snapshots("nobody", 10) == []

    @pytest.mark.parametrize("limit", [-1, True, 1.5, "3", None])
    async def test_a_limit_is_a_whole_number(self, store: StateStore, limit: object) -> None:
        with pytest.raises(errors.InvalidArgument):
            await store.list_snapshots(ACME, limit)  # type: ignore[arg-type]  # that is the point

    async def test_listings_go_over_several_pages(self, store: StateStore, target: Target) -> None:
        names = [f"e{number:05}" for number in range(MANY)]
        target.raw_put_many(f"tenants/acme/snapshots/{name}" for name in names)
        assert await store.list_snapshots(ACME, MANY - 1) == names[:-1]
        assert await store.list_snapshots(ACME, 5000) == names
        assert [id_ async for id_ in store.iter_snapshots(ACME)] == names

    async def test_deleting_while_iterating_skips_nothing(self, store: StateStore) -> None:
        names = [f"k{number:02}" for number in range(20)]
        for name in names:
            await store.set(name, b"v")
        seen = []
        async for key in store.iter_keys():
            seen.append(key)
            await store.delete(key)
        assert seen == names
        assert [key async for key in store.iter_keys()] == []

    async def test_tenants_are_listed_by_prefix(self, store: StateStore) -> None:
        for tenant in ("b", "a", "a/b", "ab", "é", "a-b", "a.b"):
            await store.tenant(tenant).set("k", b"v")
        await store.save_snapshot(snapshot("e", "snapshots-only"))
        assert sorted([tenant async for tenant in store.iter_tenants()]) == sorted(
            ["b", "a", "a/b", "ab", "é", "a-b", "a.b", "snapshots-only"]
        )

    async def test_more_tenants_than_a_page(self, store: StateStore, target: Target) -> None:
        names = [f"t{number:05}" for number in range(MANY)]
        target.raw_put_many(f"tenants/{name}/keys/k" for name in names)
        assert [tenant async for tenant in store.iter_tenants()] == names

    async def test_an_empty_place_lists_nothing(self, store: StateStore) -> None:
        assert await store.list_snapshots(ACME, 10) == []
        assert [key async for key in store.iter_keys()] == []
        assert [tenant async for tenant in store.iter_tenants()] == []

    async def test_objects_that_are_not_ours_are_passed_over(
        self, store: StateStore, target: Target
    ) -> None:
        await store.save_snapshot(snapshot())
        target.raw_put("tenants/acme/snapshots/not~2eours", b"x")
        target.raw_put("tenants/acme/snapshots/a~3Ab", b"x")  # a colon is no execution's
        target.raw_put("tenants/b~ad/keys/k", b"x")
        target.raw_put("shared/keys/(odd)", b"x")
        assert await store.list_snapshots(ACME, 10) == ["e1"]
        assert [tenant async for tenant in store.iter_tenants()] == [ACME]
        assert [key async for key in store.iter_keys()] == []

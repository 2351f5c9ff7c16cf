"""Listing snapshots, keys, executions and tenants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from statebucket import errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket import Entry, StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

T = TypeVar("T")

MANY = 1003  # more than a page
LAST = "\U0010ffff"  # no name comes behind its own
TEXTS = [  # each of them also as the beginning of others, whatever its escaped form
    *("a", "a.", "a..", "a.b", "a.b.", "a-", "a-b", "a_", "ab", "A", "~", "~2", "~2E", "~2Ea"),
    *(
        ".",
        "..",
        "..a",
        ".a",
        ".a.",
        " ",
        "a b",
        "a/b",
        "a/",
        "%",
        "é",
        "éa",
        "e",
        "日",
        "日本",
        "0",
    ),
]


class ListingContract(Contract):
    """``list_snapshots``, ``iter_…``, ``scan_…``."""

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
        assert await store.list_snapshots("unknown", 10) == []

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
        target.raw_put("tenants/acme/snapshots/a~3ab", b"x")
        target.raw_put("tenants/b~ad/keys/k", b"x")
        target.raw_put("shared/keys/(odd)", b"x")
        assert await store.list_snapshots(ACME, 10) == ["e1"]
        assert [tenant async for tenant in store.iter_tenants()] == [ACME]
        assert [key async for key in store.iter_keys()] == []

    async def test_a_prefix_is_of_the_text_whatever_its_escaped_form(
        self, store: StateStore, acme: StateStore
    ) -> None:
        for text in TEXTS:
            await acme.set(text, b"v")
            await acme.save_snapshot(snapshot(text))
        keys = await _all(acme.iter_keys())
        executions = await _all(acme.iter_snapshots())
        assert sorted(keys) == sorted(executions) == sorted(TEXTS)
        for prefix in ["", *TEXTS, "a.b.c", "e\u0301", "nothing"]:
            expected = [text for text in keys if text.startswith(prefix)]
            assert await _all(acme.iter_keys(prefix=prefix)) == expected, prefix
            assert await _all(store.iter_snapshots(ACME, prefix=prefix)) == expected, prefix

    async def test_a_listing_goes_on_behind_any_text(self, acme: StateStore) -> None:
        for text in TEXTS:
            await acme.set(text, b"v")
        keys = await _all(acme.iter_keys())
        for at, key in enumerate(keys):
            assert await _all(acme.iter_keys(after=key)) == keys[at + 1 :]
            assert await _all(acme.iter_keys(after=key, limit=2)) == keys[at + 1 : at + 3]
        # Which is not there, before all others and behind them.
        assert await _all(acme.iter_keys(after="-")) == keys
        assert await _all(acme.iter_keys(after=LAST)) == []
        for prefix in ("a", "a.", ".", "a.b"):
            begun = [key for key in keys if key.startswith(prefix)]
            for at, key in enumerate(begun):
                assert await _all(acme.iter_keys(prefix=prefix, after=key)) == begun[at + 1 :]
            assert await _all(acme.iter_keys(prefix=prefix, after="-")) == begun
            assert await _all(acme.iter_keys(prefix=prefix, after=LAST)) == []

    async def test_pages_of_any_size_make_up_the_listing(self, acme: StateStore) -> None:
        names = [f"e{number}" for number in range(7)]
        for name in names:
            await acme.save_snapshot(snapshot(name))
        for size in (1, 3, 7, 8):
            seen: list[str] = []
            while page := await _all(
                acme.iter_snapshots(after=seen[-1] if seen else None, limit=size)
            ):
                assert len(page) <= size
                seen += page
            assert seen == names
        assert await _all(acme.iter_snapshots(limit=0)) == []

    async def test_a_listing_goes_on_behind_a_page(self, store: StateStore, target: Target) -> None:
        names = [f"e{number:05}" for number in range(MANY)]
        target.raw_put_many(f"tenants/acme/snapshots/{name}" for name in names)
        assert await _all(store.iter_snapshots(ACME, after=names[1])) == names[2:]
        assert await _all(store.iter_snapshots(ACME, limit=MANY - 1)) == names[:-1]
        assert await _all(store.iter_snapshots(ACME, prefix="e0100")) == names[-3:]

    async def test_an_executions_keys_are_selected_by_the_whole_key(
        self, store: StateStore, acme: StateStore
    ) -> None:
        for view in (store, acme):
            for rest in ("row-1", "row-2", "note", "row.", "exec:e1:x"):
                await view.set(f"exec:e1:{rest}", b"v")
            await view.set("exec:e12:row-1", b"v")
            keys = await _all(view.iter_keys(E1))
            assert sorted(keys) == sorted(
                f"exec:e1:{rest}" for rest in ("row-1", "row-2", "note", "row.", "exec:e1:x")
            )
            for prefix in ("", "ex", "exec:e1:", "exec:e1:row", "exec:e1:row.", "exec:e1:e"):
                expected = [key for key in keys if key.startswith(prefix)]
                assert await _all(view.iter_keys(E1, prefix=prefix)) == expected
            for at, key in enumerate(keys):
                assert await _all(view.iter_keys(E1, after=key)) == keys[at + 1 :]
            assert [entry.key async for entry in view.scan_keys(E1, limit=2)] == keys[:2]

    async def test_what_is_not_a_selection_is_refused(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        target.requests()
        lists: list[Any] = [
            acme.iter_snapshots,
            acme.scan_snapshots,
            acme.iter_keys,
            acme.scan_keys,
        ]
        for lists_some in lists:
            for limit in (-1, True, 1.5, "3"):
                with pytest.raises(errors.InvalidArgument, match="limit"):
                    await _all(lists_some(limit=limit))
            for text in (5, b"a", "\ud800"):
                with pytest.raises(errors.InvalidKey, match="prefix"):
                    await _all(lists_some(prefix=text))
                with pytest.raises(errors.InvalidKey, match="after"):
                    await _all(lists_some(after=text))
            with pytest.raises(errors.InvalidKey, match="after must not be empty"):
                await _all(lists_some(after=""))
            with pytest.raises(errors.InvalidKey, match="1024"):
                await _all(lists_some(after="k" * 1024))
            assert await _all(lists_some(prefix="k" * 1024)) == []
        for prefix in ("row", "exec:e2:", "exec:e1"[1:]):
            with pytest.raises(errors.InvalidArgument, match="exec:e1:"):
                await _all(acme.iter_keys(E1, prefix=prefix))
        with pytest.raises(errors.InvalidArgument, match="after='exec:e1:row'"):
            await _all(acme.iter_keys(E1, after="row"))
        with pytest.raises(errors.InvalidArgument, match="by its id"):
            await _all(acme.iter_keys(prefix="exec:e1:"))
        for needs_tenant in (store.iter_snapshots, store.scan_snapshots):
            with pytest.raises(errors.UnsupportedOperation, match="needs a tenant"):
                await _all(needs_tenant())
        with pytest.raises(errors.UnsupportedOperation, match="needs a tenant"):
            await store.list_snapshots()
        for others in (acme.iter_snapshots, acme.scan_snapshots, acme.iter_executions):
            with pytest.raises(errors.TenantMismatch):
                await _all(others("other"))
        assert target.requests() in {0, None}

    async def test_a_view_lists_its_own_tenant(self, store: StateStore, acme: StateStore) -> None:
        await store.save_snapshot(snapshot())
        await store.save_snapshot(snapshot("e2", "other"))
        assert await acme.list_snapshots() == [E1]
        assert await _all(acme.iter_snapshots()) == [E1]
        assert [entry.id async for entry in acme.scan_snapshots()] == [E1]
        assert await _all(acme.iter_executions()) == [E1]

    async def test_a_scan_shows_sizes_and_times(
        self, acme: StateStore, target: Target, clock: Clock
    ) -> None:
        before = datetime.now(UTC)
        await acme.set("k", b"12345", timedelta(days=2))
        await acme.set("exec:e1:k", b"123")
        await acme.save_snapshot(snapshot(), ttl=timedelta(days=2))
        expires = datetime.fromtimestamp(clock(), UTC) + timedelta(days=2)
        stored = await acme.load_stored(E1)
        assert stored is not None
        entries: list[tuple[Entry, int, datetime | None]] = [
            ((await _all(acme.scan_keys()))[0], 5, expires),
            ((await _all(acme.scan_keys(E1)))[0], 3, None),
            ((await _all(acme.scan_snapshots()))[0], stored.size, expires),
        ]
        assert [entry.key async for entry in acme.scan_keys()] == ["k"]
        assert [entry.id async for entry in acme.scan_snapshots()] == [E1]
        for entry, size, at in entries:
            assert entry.modified_at is not None
            assert entry.modified_at.tzinfo is UTC
            assert abs(entry.modified_at - before) < timedelta(hours=1)
            if target.lists_metadata:
                assert (entry.size, entry.expires_at) == (size, at)
            else:
                assert size <= entry.size <= size + 32
                assert entry.expires_at is None
        live = [entry async for entry in acme.scan_snapshots(live=True)]
        assert [(entry.id, entry.size, entry.expires_at) for entry in live] == [
            (E1, stored.size, expires)
        ]
        assert live[0].modified_at == entries[2][0].modified_at

    async def test_a_limit_counts_what_is_live(self, acme: StateStore, clock: Clock) -> None:
        for number in range(6):
            ttl = timedelta(minutes=1) if number % 2 == 0 else None
            await acme.save_snapshot(snapshot(f"e{number}"), ttl=ttl)
        clock.advance(timedelta(minutes=2))
        assert await _all(acme.iter_snapshots(live=True, limit=2)) == ["e1", "e3"]
        assert await _all(acme.iter_snapshots(live=True, limit=2, after="e1")) == ["e3", "e5"]
        assert len(await _all(acme.scan_snapshots(live=True, limit=9))) == 3

    async def test_a_scan_shows_what_cannot_be_read(self, acme: StateStore, target: Target) -> None:
        target.raw_put("tenants/acme/keys/a", b"v", {"expiresat": "zz"})
        target.raw_put("tenants/acme/keys/b", b"v", {"tail": "9"})
        assert [(e.key, e.size, e.expires_at) async for e in acme.scan_keys()] == [
            ("a", 1, None),
            ("b", 1, None),
        ]

    async def test_executions_have_keys_or_a_snapshot(
        self, store: StateStore, acme: StateStore
    ) -> None:
        with_keys, with_snapshot = ["a", "a-b", "a.b", "b/c", "é"], ["a", "a-c", "a-b", "z"]
        for name in with_keys:
            await acme.set(f"exec:{name}:k", b"v")
            await acme.set(f"exec:{name}:l", b"v")
        for name in with_snapshot:
            await acme.save_snapshot(snapshot(name))
        await acme.set("other", b"v")
        await store.set("exec:shared:k", b"v")
        await store.tenant("other").set("exec:others:k", b"v")
        listed = await _all(acme.iter_executions())
        assert sorted(listed) == sorted({*with_keys, *with_snapshot})
        assert listed[:4] == ["a-b", "a-c", "a.b", "a"]
        assert await _all(store.iter_executions(ACME)) == listed
        assert await _all(store.iter_executions()) == ["shared"]
        assert await _all(store.iter_executions("unknown")) == []

    async def test_a_part_of_the_executions(self, store: StateStore, acme: StateStore) -> None:
        for name in ("a", "a-b", "a.", "a.b", "b/c", "b"):
            await acme.execution(name).set("k", b"v")
            await store.execution(name).set("k", b"v")
        for name in ("a", "a.", "a.c", "b-c", "z:1"):
            await acme.save_snapshot(snapshot(name))
        for view in (acme, store):
            listed = await _all(view.iter_executions())
            for prefix in ("", "a", "a.", "a.b", "b", "b/", "z:", "none"):
                some = [one for one in listed if one.startswith(prefix)]
                assert await _all(view.iter_executions(prefix=prefix)) == some
                for at, after in enumerate(some):
                    rest = view.iter_executions(prefix=prefix, after=after)
                    assert await _all(rest) == some[at + 1 :]
            assert await _all(view.iter_executions(limit=0)) == []
            assert await _all(view.iter_executions(limit=3)) == listed[:3]
            assert await _all(view.iter_executions(after=listed[1], limit=2)) == listed[2:4]
        assert await _all(store.iter_executions(ACME, prefix="z:")) == ["z:1"]
        wrong: dict[str, Any]
        for wrong in ({"limit": -1}, {"limit": True}):
            with pytest.raises(errors.InvalidArgument, match="limit"):
                await _all(acme.iter_executions(**wrong))
        for wrong in ({"after": ""}, {"after": 3}, {"prefix": None}):
            with pytest.raises(errors.InvalidKey, match=next(iter(wrong))):
                await _all(acme.iter_executions(**wrong))

    async def test_without_an_owner_index_a_tenant_is_needed(self, target: Target) -> None:
        async with target.open(owner_index=False) as store:
            await store.tenant(ACME).set("exec:e1:k", b"v")
            assert await _all(store.iter_executions(ACME)) == [E1]
            for lists in (store.iter_executions, store.iter_keys, store.scan_keys):
                with pytest.raises(errors.UnsupportedOperation):
                    await _all(lists())


async def _all(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]

"""Pages that reply to another request: nothing of them is used."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import StateStore, Version, errors
from statebucket.port.bucket import Limits, ObjectInfo, Page, PrefixPage
from statebucket.store.page_check import PageCheck
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.scripted_bucket import ScriptedBucket, opened
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.usefixtures("_scripted")

OURS = "p/tenants/acme/snapshots/"


class Deaf(ScriptedBucket):
    """A bucket that lists everything, whatever it is asked for."""

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        del prefix
        return await super().list("", after=after, limit=limit, start_after=start_after)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        del prefix
        return await super().list_prefixes("", after=after, limit=limit, start_after=start_after)


class Pages(ScriptedBucket):
    """A bucket that lists these pages, one after the other.

    Args:
        pages: The names on each.
        limits: How the service differs.
    """

    def __init__(self, *pages: list[str], limits: Limits | None = None) -> None:
        super().__init__(limits=limits)
        self.pages = pages

    def _names(self, after: str | None) -> tuple[list[str], str | None]:
        at = int(after or 0)
        return self.pages[at], str(at + 1) if at + 1 < len(self.pages) else None

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        await super().list(prefix, after=None, limit=limit, start_after=start_after)
        names, following = self._names(after)
        return Page([ObjectInfo(name, Version("1"), 1, {}) for name in names], following)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        await super().list_prefixes(prefix, after=None, limit=limit, start_after=start_after)
        return PrefixPage(*self._names(after))


async def collected(items: Any) -> list[Any]:
    return [item async for item in items]


async def filled(bucket: ScriptedBucket) -> StateStore:
    """Two tenants, keys without one, and another program's object."""
    store = opened(bucket)
    for tenant in ("aaa", ACME, "zzz"):
        await store.tenant(tenant).save_snapshot(snapshot(f"{tenant}-1", tenant))
        await store.tenant(tenant).set(f"exec:{tenant}-1:k", b"v")
    await store.set("exec:acme-1:k", b"v")
    bucket.inner._objects["backup/of-somebody-else"] = bucket.inner._objects["p/owners/aaa-1/aaa"]
    bucket.inner._names = sorted(bucket.inner._objects)
    return store


CALLS: dict[str, Callable[[StateStore], Awaitable[Any]]] = {
    "delete_tenant": lambda store: store.delete_tenant(ACME),
    "delete_execution_state": lambda store: store.delete_execution_state("acme-1"),
    "a view's delete_execution_state": lambda store: store.tenant(ACME).delete_execution_state(
        "acme-1"
    ),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "iter_snapshots": lambda store: collected(store.iter_snapshots(ACME)),
    "scan_snapshots": lambda store: collected(store.scan_snapshots(ACME, prefix="acme")),
    "iter_keys": lambda store: collected(store.tenant(ACME).iter_keys(E1)),
    "scan_keys": lambda store: collected(store.tenant(ACME).scan_keys(after="a")),
    "iter_executions": lambda store: collected(store.iter_executions(ACME)),
    "iter_tenants": lambda store: collected(store.iter_tenants()),
    "sweep": lambda store: store.sweep(tenant=ACME),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("limits", [None, Limits(lists_in_order=False)], ids=["ordered", "not"])
def test_where_the_prefix_is_ignored_nothing_is_returned_or_removed(
    call: str, limits: Limits | None
) -> None:
    bucket = Deaf(limits=limits)

    async def work() -> None:
        store = await filled(bucket)
        # The owner records of the tenant are looked up one by one, not listed.
        before = {name for name in bucket.inner._objects if not name.startswith("p/owners/acme")}
        with pytest.raises(errors.StateBucketError, match="not below the requested prefix") as got:
            await CALLS[call](store)
        assert isinstance(got.value, errors.Unavailable | errors.DeleteIncomplete)
        if call.endswith("delete_execution_state"):  # whose snapshot is known without a listing
            before -= {OURS + "acme-1"}
        assert before <= set(bucket.inner._objects)

    run(work())


BAD_PAGES = {
    "out of order": [[OURS + "b", OURS + "a"]],
    "twice": [[OURS + "a", OURS + "a"]],
    "the page before": [[OURS + "a", OURS + "b"], [OURS + "a", OURS + "b"]],
    "before the token": [[OURS + "b"], [OURS + "a"]],
    "before the token, after an empty page": [[OURS + "b"], [], [OURS + "a"]],
    "outside": [["p/tenants/acme/snapshot", OURS + "a"]],
    "outside, behind": [[OURS + "a", "p/tenants/acmf/snapshots/a"]],
    "the prefix's beginning": [["p/tenants/"]],
}


@pytest.mark.parametrize("kind", BAD_PAGES)
def test_a_page_that_is_no_answer_to_the_request_is_an_error(kind: str) -> None:
    bucket = Pages(*BAD_PAGES[kind])
    with pytest.raises(errors.Unavailable, match="nothing of the page was used"):
        run(opened(bucket, deadline=1).list_snapshots(ACME))


def test_a_page_that_is_no_answer_is_asked_for_again() -> None:
    bucket = Pages([OURS + "a"], [OURS + "a"])

    async def work() -> list[str]:
        listed = opened(bucket).iter_snapshots(ACME)
        first = await anext(listed)
        bucket.pages = ([OURS + "a"], [OURS + "b"])
        return [first, *await collected(listed)]

    assert run(work()) == ["a", "b"]


def test_a_service_that_lists_in_no_order_is_believed() -> None:
    unordered = Limits(lists_in_order=False)
    bucket = Pages([OURS + "b", OURS + "a"], [OURS + "c"], limits=unordered)
    assert run(opened(bucket).list_snapshots(ACME)) == ["b", "a", "c"]
    bucket = Pages([OURS + "b", OURS + "b"], limits=unordered)
    with pytest.raises(errors.Unavailable, match="twice"):
        run(opened(bucket, deadline=1).list_snapshots(ACME))


BAD_PREFIXES = {
    "outside": [["p/shared/"]],
    "two levels below": [["p/tenants/a/b/"]],
    "an object": [["p/tenants/a"]],
    "itself": [["p/tenants/"]],
    "out of order": [["p/tenants/b/", "p/tenants/a/"]],
    "twice": [["p/tenants/a/", "p/tenants/a/"]],
    "before the token": [["p/tenants/b/"], ["p/tenants/a/"]],
}


@pytest.mark.parametrize("kind", BAD_PREFIXES)
def test_a_page_of_prefixes_that_is_no_answer_to_the_request_is_an_error(kind: str) -> None:
    bucket = Pages(*BAD_PREFIXES[kind])
    with pytest.raises(errors.Unavailable, match="nothing of the page was used"):
        run(collected(opened(bucket, deadline=1).iter_tenants()))


def test_memory_does_not_grow_with_the_pages() -> None:
    check = PageCheck("iter_keys", "p/", ordered=True)

    def turn(pages: range) -> None:
        for at in pages:
            name, token = f"p/{at:06}", f"{at:06}".rjust(2000, "t")
            check.taken(check.page(Page([ObjectInfo(name, Version("1"), 1, {})], token)))

    turn(range(10))
    tracemalloc.start()
    try:
        turn(range(10, 510))
        assert tracemalloc.get_traced_memory()[0] < 300_000  # of a million characters of tokens
    finally:
        tracemalloc.stop()


def test_a_prefix_that_ends_one_page_and_begins_the_next_is_one() -> None:
    bucket = Pages(["p/tenants/a/", "p/tenants/b/"], ["p/tenants/b/", "p/tenants/c/"])
    assert run(collected(opened(bucket).iter_tenants())) == ["a", "b", "c"]


def test_a_service_may_list_folder_by_folder() -> None:
    # "-" comes before "/", but a folder's own name before a longer one.
    bucket = Pages(["p/tenants/a/", "p/tenants/a-b/"], ["p/tenants/a-b-c/", "p/tenants/b/"])
    assert run(collected(opened(bucket).iter_tenants())) == ["a", "a-b", "a-b-c", "b"]


@pytest.mark.parametrize(
    "pages",
    [
        [["p/tenants/a/", "p/tenants/a-b/", "p/tenants/a/"]],
        [["p/tenants/a/", "p/tenants/a-b/"], ["p/tenants/a/"]],
        [["p/tenants/a/", "p/tenants/a-b/", "p/tenants/B/"]],
    ],
    ids=["again", "the page before", "in neither order"],
)
def test_a_service_that_lists_by_folder_keeps_to_that(pages: list[list[str]]) -> None:
    with pytest.raises(errors.Unavailable, match="nothing of the page was used"):
        run(collected(opened(Pages(*pages), deadline=1).iter_tenants()))

"""Listings of a part, on services that list in different orders, or from the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statebucket import errors
from statebucket.contract.segments import encode
from statebucket.port.bucket import Limits, Page, PrefixPage
from statebucket.store.objects import PAGE
from statebucket.testing.contract.base import ACME, snapshot
from support.scripted_bucket import ScriptedBucket, opened
from support.selection import examples
from support.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket import StateStore

pytestmark = pytest.mark.usefixtures("_scripted")

UNORDERED = Limits(lists_in_order=False)
# Texts that begin alike, whose escaped forms do not.
texts = (
    st.text(st.sampled_from("a."), min_size=1, max_size=4)
    | st.text(st.sampled_from("a.-~/é日 2E"), min_size=1, max_size=5)
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
)


class Case(NamedTuple):
    """What is there, and a part of it; by the beginning of something there, more often than not."""

    names: set[str]
    prefix: str
    after: str | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = draw(st.sets(texts, max_size=12))
    known = sorted({name[:end] for name in names for end in range(len(name) + 1)} | {""})
    some = st.sampled_from(known) | texts
    return Case(names, draw(some), draw(st.none() | some.filter(bool)))


class FromTheBeginning(ScriptedBucket):
    """A service that cannot begin a listing behind a name."""

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        del start_after
        return await super().list(prefix, after=after, limit=limit)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        del start_after
        return await super().list_prefixes(prefix, after=after, limit=limit)


class ByFolder(ScriptedBucket):
    """A service that lists folder by folder."""

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        page = await super().list_prefixes(
            prefix, after=after, limit=limit, start_after=start_after
        )
        in_order = sorted(page.prefixes, key=lambda name: name.replace("/", "\0"))
        return PrefixPage(in_order, page.following)


class InNoOrder(ScriptedBucket):
    """A service that lists in an order of its own."""

    def __init__(self) -> None:
        super().__init__(limits=UNORDERED)

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        page = await super().list(prefix, after=after, limit=limit, start_after=start_after)
        return Page(page.objects[::-1], page.following)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        page = await super().list_prefixes(
            prefix, after=after, limit=limit, start_after=start_after
        )
        return PrefixPage(page.prefixes[::-1], page.following)


SERVICES = [ScriptedBucket, FromTheBeginning, InNoOrder]


async def collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def view_with(bucket: ScriptedBucket, names: set[str]) -> StateStore:
    view = opened(bucket).tenant(ACME)
    for name in names:
        await view.set(name, b"v")
    return view


@pytest.mark.parametrize("service", SERVICES)
@given(cases(), st.none() | st.integers(0, 5))
@example(Case({"a.", "a.b", "a"}, "a.", None), None)
@example(Case({"a.", "a.b", "a..", "a~"}, "a.", "a.b"), 2)
@settings(max_examples=examples(25, 100), deadline=None)
def test_a_part_is_what_its_definition_says(
    service: type[ScriptedBucket], case: Case, limit: int | None
) -> None:
    names, prefix, after = case

    async def work() -> list[str]:
        view = await view_with(service(), names)
        return await collected(view.iter_keys(prefix=prefix, after=after, limit=limit))

    expected = [
        name
        for name in sorted(names, key=encode)
        if name.startswith(prefix) and (after is None or encode(name) > encode(after))
    ][:limit]
    found = run(work())
    if service is InNoOrder and after is None and limit is None:
        found.sort(key=encode)
    assert found == expected


@given(cases())
@example(Case({"a.", "a.b", "a"}, "a.", None))
@settings(max_examples=examples(25, 100), deadline=None)
def test_a_prefix_begins_ids_as_it_begins_text(case: Case) -> None:
    names, prefix = {name for name in case.names if ":" not in name}, case.prefix

    async def work() -> list[str]:
        view = opened(ScriptedBucket()).tenant(ACME)
        for name in names:
            await view.save_snapshot(snapshot(name))
        return await collected(view.iter_snapshots(prefix=prefix))

    assert set(run(work())) == {name for name in names if name.startswith(prefix)}


@pytest.mark.parametrize("service", [ScriptedBucket, ByFolder, InNoOrder])
@given(
    st.sets(st.text(st.sampled_from("a-.b"), min_size=1, max_size=4), max_size=12),
    st.sets(st.text(st.sampled_from("a-.b"), min_size=1, max_size=4), max_size=12),
)
@settings(max_examples=examples(20, 60), deadline=None)
def test_executions_come_once_and_in_order(
    service: type[ScriptedBucket], with_keys: set[str], with_snapshot: set[str]
) -> None:
    async def work() -> list[str]:
        view = opened(service()).tenant(ACME)
        for name in with_keys:
            await view.set(f"exec:{name}:k", b"v")
        for name in with_snapshot:
            await view.save_snapshot(snapshot(name))
        return await collected(view.iter_executions())

    found = run(work())
    assert sorted(found) == sorted(with_keys | with_snapshot)
    if service is not InNoOrder:
        assert found == sorted(found, key=lambda name: f"{encode(name)}/")


ids = st.text(st.sampled_from("a-.b0"), min_size=1, max_size=4)


@pytest.mark.parametrize("service", [ScriptedBucket, FromTheBeginning, InNoOrder])
@given(st.sets(ids, max_size=12), st.sets(ids, max_size=12), st.just("") | ids, ids, st.data())
@example({"a"}, {"a-b", "a-b.c", "a"}, "", "a-b.c", None)
@settings(max_examples=examples(25, 100), deadline=None)
def test_executions_behind_another_are_those_that_come_later(
    service: type[ScriptedBucket],
    with_keys: set[str],
    with_snapshot: set[str],
    prefix: str,
    after: str,
    data: st.DataObject | None,
) -> None:
    limit = None if data is None else data.draw(st.none() | st.integers(0, 5))

    async def work() -> list[str]:
        view = opened(service()).tenant(ACME)
        for name in with_keys:
            await view.set(f"exec:{name}:k", b"v")
        for name in with_snapshot:
            await view.save_snapshot(snapshot(name))
        return await collected(view.iter_executions(prefix=prefix, after=after, limit=limit))

    order = {name: f"{encode(name)}/" for name in with_keys | with_snapshot}
    expected = [
        name
        for name in sorted(order, key=order.__getitem__)
        if name.startswith(prefix) and order[name] > f"{encode(after)}/"
    ]
    assert run(work()) == expected[:limit]


def test_what_comes_before_an_execution_is_not_listed() -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        view = opened(bucket).tenant(ACME)
        for number in range(9):
            await view.save_snapshot(snapshot(f"run-{number}"))
            await view.set(f"exec:run-{number}:k", b"v")
        bucket.requests.clear()
        found = await collected(view.iter_executions(after="run-5", limit=2))
        assert found == ["run-6", "run-7"]
        assert bucket.operations == ["list", "list_prefixes"]
        found = await collected(view.iter_executions(after="run-5"))
        assert found == ["run-6", "run-7", "run-8"]
        assert bucket.operations[2:] == ["list", "list_prefixes", "head"]  # "run" comes behind

    run(work())


def test_no_more_is_asked_for_than_is_wanted() -> None:
    limits: list[int] = []

    class Asked(ScriptedBucket):
        async def list(
            self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
        ) -> Page:
            limits.append(limit)
            return await super().list(prefix, after=after, limit=limit, start_after=start_after)

    async def work() -> None:
        view = await view_with(Asked(), {"a", "b", "c"})
        assert await collected(view.iter_keys(limit=2)) == ["a", "b"]
        assert await collected(view.iter_keys(limit=PAGE + 1)) == ["a", "b", "c"]
        assert await collected(view.iter_keys(limit=0)) == []

    run(work())
    assert limits == [2, PAGE]


def test_no_more_is_looked_at_than_is_wanted() -> None:
    bucket = ScriptedBucket(limits=Limits(lists_metadata=False))

    async def work() -> None:
        view = opened(bucket).tenant(ACME)
        for number in range(9):
            await view.save_snapshot(snapshot(f"e{number}"))
        bucket.requests.clear()
        assert await collected(view.iter_snapshots(live=True, limit=3)) == ["e0", "e1", "e2"]

    run(work())
    assert bucket.operations == ["list", "head", "head", "head"]


def test_a_selection_is_checked_before_the_first_request() -> None:
    bucket = ScriptedBucket()
    view = opened(bucket).tenant(ACME)
    with pytest.raises(errors.InvalidArgument, match="limit must be a whole number, 0 or more: -1"):
        run(collected(view.iter_keys(limit=-1)))
    with pytest.raises(errors.InvalidArgument, match=r"prefix='row': .* pass prefix='exec:e1:row'"):
        run(collected(view.iter_keys("e1", prefix="row")))
    assert bucket.requests == []

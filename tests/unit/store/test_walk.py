"""A listing that is left early leaves nothing for the event loop to close."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors, open_store
from statebucket.admin import copy, inventory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from statebucket import StateStore


@pytest.fixture
def abandoned() -> list[str]:
    """The generators that were left to the event loop to close."""
    return []


def listen(abandoned: list[str]) -> None:
    """Notes what the running loop would close in a task of its own."""
    hooks = sys.get_asyncgen_hooks()
    assert hooks.finalizer is not None
    close = hooks.finalizer

    def note(generator: AsyncGenerator[Any, Any]) -> None:
        abandoned.append(repr(generator))
        close(generator)

    sys.set_asyncgen_hooks(finalizer=note)


async def filled() -> StateStore:
    store = open_store("memory://")
    acme = store.tenant("acme")
    for number in range(5):
        await acme.save_snapshot(acme.snapshot(f"e{number}"))
        await acme.execution(f"e{number}").set("k", b"v")
        await acme.execution(f"orphan{number}").set("k", b"v")
        await acme.set(f"k{number}", b"v")
        await store.set(f"exec:e{number}:shared", b"v")
    return store


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in items]


async def first(items: Any) -> Any:
    """The first of them, as a caller takes it who closes what he leaves."""
    async with aclosing(items):
        return await anext(items)


def full() -> Any:
    """A store with no space for another object."""
    store: Any = open_store("memory://")

    async def put(*_: Any) -> Any:
        raise errors.OutOfSpace("no space is left")

    store.context.objects.bucket.put = put
    return store


def fail(_: object) -> None:
    raise errors.InvalidArgument("a progress that fails")


async def failing(call: Awaitable[Any]) -> None:
    with pytest.raises(errors.StateBucketError):
        await call


def calls(store: StateStore) -> dict[str, Callable[[], Awaitable[Any]]]:
    acme = store.tenant("acme")

    async def copy_part() -> None:
        _, part, _ = await store.partitions(3)
        await copy(store, open_store("memory://"), partition=part)

    async def copy_part_to_full() -> None:
        _, part, _ = await store.partitions(3)
        await failing(copy(store, full(), partition=part))

    return {
        "load_snapshot": lambda: store.load_snapshot("e2"),
        "list_snapshots": lambda: acme.list_snapshots(limit=2),
        "iter_snapshots": lambda: listed(acme.iter_snapshots(limit=2)),
        "scan_snapshots": lambda: listed(acme.scan_snapshots(limit=2)),
        "iter_keys": lambda: listed(acme.iter_keys(limit=2)),
        "scan_keys": lambda: listed(acme.scan_keys("e1", limit=1)),
        "iter_executions": lambda: listed(acme.iter_executions(limit=2)),
        "iter_executions after": lambda: listed(acme.iter_executions(after="e1", limit=1)),
        "iter_executions, shared": lambda: listed(store.iter_executions(limit=2)),
        "iter_tenants": lambda: listed(acme.iter_tenants()),
        "first snapshot": lambda: first(acme.iter_snapshots()),
        "first key": lambda: first(acme.iter_keys()),
        "first execution": lambda: first(acme.iter_executions()),
        "first tenant": lambda: first(store.iter_tenants()),
        "sweep": lambda: store.sweep(orphans=True),
        "partitions": lambda: store.partitions(3),
        "copy": copy_part,
        "a sweep that fails": lambda: failing(store.sweep(progress=fail)),
        "an inventory that fails": lambda: failing(inventory(store, progress=fail)),
        "a copy that fails": lambda: failing(copy(store, full())),
        "a copy of a part that fails": copy_part_to_full,
        "delete_execution_state": lambda: store.delete_execution_state("e3"),
        "delete_tenant": lambda: store.delete_tenant("acme"),
    }


@pytest.mark.parametrize("name", calls(open_store("memory://")))
def test_a_call_leaves_no_generator_to_the_loop(name: str, abandoned: list[str]) -> None:
    async def work() -> None:
        store = await filled()
        listen(abandoned)
        await calls(store)[name]()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())
    assert abandoned == []

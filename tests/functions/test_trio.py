"""Under trio, which is not an asyncio event loop, every call says what to use instead."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trio

from statebucket import errors, open_store, sync
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from statebucket import StateStore

MINUTE = timedelta(minutes=1)


async def _iterated(view: StateStore) -> None:
    async for _ in view.iter_keys():
        pass


async def _lease(view: StateStore) -> None:
    async with view.lease(E1, ttl=MINUTE):
        pass


async def _writer(view: StateStore) -> None:
    async with view.writer(E1) as writer:
        writer.save(snapshot(number=1))


CALLS: dict[str, Callable[[StateStore], Awaitable[Any]]] = {
    "set": lambda view: view.set("k", b"1"),
    "get": lambda view: view.get("k"),
    "save_snapshot": lambda view: view.save_snapshot(snapshot(number=1)),
    "load_snapshot": lambda view: view.load_snapshot(E1),
    "update": lambda view: view.update("k", lambda _: b"1"),
    "delete_many": lambda view: view.delete_many(["k"]),
    "delete_execution_state": lambda view: view.delete_execution_state(E1),
    "sweep": lambda view: view.sweep(),
    "health_check": lambda view: view.health_check(),
    "iter_keys": _iterated,
    "lease": _lease,
    "writer": _writer,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_call_under_trio_says_what_to_use(kind: str, call: str, tmp_path: Path) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/state.db"

    async def main() -> None:
        async with open_store(url) as store:
            with pytest.raises(errors.UnsupportedOperation, match=r"statebucket\.sync") as caught:
                await CALLS[call](store.tenant(ACME))
        assert caught.value.outcome == "none"

    trio.run(main)


def test_an_sdks_store_says_so_too() -> None:
    async def main() -> None:
        store = open_store("s3://bucket/app?region=eu-west-1&endpoint_url=http://127.0.0.1:9")
        with pytest.raises(errors.UnsupportedOperation, match="event loop of asyncio"):
            await store.get("k")

    trio.run(main)


def test_the_blocking_store_works_in_a_thread_of_trio(tmp_path: Path) -> None:
    async def main() -> bytes | None:
        with sync.open_store(f"sqlite:///{tmp_path}/state.db") as store:
            await trio.to_thread.run_sync(store.set, "k", b"1")
            return await trio.to_thread.run_sync(store.get, "k")

    assert trio.run(main) == b"1"


def test_without_any_loop_a_call_says_so_too() -> None:
    call = open_store("memory://").get("k")
    with pytest.raises(errors.UnsupportedOperation, match="none is running here"):
        call.__await__().__next__()

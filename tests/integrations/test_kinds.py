"""A store of the wrong kind is refused where it is given, before anything is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import statebucket
from integrations.langgraph.graphs import says, steps
from statebucket import errors, sync
from statebucket_aws import StatebucketPersistenceLayer
from statebucket_claude import StatebucketSessionStore
from statebucket_keyvalue import StatebucketStore
from statebucket_langgraph import AsyncStatebucketSaver, StatebucketSaver
from statebucket_strands import StatebucketSessionManager, StatebucketStorage

Taker = Callable[[Any], object]
ASYNCHRONOUS: dict[str, Taker] = {
    "StatebucketStore": lambda store: StatebucketStore(store=store),
    "StatebucketSessionStore": StatebucketSessionStore,
    "AsyncStatebucketSaver": AsyncStatebucketSaver,
    "StatebucketStorage": StatebucketStorage,
    "StatebucketSessionManager": lambda store: StatebucketSessionManager("s", store),
}
T: Any = {"configurable": {"thread_id": "t"}}


@pytest.mark.parametrize("name", ASYNCHRONOUS)
def test_what_awaits_takes_an_asynchronous_store_only(name: str) -> None:
    take = ASYNCHRONOUS[name]
    store = statebucket.open_store("memory://")
    take(store)
    take(store.tenant("acme"))
    refused: dict[str, Any] = {
        r"open_store\(url\)": "memory://",
        "one execution.*store.tenant": store.tenant("acme").execution("e1"),
        "is a blocking store": sync.open_store("memory://"),
        "is a blocking store, from": sync.open_store("memory://").tenant("acme"),
        "is dict": {},
    }
    for said, given in refused.items():
        with pytest.raises(errors.InvalidArgument, match=f"{name} takes.*open_store.*{said}"):
            take(given)


def test_a_store_in_place_of_a_url_is_refused_with_what_to_write() -> None:
    given: Any = statebucket.open_store("memory://")
    with pytest.raises(errors.InvalidArgument, match=r"takes a URL.*pass a store as store=$"):
        StatebucketStore(given)


@pytest.mark.parametrize("take", [StatebucketSaver, StatebucketPersistenceLayer])
def test_what_blocks_takes_a_blocking_store_only(take: Taker) -> None:
    with sync.open_store("memory://") as store:
        take(store)
        take(store.tenant("acme"))
        refused: dict[str, Any] = {
            "open_store": "memory://",
            "one execution": store.tenant("acme").execution("e1"),
            "is an asynchronous store": statebucket.open_store("memory://"),
            "is NoneType": None,
        }
        for said, given in refused.items():
            with pytest.raises(errors.InvalidArgument, match=f"sync.open_store.*{said}"):
                take(given)


TWINS = [name for name in vars(StatebucketSaver) if f"a{name}" in vars(AsyncStatebucketSaver)]


def test_each_blocking_call_of_a_saver_has_an_asynchronous_one() -> None:
    calls = {name for name in vars(StatebucketSaver) if not name.startswith("_")}
    assert calls - set(TWINS) == {"setup", "from_conn_string"}
    assert len(TWINS) == 10


@pytest.mark.parametrize("name", [*TWINS, "from_conn_string", "setup", "__init__"])
def test_the_two_savers_take_the_same(name: str) -> None:
    def arguments(kind: type, call: str) -> list[inspect.Parameter]:
        found = inspect.signature(getattr(kind, call)).parameters.values()
        return [one.replace(annotation="") if one.name == "store" else one for one in found]

    twin = f"a{name}" if name in TWINS else name
    assert arguments(StatebucketSaver, name) == arguments(AsyncStatebucketSaver, twin)


@pytest.mark.parametrize("ttl", [0, -1, timedelta(0), float("nan"), True, "30"])
def test_a_saver_refuses_a_ttl_when_it_is_made(ttl: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="ttl must be a positive"):
        AsyncStatebucketSaver(statebucket.open_store("memory://"), ttl=ttl)
    with pytest.raises(errors.InvalidArgument, match="ttl must be a positive"):
        StatebucketSaver(sync.open_store("memory://"), ttl=ttl)


@pytest.mark.parametrize("ttl", [0, -1, timedelta(0), float("nan"), True, "30"])
def test_sessions_and_a_storage_refuse_a_duration_when_they_are_made(ttl: Any) -> None:
    store = statebucket.open_store("memory://")
    with pytest.raises(errors.InvalidArgument, match="ttl must be a positive"):
        StatebucketStorage(store, ttl=ttl)
    for name in ("ttl", "lease_ttl", "wait"):
        with pytest.raises(errors.InvalidArgument, match=f"{name} must be a positive"):
            StatebucketSessionManager("s", store, **{name: ttl})
    with pytest.raises(errors.InvalidArgument, match=r"lease_ttl.*86400 s"):
        StatebucketSessionManager("s", store, lease_ttl=timedelta(days=2))


def test_a_blocking_run_on_the_asynchronous_saver_names_what_to_use() -> None:
    graph = steps(AsyncStatebucketSaver(statebucket.open_store("memory://")), a=says("a"))
    with pytest.raises(NotImplementedError, match=r"ainvoke.*, or compile it with Statebucket"):
        graph.invoke({"said": []}, T)


@pytest.mark.asyncio
async def test_an_asynchronous_run_on_the_blocking_saver_names_what_to_use() -> None:
    saver = StatebucketSaver(sync.open_store("memory://"))
    with pytest.raises(NotImplementedError, match=r"invoke.*or compile it with AsyncState"):
        await steps(saver, a=says("a")).ainvoke({"said": []}, T)
    with pytest.raises(NotImplementedError, match="AsyncStatebucketSaver"):
        _ = [found async for found in saver.alist(None)]

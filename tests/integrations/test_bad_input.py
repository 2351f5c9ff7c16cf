"""What stands on a framework refuses what an argument cannot be, before any request.

Calls of a framework's own base class, which checks its arguments itself, are left to it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import pytest
from key_value.aio.errors import InvalidTTLError
from strands.types.exceptions import StorageError

from statebucket import open_store, sync
from statebucket_aws import StatebucketPersistenceLayer
from statebucket_claude import StatebucketSessionStore
from statebucket_keyvalue import StatebucketStore
from statebucket_langgraph import AsyncStatebucketSaver, StatebucketSaver
from statebucket_strands import StatebucketSessionManager, StatebucketStorage
from support.nonsense import DURATION, NONE, TEXT, VALUES, Argument, faults

SESSION = {"project_key": "app", "session_id": "s"}
THREAD = {"configurable": {"thread_id": "t"}}
THERE = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
CHECKPOINT = {"id": "1", "channel_values": {}, "channel_versions": {}, "versions_seen": {}, "v": 4}
FLAG = frozenset({"true"})
NOTHING = frozenset[str]()
LIST = frozenset({"list"})
NAMES = frozenset(VALUES) - {"none", "true", "bytes", "list", "dict"}
"""What LangGraph may pass for an id; the store refuses what is no name as text."""

Taker = Callable[..., Any]


class Case(NamedTuple):
    """A call with what its arguments may be.

    Attributes:
        call: The call, on a store or a blocking one.
        good: Its other arguments.
        allows: What each argument that is tried allows.
    """

    call: Callable[[Any, Any], Taker]
    good: dict[str, Any]
    allows: dict[str, frozenset[str]]


def with_field(taker: Taker, argument: str, good: dict[str, Any], *path: str) -> Taker:
    """The call with one field of a dict among its arguments as an argument of its own."""

    def call(**given: Any) -> Any:
        ((name, value),) = given.items()
        whole = dict(good[argument])
        inner = whole
        for step in path:
            inner[step] = dict(inner[step])
            inner = inner[step]
        inner[name] = value
        return taker(**good | {argument: whole})

    return call


CASES: dict[str, Case] = {
    "StatebucketSessionStore": Case(lambda _, __: StatebucketSessionStore, {}, {"store": NOTHING}),
    "StatebucketStorage": Case(
        lambda _, __: StatebucketStorage,
        {"store": open_store("memory://")},
        {"store": NOTHING, "ttl": DURATION | NONE},
    ),
    "StatebucketSessionManager": Case(
        lambda _, __: StatebucketSessionManager,
        {"store": open_store("memory://"), "session_id": "s"},
        {
            "store": NOTHING,
            "ttl": DURATION | NONE,
            "lease_ttl": DURATION,
            "wait": DURATION | NONE,
        },
    ),
    "StatebucketStore": Case(lambda _, __: StatebucketStore, {}, {"store": NONE, "url": NONE}),
    "StatebucketStore.put_if_absent": Case(
        lambda store, _: StatebucketStore(store=store).put_if_absent,
        {"key": "k", "value": {"a": 1}},
        {
            "key": TEXT | {"empty", "surrogate", "long"},
            "value": frozenset({"dict"}),
            "collection": TEXT | NONE | {"empty", "surrogate", "long"},
            "ttl": frozenset({"int", "float", "none"}),
        },
    ),
    **{
        f"StatebucketStore.{name}": Case(
            lambda store, _, name=name: getattr(StatebucketStore(store=store), name),  # type: ignore[misc]
            {},
            {"limit": frozenset({"int", "zero", "huge", "none"})},
        )
        for name in ("keys", "collections")
    },
    "StatebucketPersistenceLayer": Case(
        lambda _, __: StatebucketPersistenceLayer, {}, {"store": NOTHING}
    ),
}
for _name, _good in (
    ("append", {"key": SESSION, "entries": [{"type": "user"}]}),
    ("load", {"key": SESSION}),
    ("delete", {"key": SESSION}),
    ("list_subkeys", {"key": SESSION}),
    ("compact", {"key": SESSION}),
):
    CASES[f"StatebucketSessionStore.{_name}"] = Case(
        lambda store, _, name=_name: getattr(StatebucketSessionStore(store), name),  # type: ignore[misc]
        _good,
        {"key": NOTHING} | ({"entries": LIST} if _name == "append" else {}),
    )
    CASES[f"StatebucketSessionStore.{_name}(key)"] = Case(
        lambda store, _, name=_name, good=_good: with_field(  # type: ignore[misc]
            getattr(StatebucketSessionStore(store), name), "key", good
        ),
        {},
        {"project_key": TEXT, "session_id": TEXT}
        | ({} if _name == "list_subkeys" else {"subpath": TEXT | NONE | {"empty", "long"}}),
    )
for _name in ("list_sessions", "list_session_summaries"):
    CASES[f"StatebucketSessionStore.{_name}"] = Case(
        lambda store, _, name=_name: getattr(StatebucketSessionStore(store), name),  # type: ignore[misc]
        {},
        {"project_key": TEXT},
    )
for _name, _allows in (
    ("write", {"key": TEXT, "data": frozenset({"bytes"})}),
    ("read", {"key": TEXT}),
    ("delete", {"key": TEXT}),
    ("list", {"query": TEXT | {"empty", "long"}}),
    ("namespace", {"prefix": TEXT | {"empty", "surrogate", "long"}}),
):
    CASES[f"StatebucketStorage.{_name}"] = Case(
        lambda store, _, name=_name: getattr(StatebucketStorage(store), name),  # type: ignore[misc]
        {"key": "k", "data": b""} if _name == "write" else {},
        _allows,
    )
SAVER: dict[str, tuple[dict[str, Any], dict[str, frozenset[str]]]] = {
    "get_tuple": ({"config": THREAD}, {"config": NOTHING}),
    "list": (
        {"config": THREAD},
        {
            "config": NONE,
            "filter": NONE | {"dict"},
            "before": NONE,
            "limit": frozenset({"int", "zero", "huge", "none"}),
        },
    ),
    "put": (
        {"config": THREAD, "checkpoint": CHECKPOINT, "metadata": {}, "new_versions": {}},
        {"config": NOTHING, "checkpoint": NOTHING, "metadata": frozenset({"dict"})},
    ),
    "put_writes": (
        {"config": THERE, "writes": [], "task_id": "1"},
        {
            "config": NOTHING,
            "writes": LIST,
            "task_id": TEXT | {"surrogate", "long"},
            "task_path": TEXT | {"empty", "long"},
        },
    ),
    "delete_thread": ({}, {"thread_id": NAMES}),
    "delete_for_runs": ({}, {"run_ids": LIST | {"dict"}}),
    "copy_thread": (
        {"source_thread_id": "s", "target_thread_id": "t"},
        {"source_thread_id": NAMES, "target_thread_id": NAMES},
    ),
    "prune": (
        {"thread_ids": ["t"]},
        {"thread_ids": LIST | {"dict"}, "strategy": NOTHING},
    ),
    "get_delta_channel_history": (
        {"config": THREAD, "channels": []},
        {"config": NOTHING, "channels": LIST | {"dict"}},
    ),
}
for _name, (_good, _allows) in SAVER.items():
    CASES[f"AsyncStatebucketSaver.a{_name}"] = Case(
        lambda store, _, name=_name: getattr(AsyncStatebucketSaver(store), f"a{name}"),  # type: ignore[misc]
        _good,
        _allows,
    )
    CASES[f"StatebucketSaver.{_name}"] = Case(
        lambda _, store, name=_name: getattr(StatebucketSaver(store), name),  # type: ignore[misc]
        _good,
        _allows,
    )
    if "config" in _good:
        CASES[f"StatebucketSaver.{_name}(config)"] = Case(
            lambda _, store, name=_name, good=_good: with_field(  # type: ignore[misc]
                getattr(StatebucketSaver(store), name), "config", good, "configurable"
            ),
            {},
            {
                "thread_id": NAMES,
                "checkpoint_ns": TEXT | NONE | {"empty", "long", "surrogate"},
                "checkpoint_id": TEXT | NONE | {"empty", "long", "surrogate"},
            },
        )
for _kind, _store in (
    (AsyncStatebucketSaver, open_store("memory://")),
    (StatebucketSaver, sync.open_store("memory://")),
):
    CASES[_kind.__name__] = Case(
        lambda _, __, kind=_kind: kind,  # type: ignore[misc]
        {"store": _store},
        {"store": NOTHING, "ttl": DURATION | NONE, "history": FLAG, "serde": NONE},
    )
TABLE = [
    Argument(name, argument, allows)
    for name, case in CASES.items()
    for argument, allows in case.allows.items()
]


@pytest.mark.filterwarnings("ignore:Coroutine factory method:UserWarning")  # of py-key-value
@pytest.mark.parametrize("argument", TABLE, ids=lambda one: f"{one.call}.{one.name}")
@pytest.mark.asyncio
async def test_what_an_argument_cannot_be_is_refused(argument: Argument) -> None:
    case = CASES[argument.call]
    store, blocking = open_store("memory://"), sync.open_store("memory://")
    call = case.call(store, blocking)

    async def act(value: object) -> None:
        result = call(**case.good | {argument.name: value})
        if inspect.isawaitable(result):
            await result
        elif isinstance(result, AsyncIterator):
            _ = [item async for item in result]
        elif isinstance(result, Iterator):
            list(result)

    def requests() -> int:
        return store.stats().requests + blocking.stats().requests

    refused = (StorageError, InvalidTTLError)
    assert (
        await faults(
            argument, act, requests, also=refused, shows=argument.name not in {"store", "url"}
        )
        == []
    )

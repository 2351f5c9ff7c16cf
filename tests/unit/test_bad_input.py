"""Every public call refuses what an argument cannot be: with a typed error, before any request.

The calls and their arguments are found by inspection, so a new one is tried as well.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import (
    ExecutionSnapshot,
    ExecutionState,
    StateStore,
    Version,
    open_store,
    sync,
)
from statebucket.admin import copy, inventory
from statebucket.admin.doctor import Examination
from statebucket.contract.calls import Kind, declared
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.lease import Lease
from statebucket.contract.partition import Partition
from statebucket.contract.writer import SnapshotWriter
from statebucket.telemetry import switch
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.nonsense import ALLOWED, NONE, TEXT, VALUES, Argument, arguments, faults

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD: dict[str, Any] = {
    "key": "k",
    "keys": ["k"],
    "value": b"v",
    "function": lambda _: None,
    "execution_id": E1,
    "tenant_id": ACME,
    "n": 2,
    "deadline": 5,
    "ttl": 5,
    "snapshot": snapshot(),
    "limit": 10,
}
"""A good value of each argument that has no default."""

NOT_NEGATIVE = frozenset({"int", "float", "span", "zero"})
ALSO = {
    ("*", "prefix"): TEXT | {"empty", "long"},
    ("*", "by"): frozenset[str](),
    ("*", "n"): frozenset({"int"}),
    ("*", "margin"): NOT_NEGATIVE,
    ("*", "wait"): NOT_NEGATIVE | NONE,
    ("*", "report"): frozenset(VALUES),  # a store in memory has none
    ("set_json", "value"): ALLOWED["Any"] | {"huge"},
    ("snapshot", "execution_id"): TEXT | {"long"},  # saving it is refused, whatever the prefix is
    ("*", "type"): NONE,
    ("delete", "key"): TEXT,
}


def ids(value: object) -> str:
    return f"{value.call}.{value.name}" if isinstance(value, Argument) else str(value)


# The calls of stores.

CONTRACTS: dict[str, tuple[type[Any], Callable[[Any], Any]]] = {
    "store": (StateStore, lambda store: store),
    "view": (StateStore, lambda store: store.tenant(ACME)),
    "execution": (ExecutionStore, lambda store: store.tenant(ACME).execution(E1)),
}
TABLE = [
    (whose, argument)
    for whose, (contract, _) in CONTRACTS.items()
    for name in declared(contract)
    for argument in arguments(name, getattr(contract, name), ALSO)
    if (whose, name) != ("store", "snapshot")  # it needs a tenant's view
]


def given(call: Callable[..., Any], argument: Argument, value: object) -> dict[str, Any]:
    """The arguments of a call: those that it needs, and the one that is tried."""
    taken = inspect.signature(call).parameters
    needed = [
        one.name
        for one in taken.values()
        if one.default is one.empty and one.name != "self" and one.kind is not one.VAR_KEYWORD
    ]
    if argument.name in {"if_version", "want_current"} and "key" in taken:
        needed.append("key")  # without one an execution's ``delete`` removes the execution
    if "tenant_id" in taken:
        needed.append("tenant_id")  # which a store without one needs for some
    good = GOOD | {"value": 1} if argument.call == "set_json" else GOOD
    return {name: good[name] for name in needed} | {argument.name: value}


@pytest.mark.parametrize(("whose", "argument"), TABLE, ids=ids)
@pytest.mark.asyncio
async def test_a_store_refuses_what_an_argument_cannot_be(whose: str, argument: Argument) -> None:
    contract, made = CONTRACTS[whose]
    store = open_store("memory://")
    target, kind = made(store), declared(contract)[argument.call].kind

    async def act(value: object) -> None:
        call = getattr(target, argument.call)
        result = call(**given(getattr(contract, argument.call), argument, value))
        if kind is Kind.CALL:
            await result
        elif kind is Kind.ITERATOR:
            _ = [item async for item in result]
        elif kind is Kind.CONTEXT:
            async with result:
                pass

    assert await faults(argument, act, lambda: store.stats().requests) == []


@pytest.mark.parametrize(("whose", "argument"), TABLE, ids=ids)
@pytest.mark.asyncio
async def test_a_blocking_store_refuses_it_too(whose: str, argument: Argument) -> None:
    contract, made = CONTRACTS[whose]
    store = sync.open_store("memory://")
    target, kind = made(store), declared(contract)[argument.call].kind

    async def act(value: object) -> None:
        call = getattr(target, argument.call)
        result = call(**given(getattr(contract, argument.call), argument, value))
        if kind is Kind.ITERATOR:
            list(result)
        elif kind is Kind.CONTEXT:
            with result:
                pass

    assert await faults(argument, act, lambda: store.stats().requests) == []


def test_every_contract_is_tried() -> None:
    tried = {name for contract, _ in CONTRACTS.values() for name in declared(contract)}
    assert set(declared(Lease)) | set(declared(SnapshotWriter)) == {"check", "flush", "save"}
    assert len(tried) > 40


@pytest.mark.asyncio
async def test_a_writer_refuses_what_is_no_snapshot() -> None:
    store = open_store("memory://").tenant(ACME)
    async with store.writer(E1) as writer:

        async def act(value: Any) -> None:
            writer.save(value)

        argument = Argument("save", "snapshot", frozenset())
        assert await faults(argument, act, lambda: store.stats().requests) == []


# What is outside of a store.

SECONDS = frozenset({"int", "zero", "minus", "float"})
OUTSIDE: dict[str, tuple[Callable[..., Any], dict[str, frozenset[str]]]] = {
    "Clock": (Clock, {"start": SECONDS | NONE}),
    "Clock.advance": (Clock().advance, {"by": SECONDS | {"span", "backwards"}}),
    "Examination": (Examination, {}),
    "ExecutionSnapshot.from_json": (ExecutionSnapshot.from_json, {"data": frozenset()}),
    "ExecutionState.waiting": (ExecutionState.waiting, {"reason": frozenset()}),
    "Partition.from_dict": (Partition.from_dict, {"fields": frozenset()}),
    "Version": (Version, {"token": TEXT | {"surrogate", "long"}}),
    # The items of bytes are numbers, each of which is refused as an id.
    "copy": (copy, {"tenants": ALLOWED["Iterable[str] | None"] | {"bytes"}}),
    "inventory": (inventory, {"report": frozenset(VALUES)}),
    "open_store": (
        open_store,
        {
            "url": frozenset(),  # None takes the environment's, which has none
            "engine": NONE,
            "max_in_flight": NONE | {"int", "huge"},
            "clock": NONE,
        },
    ),
    "telemetry.use": (switch.use, {"tracer_provider": NONE, "meter_provider": NONE}),
}
FIELDS: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, frozenset[str]]]] = {
    "ExecutionSnapshot": (
        ExecutionSnapshot,
        {"execution_id": E1, "tenant_id": ACME},
        {
            "execution_id": TEXT | {"long"},
            "tenant_id": TEXT | {"long"},
            "user_id": TEXT | NONE | {"empty", "long"},
            "state": frozenset(),
            "current_step_id": TEXT | NONE | {"empty", "long"},
            "step_outputs": frozenset({"dict"}),
            "variables": frozenset({"dict"}),
            "timestamp": frozenset(),
            "sequence_number": frozenset({"int", "zero"}),
        },
    ),
    "Partition": (
        Partition,
        {"index": 0, "count": 6},
        {
            "index": frozenset({"int", "zero"}),
            "count": frozenset({"int"}),
            "start": NONE,
            "end": NONE,
            "tenant": TEXT | NONE | {"long"},
            "report": TEXT | NONE | {"surrogate", "long"},
        },
    ),
}


def outside() -> list[Argument]:
    """Each argument of what is not a call of a store."""
    found = [
        argument
        for name, (call, also) in OUTSIDE.items()
        for argument in arguments(name, call, {(name, one): also[one] for one in also})
    ]
    for name, (kind, _, fields) in FIELDS.items():
        assert set(fields) == set(kind.__struct_fields__)  # type: ignore[attr-defined]
        found += [Argument(name, field, allows) for field, allows in fields.items()]
    return found


@pytest.mark.parametrize("argument", outside(), ids=ids)
@pytest.mark.asyncio
async def test_what_is_outside_of_a_store_refuses_it(argument: Argument) -> None:
    stores = {name: open_store("memory://") for name in ("store", "source", "target")}

    async def act(value: object) -> None:
        if argument.call in FIELDS:
            kind, good, _ = FIELDS[argument.call]
            kind(**good | {argument.name: value})
            return
        call = OUTSIDE[argument.call][0]
        good = {**GOOD, **stores, "url": "memory://"}
        taken = inspect.signature(call).parameters
        named = {name: good[name] for name in taken if name in good and name not in UNSET}
        result = call(**named | {argument.name: value})
        if inspect.isawaitable(result):
            await result

    def requests() -> int:
        return sum(store.stats().requests for store in stores.values())

    try:
        assert await faults(argument, act, requests, shows=argument.name not in HIDDEN) == []
    finally:
        switch.auto()


@pytest.mark.parametrize("field", FIELDS["ExecutionSnapshot"][2])
@pytest.mark.asyncio
async def test_the_next_snapshot_refuses_it(field: str) -> None:
    async def act(value: Any) -> None:
        snapshot().advance(**{field: value})

    argument = Argument("advance", field, FIELDS["ExecutionSnapshot"][2][field])
    assert await faults(argument, act, lambda: 0) == []


HIDDEN = frozenset(
    {"url", "store", "source", "target", "owner_index", "engine", "tenant", "max_in_flight"}
) | {"data", "fields"}
"""URLs and options may be secrets, and so may what is in a snapshot."""
UNSET = frozenset({"deadline", "tenant_id"})
"""Optional here."""

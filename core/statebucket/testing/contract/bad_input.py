"""Bad input: a typed error that names the value, before any request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from uuid import UUID

import msgspec
import pytest

from statebucket import errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.target import Target


class Colour(StrEnum):
    """A string to Python, but not after it was JSON."""

    RED = "red"


class Size(Enum):
    """Neither."""

    BIG = 1


class Opaque:
    """A class that declares no fields."""

    def __init__(self, x: int) -> None:
        self.x = x


class WithOpaque(msgspec.Struct):
    """Fields, of which one is opaque."""

    x: list[WithOpaque | None]
    y: Opaque | None = None


class Uncheckable(Protocol):
    """A protocol that no value can be checked against."""

    x: int


NO_KEYS: list[Any] = [
    "",
    "\ud800",
    "a\udfffb",
    None,
    3,
    b"k",
    "exec:",
    "exec:e",
    "exec::k",
    "exec:e:",
]
NO_EXECUTIONS: list[Any] = ["", "\ud800", None, 3, b"e", "x" * 1100, "€" * 400]
NO_TENANTS: list[Any] = ["", "\ud800", None, 3, b"t", "x" * 1100]
NO_JSON: list[Any] = [
    float("nan"),
    [float("inf")],
    {1: 2},
    {"a": {None: 1}},
    b"bytes",
    {"a": b"bytes"},
    {"a": object()},
    "\ud800",
    {"\ud800": 1},
    {"a"},
    [frozenset()],
    Decimal("1.5"),
    {"at": datetime(2026, 1, 2, tzinfo=UTC)},
    date(2026, 1, 2),
    timedelta(1),
    UUID(int=0),
    Colour.RED,
    [Size.BIG],
    2**9000,
]


class BadInputContract(Contract):
    """Nothing of this reaches the service."""

    @pytest.mark.parametrize("key", NO_KEYS, ids=repr)
    async def test_bad_keys(self, store: StateStore, target: Target, key: Any) -> None:  # noqa: ANN401
        target.requests()
        for call in (
            store.set(key, b"v"),
            store.get(key),
            store.get_stored(key),
            store.delete(key),
            store.exists(key),
            store.update(key, lambda _: b"v"),
            store.update_json(key, lambda _: 1),
            store.set_json(key, 1),
            store.get_json(key),
            store.get_json_stored(key),
        ):
            with pytest.raises(errors.InvalidKey):
                await call
        assert not target.requests()

    @pytest.mark.parametrize("execution_id", NO_EXECUTIONS, ids=lambda value: repr(value)[:20])
    async def test_bad_executions(
        self,
        store: StateStore,
        target: Target,
        execution_id: Any,  # noqa: ANN401
    ) -> None:
        target.requests()
        for view in (store, store.tenant(ACME)):
            for call in (
                view.load_snapshot(execution_id),
                view.load_stored(execution_id),
                view.delete_snapshot(execution_id),
                view.update_snapshot(execution_id, lambda _: None),
                view.delete_execution_state(execution_id),
            ):
                with pytest.raises(errors.InvalidKey):
                    await call
            if execution_id is not None:
                with pytest.raises(errors.InvalidKey):
                    _ = [key async for key in view.iter_keys(execution_id)]
        with pytest.raises((errors.InvalidSnapshot, errors.InvalidKey)):
            await store.save_snapshot(snapshot(execution_id))
        assert not target.requests()

    async def test_what_cannot_be_meant_is_refused(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        target.requests()
        saved = snapshot()
        for call in (
            store.set("k", b"v", want_current=True),
            store.set_json("k", 1, want_current=True),
            store.delete("k", want_current=True),
            acme.save_snapshot(saved, want_current=True),
            acme.delete_snapshot(E1, want_current=True),
            acme.execution(E1).set("k", b"v", want_current=True),
        ):
            with pytest.raises(errors.InvalidArgument, match=r"want_current.* pass if_version"):
                await call
        seconds: Any
        for seconds in (60, 60.0, timedelta(minutes=1)):
            with pytest.raises(errors.InvalidArgument, match="ttl=60"):
                await store.update_json("k", lambda _: 1, seconds)
        block: Any = acme.lease(E1, ttl=5)
        with pytest.raises(errors.InvalidArgument, match=r"async with store\.lease"):
            await acme.save_snapshot(saved, lease=block)
        with pytest.raises(AttributeError, match=r"fence.*async with store\.lease"):
            _ = block.fence
        with pytest.raises(errors.InvalidArgument, match="leave after out"):
            _ = [key async for key in acme.iter_keys(E1, after="exec:e1:")]
        with pytest.raises(errors.InvalidArgument, match="of another execution"):
            _ = [key async for key in acme.iter_keys(E1, prefix="exec:e2:")]
        assert not target.requests()

    @pytest.mark.parametrize("tenant_id", NO_TENANTS, ids=lambda value: repr(value)[:20])
    async def test_bad_tenants(self, store: StateStore, target: Target, tenant_id: Any) -> None:  # noqa: ANN401
        target.requests()
        with pytest.raises(errors.InvalidKey):
            store.tenant(tenant_id)
        refused = errors.UnsupportedOperation if tenant_id is None else errors.InvalidKey
        with pytest.raises(refused):
            await store.list_snapshots(tenant_id, 10)
        with pytest.raises(errors.InvalidKey):
            await store.delete_tenant(tenant_id)
        with pytest.raises(refused):
            _ = [id_ async for id_ in store.iter_snapshots(tenant_id)]
        with pytest.raises((errors.InvalidSnapshot, errors.InvalidKey)):
            await store.save_snapshot(snapshot(E1, tenant_id))
        assert not target.requests()

    @pytest.mark.parametrize("value", ["text", None, 3, [118], [b"v"]], ids=repr)
    async def test_values_are_bytes(self, store: StateStore, target: Target, value: Any) -> None:  # noqa: ANN401
        target.requests()
        with pytest.raises(errors.InvalidValue):
            await store.set("k", value)
        assert not target.requests()

    @pytest.mark.parametrize("value", NO_JSON, ids=range(len(NO_JSON)))
    async def test_values_that_json_cannot_hold(
        self,
        store: StateStore,
        target: Target,
        value: Any,  # noqa: ANN401
    ) -> None:
        target.requests()
        with pytest.raises(errors.InvalidValue):
            await store.set_json("k", value)
        with pytest.raises(errors.InvalidSnapshot, match="variables"):
            snapshot(variables={"v": value})
        assert not target.requests()

    async def test_a_snapshot_that_was_changed_in_place_is_checked_when_saved(
        self, store: StateStore, target: Target
    ) -> None:
        target.requests()
        wrong: list[Any] = [b"bytes", float("nan"), {"a"}, {1: 2}, object()]
        for value in wrong:
            for field in ("variables", "step_outputs"):
                saved = snapshot(variables={"rows": [{}]}, step_outputs={"rows": [{}]})
                getattr(saved, field)["rows"][0]["bad"] = value
                with pytest.raises(errors.InvalidSnapshot, match=rf"^{field}\.rows\[0\]\.bad "):
                    await store.save_snapshot(saved)
        keyed = snapshot(variables={"rows": {}})
        keyed.variables["rows"][1] = 2
        with pytest.raises(errors.InvalidSnapshot, match=r"variables\.rows has a key"):
            await store.save_snapshot(keyed)
        assert not target.requests()

    async def test_the_message_names_the_type_and_its_place(self, store: StateStore) -> None:
        with pytest.raises(errors.InvalidValue, match=r"value\.rows\[1\] .*set"):
            await store.set_json("k", {"rows": [1, {"a"}]})

    @pytest.mark.parametrize(
        "wanted",
        [
            "int",
            5,
            [],
            int | list[int] | list[str],
            Opaque,
            list[Opaque],
            dict[str, Opaque | None],
            WithOpaque,
            Iterator[int],
            Uncheckable,
        ],
        ids=repr,
    )
    async def test_types_that_json_is_not_decoded_to(
        self,
        store: StateStore,
        target: Target,
        wanted: Any,  # noqa: ANN401
    ) -> None:
        target.requests()
        await store.set_json("k", {"x": 1})
        target.requests()
        with pytest.raises(errors.InvalidArgument):
            await store.get_json("k", wanted)
        with pytest.raises(errors.InvalidArgument, match="get_json_stored"):
            await store.get_json_stored("k", wanted)
        assert not target.requests()

    async def test_types_that_json_is_decoded_to(self, store: StateStore) -> None:
        await store.set_json("k", {"x": [1]})
        assert await store.get_json("k", object) == {"x": [1]}
        wanted: Any
        assert await store.get_json("k", dict[str, Iterable[int]]) == {"x": [1]}
        wanted = Mapping[str, list[float]]
        assert await store.get_json("k", wanted) == {"x": [1.0]}
        wanted = Annotated[dict[str, Any], ["not hashable"]]
        assert await store.get_json("k", wanted) == {"x": [1]}

    @pytest.mark.parametrize("version", ["1", 1, b"1", True], ids=repr)
    async def test_conditions_are_versions(
        self,
        store: StateStore,
        target: Target,
        version: Any,  # noqa: ANN401
    ) -> None:
        target.requests()
        with pytest.raises(errors.InvalidArgument):
            await store.set("k", b"v", if_version=version)
        with pytest.raises(errors.InvalidArgument):
            await store.delete("k", if_version=version)
        with pytest.raises(errors.InvalidArgument):
            await store.delete_snapshot(E1, if_version=version)
        with pytest.raises(errors.InvalidArgument):
            await store.save_snapshot(snapshot(), if_version=version)
        assert not target.requests()

    async def test_what_is_no_snapshot(self, store: StateStore, target: Target) -> None:
        target.requests()
        values: list[Any] = [None, {}, b"{}", "snapshot"]
        for value in values:
            with pytest.raises(errors.InvalidSnapshot):
                await store.save_snapshot(value)
        assert not target.requests()

    async def test_every_one_is_a_value_error_of_ours(self, store: StateStore) -> None:
        with pytest.raises(ValueError, match="must not be empty") as caught:
            await store.get("")
        assert isinstance(caught.value, errors.InvalidInput)
        assert isinstance(caught.value, errors.StateBucketError)
        assert caught.value.outcome == "none"

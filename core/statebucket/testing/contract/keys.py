"""Key-values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.testing.contract.base import Contract

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing.clock import Clock
    from statebucket.testing.target import Target

# What ends like a nonce, or like an encoding's padding, must come back as it is.
VALUES = [
    b"",
    b"\x00",
    b" \t\r\n" * 16,
    b"value \n",
    bytes(range(256)),
    b'{"a": 1}   ',
    b"\x1f\x8b\x08 looks like gzip",
    b"x" * 100_000,
]


@dataclass
class Point:
    """A typed value."""

    x: int
    label: str = ""


@dataclass
class Event:
    """A value of what JSON has no types for."""

    at: datetime
    tags: set[str]
    price: Decimal


class KeyContract(Contract):
    """``set``, ``get``, ``exists``, ``delete``, ``set_json``, ``get_json``."""

    async def test_many_values_at_once(
        self, store: StateStore, acme: StateStore, clock: Clock
    ) -> None:
        for view, value in ((store, b"shared"), (acme, b"acme")):
            for key in ("a", "b/c", "exec:e1:a"):
                await view.set(key, value + key.encode())
        await acme.set("old", b"v", 60)
        await acme.set("empty", b"")
        clock.advance(60)
        keys = ["b/c", "missing", "a", "exec:e1:a", "old", "a", "empty"]
        found = await acme.get_many(keys)
        assert found == {
            "b/c": b"acmeb/c",
            "missing": None,
            "a": b"acmea",
            "exec:e1:a": b"acmeexec:e1:a",
            "old": None,
            "empty": b"",
        }
        assert list(found) == list(dict.fromkeys(keys))
        assert await store.get_many(iter(["a", "empty"])) == {"a": b"shareda", "empty": None}
        execution = acme.execution("e1")
        assert await execution.get_many(["a", "exec:e1:a"]) == {
            "a": b"acmeexec:e1:a",
            "exec:e1:a": None,
        }
        stored = await acme.get_many_stored(["a", "missing"])
        assert stored == {"a": await acme.get_stored("a"), "missing": None}
        assert await execution.get_many_stored(["a"]) == {"a": await execution.get_stored("a")}
        assert await acme.get_many([]) == {} == await acme.get_many_stored([])

    async def test_more_values_than_go_at_one_time(self, acme: StateStore, target: Target) -> None:
        target.raw_put_many(f"tenants/acme/keys/k{number:03}" for number in range(100))
        keys = [f"k{number:03}" for number in range(101)]
        found = await acme.get_many(keys)
        assert list(found) == keys
        assert [key for key, value in found.items() if value is None] == ["k100"]

    async def test_of_many_keys_to_get_all_are_checked_first(
        self, acme: StateStore, target: Target
    ) -> None:
        target.requests()
        for view in (acme, acme.execution("e1")):
            wrong: Any
            for wrong in (["k", ""], ["k", 3], [None]):
                for call in (view.get_many(wrong), view.get_many_stored(wrong)):
                    with pytest.raises(errors.InvalidKey):
                        await call
            for wrong in ("k", b"k", None, 3):
                with pytest.raises(errors.InvalidArgument, match=r"get_many\(\[key\]\)"):
                    await view.get_many(wrong)
        assert not target.requests()

    @pytest.mark.parametrize(
        "value",
        [bytearray(b"value"), memoryview(b"value"), memoryview(b"-v-a-l-u-e")[1::2]],
        ids=["bytearray", "memoryview", "strided"],
    )
    async def test_a_value_may_be_a_buffer(
        self, store: StateStore, value: bytearray | memoryview
    ) -> None:
        await store.set("k", value)
        assert await store.get("k") == b"value"

    @pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:12]))
    async def test_bytes_come_back_exactly(self, store: StateStore, value: bytes) -> None:
        version = await store.set("k", value)
        assert await store.get("k") == value
        stored = await store.get_stored("k")
        assert stored is not None
        assert (stored.value, stored.version, stored.expires_at) == (value, version, None)
        assert stored.size == len(value)

    async def test_what_was_never_set_is_none(self, store: StateStore) -> None:
        assert await store.get("k") is None
        assert await store.get_stored("k") is None
        assert await store.get_json("k") is None
        assert await store.exists("k") is False

    async def test_exists_and_delete(self, store: StateStore) -> None:
        await store.set("k", b"")
        assert await store.exists("k") is True
        await store.delete("k")
        assert await store.exists("k") is False
        await store.delete("k")

    async def test_keys_are_stored_where_they_should_be(
        self, store: StateStore, acme: StateStore, target: Target
    ) -> None:
        await store.set("k", b"1")
        await store.set("exec:e1:a/b", b"2")
        await acme.set("k", b"3")
        await acme.set("exec:e1:a:b", b"4")
        assert target.raw_names() == [
            "shared/executions/e1/a~2Fb",
            "shared/keys/k",
            "tenants/acme/executions/e1/a~3Ab",
            "tenants/acme/keys/k",
        ]
        raw = target.raw_get("shared/keys/k")
        assert raw is not None
        assert raw.body.startswith(b"1")
        assert len(raw.body) == 1 + int(raw.metadata.get("tail", "0"))

    async def test_scopes_do_not_meet(self, store: StateStore, acme: StateStore) -> None:
        await store.set("k", b"shared")
        assert await acme.get("k") is None
        await acme.set("k", b"acme")
        assert await store.tenant("other").get("k") is None
        assert await store.get("k") == b"shared"
        await acme.delete("k")
        assert await store.get("k") == b"shared"

    @pytest.mark.parametrize(
        "value", [None, True, 0, 2**64, 1.5, "é☕", [], {}, {"a": [{"b": None}]}]
    )
    async def test_json_comes_back_equal(self, store: StateStore, value: object) -> None:
        await store.set_json("k", value)
        assert await store.get_json("k") == value

    async def test_json_is_decoded_to_a_type(self, store: StateStore) -> None:
        await store.set_json("k", Point(3, "here"))
        assert await store.get_json("k", Point) == Point(3, "here")
        found = await store.get_json_stored("k", Point)
        assert found is not None
        assert found.value.label == "here"
        assert await store.get_json("k") == {"x": 3, "label": "here"}
        assert await store.get("k") == b'{"x":3,"label":"here"}'

    async def test_declared_fields_come_back_as_they_were(self, store: StateStore) -> None:
        event = Event(datetime(2026, 1, 2, 3, tzinfo=UTC), {"a", "b"}, Decimal("1.50"))
        await store.set_json("k", [event])
        assert await store.get_json("k", list[Event]) == [event]

    async def test_json_of_another_type_is_corrupt(self, store: StateStore) -> None:
        await store.set_json("k", {"x": "three"})
        with pytest.raises(errors.CorruptObject):
            await store.get_json("k", Point)
        with pytest.raises(errors.CorruptObject):
            await store.get_json_stored("k", Point)
        await store.set("k", b"\xff not JSON")
        with pytest.raises(errors.CorruptObject):
            await store.get_json("k")
        assert await store.get("k") == b"\xff not JSON"

    async def test_keys_of_an_execution_are_listed_as_given(
        self, store: StateStore, acme: StateStore
    ) -> None:
        for key in ("exec:e1:b", "exec:e1:a/é", "exec:e10:x", "plain", "pl/ain", "execution"):
            await acme.set(key, b"v")
        assert sorted([key async for key in acme.iter_keys("e1")]) == ["exec:e1:a/é", "exec:e1:b"]
        assert sorted([key async for key in acme.iter_keys()]) == ["execution", "pl/ain", "plain"]
        assert [key async for key in store.iter_keys()] == []
        assert [key async for key in store.iter_keys("e1")] == []

    async def test_json_is_replaced_at_the_version_it_was_read_at(
        self, store: StateStore, clock: Clock
    ) -> None:
        assert await store.get_json_stored("k") is None
        version = await store.set_json("k", {"count": 1}, timedelta(minutes=1))
        found = await store.get_json_stored("k")
        assert found is not None
        assert (found.value, found.version, found.size) == ({"count": 1}, version, 11)
        assert found.expires_at == datetime.fromtimestamp(clock() + 60, UTC)
        await store.set_json("k", {"count": 2}, if_version=found.version)
        with pytest.raises(errors.VersionConflict):
            await store.set_json("k", {"count": 3}, if_version=found.version)
        assert await store.get_json("k") == {"count": 2}
        await store.set_json("gone", 1, timedelta(minutes=1))
        clock.advance(60)
        assert await store.get_json_stored("gone") is None

"""Values under keys: models, dataclasses, and the advice in error messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from statebucket import StateStore, errors, open_store, sync
from statebucket.testing.contract.base import snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.asyncio

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Item(pydantic.BaseModel):
    name: str
    at: datetime | None = None


@dataclass
class Basket:
    items: list[Item] = field(default_factory=list)
    at: datetime | None = None


@pytest.fixture
def store() -> StateStore:
    return open_store("memory://")


async def test_a_pydantic_model_is_stored_as_its_fields(store: StateStore) -> None:
    await store.set_json("k", [Item(name="a")])
    assert await store.get_json("k") == [{"name": "a", "at": None}]
    (found,) = await store.get_json("k")
    assert Item.model_validate(found) == Item(name="a")
    await store.set_json("k", Basket([Item(name="b")], AT))
    assert await store.get_json("k") == {
        "items": [{"name": "b", "at": None}],
        "at": "2026-01-02T00:00:00Z",
    }
    assert await store.update_json("k", lambda _: Item(name="c")) == {"name": "c", "at": None}


async def test_a_model_that_json_does_not_carry_is_refused_with_what_to_call(
    store: StateStore,
) -> None:
    for value in (Item(name="a", at=AT), Basket([Item(name="a", at=AT)])):
        with pytest.raises(errors.InvalidValue, match=r'pass model_dump\(mode="json"\) of it'):
            await store.set_json("k", value)
    await store.set_json("k", Item(name="a", at=AT).model_dump(mode="json"))
    found = await store.get_json("k")
    assert Item.model_validate(found) == Item(name="a", at=AT)


async def test_json_is_not_decoded_to_a_model(store: StateStore) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"Item\.model_validate\(value\)"):
        await store.get_json("k", Item)


async def test_a_call_that_was_not_awaited(store: StateStore) -> None:
    calls: list[Callable[[Any], Awaitable[Any]]] = [
        lambda value: store.set("k", value),
        lambda value: store.set(value, b"v"),
        store.get,
        lambda value: store.set_json("k", {"a": value}),
        lambda value: store.set("k", b"v", if_version=value),
        lambda value: store.delete("k", if_version=value),
        store.save_snapshot,
        store.load_snapshot,
    ]
    for call in calls:
        pending: Any = store.get("other")
        with pytest.raises(errors.InvalidInput, match="write await before"):
            await call(pending)
        pending.close()
    pending = store.get("other")
    with pytest.raises(errors.InvalidSnapshot, match="write await before"):
        snapshot(variables={"a": pending})
    pending.close()


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ({"execution_id": "e1"}, r"ExecutionSnapshot\(\*\*fields\)"),
        (b"{}", r"ExecutionSnapshot\.from_json\(data\)"),
        ("{}", r"ExecutionSnapshot\.from_json\(data\)"),
        (None, "not an ExecutionSnapshot: NoneType"),
    ],
    ids=repr,
)
async def test_what_is_no_snapshot(store: StateStore, value: Any, advice: str) -> None:
    with pytest.raises(errors.InvalidSnapshot, match=advice):
        await store.save_snapshot(value)
    if value is not None:
        with pytest.raises(errors.InvalidSnapshot, match=advice):
            await store.tenant("acme").update_snapshot("e1", lambda _: value)


async def test_a_stored_value_is_neither_a_snapshot_nor_a_version(store: StateStore) -> None:
    await store.save_snapshot(snapshot())
    stored: Any = await store.load_stored("e1")
    with pytest.raises(errors.InvalidSnapshot, match=r"write stored\.value"):
        await store.save_snapshot(stored)
    with pytest.raises(errors.InvalidArgument, match=r"write if_version=stored\.version"):
        await store.save_snapshot(snapshot(), if_version=stored)


async def test_text_is_not_bytes(store: StateStore) -> None:
    text: Any = "text"
    with pytest.raises(errors.InvalidValue, match=r"write value\.encode\(\)"):
        await store.set("k", text)
    number: Any = 3
    with pytest.raises(errors.InvalidValue, match="set_json stores other values"):
        await store.set("k", number)


async def test_the_blocking_store_is_not_awaited() -> None:
    store: Any = sync.open_store("memory://")
    for wrong in (store, store.tenant("acme")):
        with pytest.raises(errors.UnsupportedOperation, match="this is the blocking store"):
            await wrong
        with pytest.raises(errors.UnsupportedOperation, match="take open_store from statebucket,"):
            async with wrong:
                pass
        with pytest.raises(errors.UnsupportedOperation, match="write with, for, and calls"):
            async for _ in wrong.iter_tenants():
                pass
    store.shutdown()


async def test_the_asynchronous_store_does_not_block(store: StateStore) -> None:
    wrong: Any = store
    with pytest.raises(errors.UnsupportedOperation, match="write async with"), wrong:
        pass

"""The requirements of py-key-value's own suite, on every service."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from key_value.aio.errors import InvalidTTLError, SerializationError
from key_value.aio.protocols.key_value import (
    AsyncCullProtocol,
    AsyncDestroyCollectionProtocol,
    AsyncDestroyStoreProtocol,
    AsyncEnumerateCollectionsProtocol,
    AsyncEnumerateKeysProtocol,
    AsyncKeyValue,
)

from statebucket_keyvalue import StatebucketStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.targets.deployments import Deployment

pytestmark = pytest.mark.asyncio

VALUES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "null": {"a": None, "b": [None, None], "c": {"d": None}, "null": "null"},
    "true and false": {"a": True, "b": [True, False], "true": "true"},
    "integers": {"a": 1, "b": -42, "c": 10**18, "d": 10**40, "1": "1"},
    "floats": {"a": 1.0, "b": 1.23456789012345e10, "1.0": "1.0"},
    "text": {"a": "x" * 1024, "b": "Hello 世界 🌍 é", "c": "one\ntwo\tthree"},
    "nested": {"a": {"b": {"c": [{"id": 1}, {"id": 2}]}}},
    "large": {"a": "x" * 10_000, "b": list(range(1000)), "c": [{"n": n} for n in range(1000)]},
}
NO_VALUES: dict[str, Any] = {
    "a datetime": dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    "a date": dt.date(2025, 1, 1),
    "a time": dt.time(12),
    "a UUID": uuid.UUID(int=1),
    "bytes": b"hello",
    "a set": {1, 2, 3},
    "an object": object(),
}
NAMES = {
    "special": "a!@#$%^&*()",
    "long": "a-long-name" * 100,
    "long, beyond ASCII": "é世" * 300,
    "slashes": "/a//b/../c/",
    "escapes": "%2F%25%h~2F",
    "like an execution's": "exec:e1:rest",
    "a space": " ",
}


@pytest_asyncio.fixture
async def store(
    deployment: Deployment, request: pytest.FixtureRequest
) -> AsyncIterator[StatebucketStore]:
    """A store on one of a caller's; the caller ends it, and before that the store is ended.

    It is entered on one engine of each service, and closed without that on the other.
    """
    async with deployment.open() as state_store:
        found = StatebucketStore(store=state_store)
        if request.node.callspec.params["deployment"].endswith(("sqlite", "+http")):
            async with found:
                yield found
        else:
            yield found
            await found.close()


async def test_it_has_every_protocol(store: StatebucketStore) -> None:
    for protocol in (
        AsyncKeyValue,
        AsyncEnumerateKeysProtocol,
        AsyncEnumerateCollectionsProtocol,
        AsyncDestroyCollectionProtocol,
        AsyncDestroyStoreProtocol,
        AsyncCullProtocol,
    ):
        assert isinstance(store, protocol)


async def test_one_entry_from_nothing_to_nothing(store: StatebucketStore) -> None:
    assert await store.get("k", collection="c") is None
    assert await store.ttl("k", collection="c") == (None, None)
    assert await store.delete("k", collection="c") is False
    await store.put("k", {"n": 1}, collection="c")
    assert await store.get("k", collection="c") == {"n": 1}
    assert await store.ttl("k", collection="c") == ({"n": 1}, None)
    await store.put("k", {"n": 2}, collection="c")
    assert await store.get("k", collection="c") == {"n": 2}
    assert await store.delete("k", collection="c") is True
    assert await store.get("k", collection="c") is None
    assert await store.delete("k", collection="c") is False


async def test_many_entries_at_once(store: StatebucketStore) -> None:
    keys = [f"k{n}" for n in range(70)]
    values = [{"n": n} for n in range(70)]
    assert await store.get_many(keys[:2]) == [None, None]
    assert await store.delete_many(keys[:2]) == 0
    await store.put_many(keys, tuple(values))
    assert await store.get("k69") == {"n": 69}
    assert await store.get_many([*keys, "none", "k3"]) == [*values, None, {"n": 3}]
    assert await store.ttl_many(["k0", "none"]) == [({"n": 0}, None), (None, None)]
    assert await store.delete_many(["k0", "none", "k0", "k1"]) == 2
    assert await store.get_many(["k0", "k1", "k2"]) == [None, None, {"n": 2}]
    assert await store.delete_many(keys) == 68
    assert await store.delete_many(keys) == 0
    await store.put_many([], [])
    assert await store.get_many([]) == []
    assert await store.delete_many([]) == 0
    with pytest.raises(ValueError, match="number"):
        await store.put_many(["a", "b"], [{}])


async def test_of_a_key_that_comes_twice_the_last_value_stays(store: StatebucketStore) -> None:
    await store.put_many(["k", "k"], [{"n": 1}, {"n": 2}])
    assert await store.get("k") == {"n": 2}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_a_value_comes_back(store: StatebucketStore, value: dict[str, Any]) -> None:
    await store.put("k", value)
    assert await store.get("k") == value


@pytest.mark.parametrize("value", NO_VALUES.values(), ids=NO_VALUES)
async def test_what_is_no_json_is_refused(store: StatebucketStore, value: object) -> None:
    with pytest.raises(SerializationError):
        await store.put("k", {"a": value})
    with pytest.raises(SerializationError):
        await store.put_many(["j", "k"], [{"a": 1}, {"a": value}])
    with pytest.raises(SerializationError):
        await store.put_if_absent("k", {"a": value})
    assert await store.get("k") is None


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_any_name_is_one_for_a_key_and_a_collection(
    store: StatebucketStore, name: str
) -> None:
    await store.put(name, {"n": 1}, collection=name)
    await store.put("k", {"n": 2}, collection=name)
    await store.put(name, {"n": 3}, collection="c")
    assert await store.get(name, collection=name) == {"n": 1}
    assert sorted(await store.keys(name)) == sorted([name, "k"])
    assert await store.keys("c") == [name]
    assert sorted(await store.collections()) == sorted([name, "c"])
    assert await store.destroy_collection(name) is True
    assert await store.get(name, collection=name) is None
    assert await store.get(name, collection="c") == {"n": 3}


async def test_collections_are_apart(store: StatebucketStore) -> None:
    places = [("a", "b/c"), ("a/b", "c"), ("a", "b"), ("ab", ""), ("a:", "b"), ("a.", "b")]
    for n, (collection, key) in enumerate(places):
        await store.put(key, {"n": n}, collection=collection)
    for n, (collection, key) in enumerate(places):
        assert await store.get(key, collection=collection) == {"n": n}
    assert sorted(await store.keys("a")) == ["b", "b/c"]
    assert sorted(await store.collections()) == ["a", "a.", "a/b", "a:", "ab"]
    assert await store.destroy_collection("a") is True
    assert await store.destroy_collection("a") is False
    assert sorted(await store.collections()) == ["a.", "a/b", "a:", "ab"]


async def test_a_listing_is_as_long_as_asked_for(store: StatebucketStore) -> None:
    await store.put_many(["a", "b", "c"], [{}, {}, {}], collection="one")
    await store.put("a", {}, collection="two")
    assert await store.keys("one") == ["a", "b", "c"]
    assert await store.keys("one", limit=2) == ["a", "b"]
    assert await store.keys("none") == []
    assert await store.collections(limit=1) == ["one"]
    assert await store.collections(limit=0) == []


async def test_calls_without_a_collection_have_one(deployment: Deployment) -> None:
    async with deployment.open() as state_store:
        plain = StatebucketStore(store=state_store)
        named = StatebucketStore(store=state_store, default_collection="mine")
        await plain.put("k", {"n": 1})
        await named.put("k", {"n": 2})
        assert await plain.get("k", collection="default_collection") == {"n": 1}
        assert await plain.get("k", collection="mine") == {"n": 2}
        assert await named.keys() == ["k"]


async def test_all_goes_and_nothing_else(deployment: Deployment) -> None:
    async with deployment.open() as state_store:
        await state_store.set("kv", b"1")
        await state_store.set("kv0", b"1")
        await state_store.tenant("acme").set("k", b"1")
        store = StatebucketStore(store=state_store)
        other = StatebucketStore(store=state_store.tenant("acme"))
        await store.put("k", {}, collection="one")
        await store.put("k", {}, collection="two")
        await other.put("k", {"n": 1})
        assert await store.destroy() is True
        assert await store.collections() == []
        assert await other.get("k") == {"n": 1}
        assert [key async for key in state_store.iter_keys()] == ["kv", "kv0"]
        assert await state_store.tenant("acme").get("k") == b"1"


async def test_what_expires_is_gone_to_the_moment(store: StatebucketStore) -> None:
    await store.put("long", {"n": 1}, ttl=100)
    await store.put_many(["a", "b"], [{}, {}], ttl=0.4)
    assert await store.put_if_absent("c", {}, ttl=0.4)
    value, left = await store.ttl("long")
    assert value == {"n": 1}
    assert left is not None
    assert 90 < left <= 100
    await asyncio.sleep(0.45)
    assert await store.get_many(["a", "b", "c"]) == [None, None, None]
    assert await store.ttl("a") == (None, None)
    assert await store.put_if_absent("c", {"n": 2})
    await store.cull()
    assert sorted(await store.keys()) == ["c", "long"]
    assert await store.delete("a") is False


@pytest.mark.parametrize("ttl", [-100, 0, True, float("nan")])
async def test_a_ttl_that_is_none_is_refused(store: StatebucketStore, ttl: Any) -> None:
    for call in (store.put, store.put_if_absent):
        with pytest.raises((InvalidTTLError, ValueError)):
            await call("k", {}, ttl=ttl)
    assert await store.get("k") is None


async def test_of_many_that_put_what_is_absent_one_does(store: StatebucketStore) -> None:
    tried = [store.put_if_absent("jti", {"n": n}, collection="c", ttl=60) for n in range(8)]
    done = await asyncio.gather(*tried)
    assert sorted(done) == [False] * 7 + [True]
    assert await store.get("jti", collection="c") == {"n": done.index(True)}


async def test_many_workers(store: StatebucketStore) -> None:
    async def work(worker: int) -> None:
        for n in range(3):
            key = f"{worker}-{n}"
            assert await store.get(key) is None
            await store.put(key, {"n": n})
            assert await store.get(key) == {"n": n}
            assert await store.delete(key) is True
            assert await store.get(key) is None

    await asyncio.gather(*map(work, range(3)))

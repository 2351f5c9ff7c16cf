"""What type checkers know of the values that JSON is decoded to; `make check` has two read this.

A call with a type must not return `Any`, with which everything is right. The values are checked
when this runs.
"""

from __future__ import annotations

from typing import assert_type

import pytest

from statebucket import Stored, open_store, sync


@pytest.mark.asyncio
async def test_an_asynchronous_store() -> None:
    async with open_store("memory://") as store:
        await store.set_json("n", 1)
        assert assert_type(await store.get_json("n", int), int | None) == 1
        stored = assert_type(await store.get_json_stored("n", int), Stored[int] | None)
        assert stored is not None
        assert assert_type(stored.value, int) == 1
        added = await store.update_json("n", lambda n: (n or 0) + 1, int)
        assert assert_type(added, int | None) == 2
        acme = store.tenant("acme")
        await acme.set_json("n", {"a": 3})
        found = assert_type(await acme.get_json("n", dict[str, int]), dict[str, int] | None)
        assert found == {"a": 3}


def test_a_blocking_store() -> None:
    with sync.open_store("memory://") as store:
        store.set_json("n", 1)
        assert assert_type(store.get_json("n", int), int | None) == 1
        stored = assert_type(store.get_json_stored("n", int), Stored[int] | None)
        assert stored is not None
        assert assert_type(stored.value, int) == 1
        assert assert_type(store.update_json("n", lambda n: (n or 0) + 1, int), int | None) == 2

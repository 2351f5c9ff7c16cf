"""What is stored but is not what statebucket writes."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from statebucket import errors
from statebucket.testing.contract.base import ACME, E1, Contract, snapshot
from statebucket.testing.contract.snapshots import NAME, OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statebucket import StateStore
    from statebucket.testing.target import Target

GOOD = snapshot().to_json()
BAD: list[tuple[bytes, Mapping[str, str]]] = [
    (b"", {}),
    (b"not JSON", {}),
    (b"\xff\xfe", {}),
    (GOOD[:-1], {}),
    (GOOD[: len(GOOD) // 2], {}),
    (b"[]", {}),
    (b"{}", {}),
    (GOOD.replace(b'"Running"', b'"Dreaming"'), {}),
    (GOOD.replace(b'"Running"', b'{"Waiting":"Godot"}'), {}),
    (GOOD.replace(b'"sequence_number":1', b'"sequence_number":-1'), {}),
    (GOOD.replace(b'"sequence_number":1', b'"sequence_number":18446744073709551616'), {}),
    (GOOD.replace(b'"sequence_number":1', b'"sequence_number":"1"'), {}),
    (GOOD.replace(b'"e1"', b'"e2"'), {}),
    (GOOD.replace(b'"acme"', b'"other"'), {}),
    (b"[" * 100_000, {}),
    (GOOD.replace(b'"variables":{', b'"variables":{"deep":' + b"[" * 100_000), {}),
    (GOOD, {"format": "2"}),
    (GOOD, {"tail": "100000"}),
    (GOOD, {"tail": "-1"}),
    (GOOD, {"tail": "x"}),
    (GOOD, {"expiresat": "tomorrow"}),
    (GOOD, {"expiresat": "-5"}),
    (GOOD, {"expiresat": "253402300800000"}),  # a millisecond after the year 9999
]


class CorruptContract(Contract):
    """``CorruptObject``: never None, never deleted."""

    @pytest.mark.parametrize(("body", "metadata"), BAD, ids=range(len(BAD)))
    async def test_a_corrupt_snapshot_is_said_to_be_and_stays(
        self, acme: StateStore, target: Target, body: bytes, metadata: Mapping[str, str]
    ) -> None:
        target.raw_put(NAME, body, metadata)
        for load in (acme.load_snapshot, acme.load_stored):
            if b"[[" in body:
                # Decoding it ends at Python's recursion limit. Its lists may set off a collection
                # there, in which the finalizer of any garbage left over would fail.
                gc.collect()
            with pytest.raises(errors.CorruptObject) as caught:
                await load(E1)
            assert caught.value.object_name == target.prefix + NAME
        raw = target.raw_get(NAME)
        assert raw is not None
        assert raw.body == body
        assert await acme.list_snapshots(ACME, 10) == [E1]

    async def test_a_good_save_repairs_it(self, acme: StateStore, target: Target) -> None:
        target.raw_put(NAME, b"not JSON")
        await acme.save_snapshot(snapshot(number=3))
        loaded = await acme.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 3

    @pytest.mark.parametrize("body", [b"", b"acme", b"{}", b'{"written_ms":"x"}'])
    async def test_a_corrupt_owner_record_leads_to_its_execution(
        self, store: StateStore, target: Target, body: bytes
    ) -> None:
        target.raw_put(OWNER, body)
        assert await store.load_snapshot(E1) is None
        async with target.open(tenant=ACME) as acme:
            await acme.save_snapshot(snapshot())
        assert await store.load_snapshot(E1) is not None
        assert (await store.delete_execution_state(E1)).owners == 1
        assert target.raw_names() == []

    @pytest.mark.parametrize(
        "metadata", [{"tail": "7"}, {"expiresat": "1e9"}, {"format": "9"}], ids=repr
    )
    async def test_a_corrupt_value(
        self, store: StateStore, target: Target, metadata: Mapping[str, str]
    ) -> None:
        target.raw_put("shared/keys/k", b"short", metadata)
        with pytest.raises(errors.CorruptObject):
            await store.get("k")
        assert target.raw_names() == ["shared/keys/k"]

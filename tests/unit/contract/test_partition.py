"""Partitions as values: what they accept, and their conversion to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statebucket import Partition, errors

WHOLE: dict[str, Any] = {"index": 0, "count": 1, "start": None, "end": None, "tenant": None}


@pytest.mark.parametrize(
    "partition",
    [
        Partition(index=0, count=1),
        Partition(index=1, count=3, start="tenants/acme/e1", end="shared/k~2F1"),
        Partition(index=2, count=3, start="tenants/a~3A~C3~BC/e1", tenant="a:ü"),
    ],
)
def test_a_partition_goes_through_json_unchanged(partition: Partition) -> None:
    text = json.dumps(partition.to_dict())
    assert Partition.from_dict(json.loads(text)) == partition


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"index": -1}, "from 0 to its count"),
        ({"index": 1}, "from 0 to its count"),
        ({"index": True}, "int"),
        ({"index": 0.5}, "int"),
        ({"index": "0"}, "int"),
        ({"count": 100_001}, "at most 100,000"),
        ({"start": ""}, "as partitions\\(\\) writes them"),
        ({"start": "tenants/acme"}, "as partitions"),
        ({"start": "tenants//e1"}, "as partitions"),
        ({"start": "tenants/acme/e1/k"}, "as partitions"),
        ({"start": "shared/a b"}, "as partitions"),
        ({"start": "../x"}, "as partitions"),
        ({"end": "owners/"}, "as partitions"),
        ({"end": 3}, "str"),
        ({"start": "tenants/b/e", "end": "tenants/a/e"}, "end must come after its start"),
        ({"start": "owners/e", "end": "tenants/a/e"}, "end must come after its start"),
        ({"start": "shared/e", "end": "shared/e"}, "end must come after its start"),
        ({"tenant": ""}, "tenant must not be empty"),
        ({"more": 1}, "no field 'more'"),
    ],
)
def test_what_is_no_partition_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        Partition.from_dict(WHOLE | fields)


@pytest.mark.parametrize("bound", ["tenants/acme/e5", "shared/e5", "owners/e5"])
@pytest.mark.parametrize("side", ["start", "end"])
def test_a_part_of_a_tenant_lies_among_what_that_has(bound: str, side: str) -> None:
    """Changed on the way, it would leave out all that the tenant has, or do all of it."""
    with pytest.raises(errors.InvalidArgument, match="must begin and end within that tenant"):
        Partition.from_dict({"index": 0, "count": 2, "tenant": "b", side: bound})
    theirs = {"index": 0, "count": 2, "tenant": "a b", side: "tenants/a~20b/e5"}
    assert Partition.from_dict(theirs).tenant == "a b"


@pytest.mark.parametrize("value", [None, "tenants/acme/e1", 3, [], [("index", 0)]])
def test_what_is_no_dictionary_is_refused(value: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="must be a dict"):
        Partition.from_dict(value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(errors.InvalidArgument, match="count"):
        Partition.from_dict({"index": 0})

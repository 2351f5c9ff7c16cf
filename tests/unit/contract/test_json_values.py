"""A value that counts as plain JSON comes back from JSON unchanged."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket.contract.json_values import is_plain, json_value
from statebucket.errors import InvalidSnapshot, InvalidValue
from statebucket.testing.contract.base import snapshot

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(values)
def test_what_is_plain_comes_back_as_it_was(value: Any) -> None:
    if is_plain(value):
        assert json.loads(json.dumps(value)) == value
        assert json_value(value, "value") == value


@pytest.mark.parametrize(
    "value",
    [b"x", {1}, float("nan"), float("inf"), {1: "a"}, [{"a": [b"x"]}], ("a",), ..., "\ud800"],
    ids=repr,
)
def test_what_is_not_plain_is_left_to_the_one_that_says_why(value: Any) -> None:
    assert not is_plain(value)


@pytest.mark.parametrize("value", ["a", 1, -1.5, True, None, [], {}, {"a": [1, {"b": "c"}]}])
def test_plain_values_are_seen_to_be(value: Any) -> None:
    assert is_plain(value)


def test_what_holds_itself_has_no_end() -> None:
    value: list[Any] = []
    value.append(value)
    gc.collect()  # or a finalizer of what was left may run, and fail, at Python's limit
    with pytest.raises(RecursionError):
        is_plain(value)
    gc.collect()
    with pytest.raises(InvalidValue, match="contains itself"):
        json_value(value, "value")


class Line(pydantic.BaseModel):
    sku: str
    price: float


class Order(pydantic.BaseModel):
    lines: list[Line]
    note: str | None = None


class Dated(pydantic.BaseModel):
    at: datetime
    of: list[int] = []


class Root(pydantic.RootModel[list[int]]):
    pass


@dataclass
class Point:
    x: int
    label: tuple[str, ...] = ()
    kind: ClassVar[str] = "no field"


@dataclass
class Track:
    points: list[Point]
    order: Order | None = None
    at: datetime | None = None
    raw: bytes | None = None


class Typed(msgspec.Struct):
    x: int


class Pair(NamedTuple):
    x: int


ORDER = Order(lines=[Line(sku="a", price=1.5)])
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (ORDER, {"lines": [{"sku": "a", "price": 1.5}], "note": None}),
        (Root([1, 2]), [1, 2]),
        (Point(1, ("a",)), {"x": 1, "label": ["a"]}),
        (Track([Point(1)]), {"points": [{"x": 1, "label": []}], "order": None, "at": None}),
    ],
    ids=repr,
)
def test_models_and_dataclasses_of_plain_values_become_dicts(value: Any, plain: Any) -> None:
    if isinstance(value, Track):
        plain |= {"raw": None}
    assert not is_plain(value)
    assert json_value(value, "value") == plain
    assert json_value({"a": [value]}, "value") == {"a": [plain]}
    built = snapshot(variables={"v": value}, step_outputs={"s": [value]})
    assert (built.variables, built.step_outputs) == ({"v": plain}, {"s": [plain]})
    assert type(built).from_json(built.to_json()) == built
    changed = snapshot()
    changed.variables["v"] = value
    assert changed.checked().variables == {"v": plain}


@pytest.mark.parametrize(
    ("value", "path", "call"),
    [
        (Dated(at=AT), r"variables\.v\.at ", r'pass model_dump\(mode="json"\) of it'),
        (Track([], at=AT), r"variables\.v\.at ", r"pass msgspec\.to_builtins of it"),
        (Track([], raw=b""), r"variables\.v\.raw ", r"pass msgspec\.to_builtins of it"),
        (Typed(1), r"variables\.v ", r"pass msgspec\.to_builtins of it"),
        (Pair(1), r"variables\.v ", r"pass msgspec\.to_builtins of it"),
    ],
    ids=repr,
)
def test_what_would_come_back_as_something_else_is_refused_with_what_to_call(
    value: Any, path: str, call: str
) -> None:
    with pytest.raises(
        InvalidSnapshot, match=f"^{path}.*; for the {type(value).__name__} as a whole {call}"
    ):
        snapshot(variables={"v": value})


def test_what_is_called_then_is_accepted() -> None:
    dated = Dated(at=AT).model_dump(mode="json")
    track = msgspec.to_builtins(Track([Point(1)], at=AT))
    built = snapshot(variables={"dated": dated, "track": track})
    assert Dated.model_validate(built.variables["dated"]) == Dated(at=AT)
    assert msgspec.convert(built.variables["track"], Track) == Track([Point(1)], at=AT)


def test_a_class_is_no_value_of_it() -> None:
    for kind in (Order, Point, Typed):
        with pytest.raises(InvalidValue, match="is not JSON-serializable: "):
            json_value(kind, "value")

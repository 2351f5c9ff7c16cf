"""What is certainly plain JSON is what JSON brings back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket.contract.json_values import is_plain, json_value
from statebucket.errors import InvalidValue

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
    with pytest.raises(RecursionError):
        is_plain(value)
    with pytest.raises(InvalidValue, match="contains itself"):
        json_value(value, "value")

"""The one reader of durations."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket import errors
from statebucket.contract.durations import DAY, duration

REFUSED = [-1, -0.001, timedelta(seconds=-1), timedelta.min, math.nan, math.inf, -math.inf]
NO_DURATIONS = [True, False, None, "60", b"60", [60]]
TOO_LONG = [10**400, timedelta.max.total_seconds(), 1e30]


@given(st.timedeltas(min_value=timedelta(microseconds=1)))
def test_a_timedelta_is_itself(span: timedelta) -> None:
    assert duration(span, "ttl") == span


@given(st.integers(1, 10**13) | st.floats(1e-6, 1e9))
def test_a_number_is_seconds(seconds: float) -> None:
    assert duration(seconds, "ttl") == timedelta(seconds=seconds)


def test_what_is_positive_does_not_become_zero() -> None:
    assert duration(1e-300, "ttl") == timedelta(microseconds=1)


@pytest.mark.parametrize("value", [*REFUSED, *NO_DURATIONS, 0, 0.0, timedelta(0)], ids=repr)
def test_what_is_refused_is_shown_with_what_would_be_right(value: Any) -> None:
    with pytest.raises(errors.InvalidTTL) as caught:
        duration(value, "a TTL", error=errors.InvalidTTL)
    text = str(caught.value)
    assert text.startswith(
        "a TTL must be a positive timedelta or number of seconds, as in timedelta(seconds=30) or 30"
    )
    assert text.endswith(f": {errors.shown(value)}")


@pytest.mark.parametrize("value", [0, 0.0, -0.0, timedelta(0)], ids=repr)
def test_zero_is_accepted_where_it_means_something(value: timedelta | float) -> None:
    assert duration(value, "wait", zero=True) == timedelta(0)


@pytest.mark.parametrize("value", [*REFUSED, *NO_DURATIONS], ids=repr)
def test_where_zero_is_accepted_nothing_else_is(value: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^wait must be 0, or a positive timedelta"):
        duration(value, "wait", zero=True)


@pytest.mark.parametrize("value", TOO_LONG, ids=lambda value: repr(value)[:20])
def test_what_is_too_long_is_called_that(value: Any) -> None:
    for zero in (True, False):
        with pytest.raises(errors.InvalidArgument, match=r"^wait is too long: .* in seconds$"):
            duration(value, "wait", zero=zero)


@pytest.mark.parametrize("value", [86_401, 86_400.1, timedelta(days=1, microseconds=1)], ids=repr)
def test_the_longest_is_named(value: timedelta | float) -> None:
    assert duration(86_400, "deadline", longest=DAY) == DAY
    with pytest.raises(errors.InvalidArgument, match=r"^deadline is too long, over 86400 s: "):
        duration(value, "deadline", longest=DAY)

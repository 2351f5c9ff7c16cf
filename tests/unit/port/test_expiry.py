"""TTLs and the classes that lifecycle rules remove objects by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket import errors
from statebucket.port.expiry import CLASSES, TAG, Expiry, from_ms, outliving, to_milliseconds

DAY = timedelta(days=1)
MS = timedelta(milliseconds=1)
NOW_MS = 1_795_000_000_000
ttls = st.timedeltas(timedelta(microseconds=1), timedelta(days=3000))


def test_classes_are_the_powers_of_two_up_to_1024() -> None:
    assert CLASSES == (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    assert TAG == "statebucket-ttl"


@pytest.mark.parametrize("days", CLASSES)
def test_exactly_n_days_are_of_class_n_and_one_millisecond_more_of_the_next(days: int) -> None:
    longer = days * 2 if days < 1024 else None
    assert Expiry.after(days * DAY, NOW_MS) == Expiry(NOW_MS + days * 86_400_000, days)
    assert Expiry.after(days * DAY - MS, NOW_MS).days == days
    assert Expiry.after(days * DAY + MS, NOW_MS).days == longer
    # Even a microsecond more: a TTL is rounded up.
    assert Expiry.after(days * DAY + timedelta(microseconds=1), NOW_MS).days == longer


@given(ttls, st.integers(0, 2 * NOW_MS))
def test_neither_the_moment_nor_the_class_is_earlier_than_the_ttl(
    ttl: timedelta, now_ms: int
) -> None:
    expiry = Expiry.after(ttl, now_ms)
    assert expiry.at >= from_ms(now_ms) + ttl
    assert expiry.at < from_ms(now_ms) + ttl + MS
    if expiry.days is None:
        assert ttl > 1024 * DAY
    else:
        assert expiry.days * DAY >= ttl
        # And it is the smallest such class.
        assert expiry.days == 1 or expiry.days // 2 * DAY < ttl


@given(ttls, st.integers(0, 86_400_000), st.integers(0, NOW_MS))
def test_an_index_record_outlives_its_object(ttl: timedelta, passed: int, now_ms: int) -> None:
    expiry = Expiry.after(ttl, now_ms)
    record = outliving(expiry, now_ms + passed)
    if record is None:
        assert expiry.days in (None, 1024)
        return
    assert expiry.days is not None
    assert record.days == expiry.days * 2
    assert record.at_ms > expiry.at_ms
    # The rule that removes it comes no sooner than its moment, counted from its own write.
    assert now_ms + passed + record.days * 86_400_000 >= record.at_ms


def test_nothing_outlives_the_largest_class_but_what_never_expires() -> None:
    assert outliving(Expiry.after(512 * DAY, NOW_MS), NOW_MS) == Expiry(
        NOW_MS + 1024 * 86_400_000, 1024
    )
    assert outliving(Expiry.after(1024 * DAY, NOW_MS), NOW_MS) is None
    assert outliving(Expiry.after(1025 * DAY, NOW_MS), NOW_MS) is None


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [
        (timedelta(microseconds=1), 1),
        (timedelta(microseconds=1000), 1),
        (timedelta(microseconds=1001), 2),
        (timedelta(seconds=1.5), 1500),
        (timedelta(days=1024), 88_473_600_000),
        (60, 60_000),
        (0.07, 70),  # 70.00000000000001 as floats multiply
        (1e-9, 1),
        (1.0001, 1001),
    ],
)
def test_a_ttl_is_rounded_up_to_milliseconds(ttl: timedelta | float, milliseconds: int) -> None:
    assert to_milliseconds(ttl) == milliseconds


@pytest.mark.parametrize(
    "bad",
    [timedelta(0), -MS, timedelta.min, 0, -60.0, 1e30, True, None, float("nan"), "60", "PT1M"],
    ids=repr,
)
def test_what_is_no_positive_duration_is_refused_and_shown(bad: Any) -> None:
    with pytest.raises(errors.InvalidTTL) as caught:
        Expiry.after(bad, NOW_MS)
    assert repr(bad) in str(caught.value)
    with pytest.raises(errors.InvalidTTL):
        to_milliseconds(bad)


def test_a_ttl_ends_before_the_year_10000() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)
    longest = last - from_ms(NOW_MS)
    assert Expiry.after(longest, NOW_MS).at == last
    for longer in (longest + MS, timedelta.max):
        with pytest.raises(errors.InvalidTTL, match="year 10000"):
            Expiry.after(longer, NOW_MS)


@given(st.integers(0, 253_402_300_799_999))
def test_moments_are_exact_to_the_millisecond(milliseconds: int) -> None:
    moment = from_ms(milliseconds)
    assert moment.tzinfo is UTC
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MS == milliseconds

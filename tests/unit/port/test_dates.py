"""Times in services' replies."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebucket.port.dates import from_http, from_iso

moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(moments)
def test_http_dates_are_read(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert from_http(format_datetime(whole, usegmt=True)) == whole


@given(moments)
def test_iso_dates_are_read(moment: datetime) -> None:
    assert from_iso(moment.isoformat()) == moment
    assert from_iso(moment.isoformat().replace("+00:00", "Z")) == moment


def test_a_zone_is_heeded() -> None:
    found = from_iso("2026-11-28T12:00:00.123456789+02:00")
    assert found == datetime(2026, 11, 28, 10, 0, 0, 123456, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "soon", "2026-11-28T12:00:00", "2026-13-01T00:00:00Z"),
        *("0001-01-01T00:00:00+23:59", "Sun, 31 Feb 2026 00:00:00 GMT"),
        *("Sun, 01 Foo 2026 00:00:00 GMT", "Sun, 01 Nov 2026 25:00:00 GMT"),
        *("Sun, 01 Nov 2026 00:00:00 CET", "Sun, 01 Nov 0000 00:00:00 GMT"),
    ],
)
def test_what_is_no_moment_is_none(text: str | None) -> None:
    assert from_iso(text) is None
    assert from_http(text) is None

"""Parts of objects, and times in the rows of a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from statebucket import errors
from statebucket.port.inventory_reports import Row, folded, whole_part


@pytest.mark.parametrize(
    ("body", "content_range"),
    [
        (b"abcd", None),  # the service knows no ranges, and sent all
        (b"abcd", "bytes 0-3/9"),
        (b"abc", "bytes 4-7/9"),
        (b"abcd", "bytes 4-8/9"),
        (b"abcd", "bytes 44-47/99"),
    ],
)
def test_another_part_than_was_requested_is_refused(body: bytes, content_range: str | None) -> None:
    assert whole_part(b"abcd", 4, 4, "bytes 4-7/9") == b"abcd"
    with pytest.raises(errors.Unavailable, match="instead of 4 from 4 on"):
        whole_part(body, 4, 4, content_range)


def test_moments_are_in_utc() -> None:
    moment = datetime(2026, 11, 27, 1, tzinfo=UTC)
    for value in (
        moment,
        moment.replace(tzinfo=None),
        moment.astimezone(timezone(timedelta(hours=5))),
        "2026-11-27T01:00:00.000Z",
        "2026-11-27T06:00:00+05:00",
        "Fri, 27 Nov 2026 01:00:00 GMT",
    ):
        assert Row({"at": 0}, [value]).moment("at") == moment
    assert Row({"at": 0}, ["soon"]).moment("at") is None
    assert Row({}, []).moment("at") is None


def test_columns_are_the_same_however_they_are_written() -> None:
    names = {
        folded(one) for one in ("LastModifiedDate", "last_modified_date", " Last-Modified-Date")
    }
    assert names == {"lastmodifieddate"}

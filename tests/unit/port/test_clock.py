"""What a reply's date says about this machine's clock."""

from __future__ import annotations

import pytest

from statebucket.port.clock import clock_finding


def test_a_clock_that_is_off_is_found() -> None:
    finding = clock_finding("Sun, 06 Nov 1994 08:49:37 GMT")
    assert finding.status == "warning"
    assert "set-ntp" in str(finding.remedy)


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_reply_without_a_date_tells_nothing_of_the_clock(date: str | None) -> None:
    assert clock_finding(date).status == "unknown"

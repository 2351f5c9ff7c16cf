"""The moments that services write into their replies.

A listing has one for each entry, so that they are read by hand: the standard library's reader of
HTTP dates takes ten times as long, and its import 10 ms.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_HTTP = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d) GMT", re.ASCII)


def from_iso(text: str | None) -> datetime | None:
    """The UTC moment of an ISO 8601 date with a time zone; None where the text is none."""
    try:
        found = datetime.fromisoformat(text or "")
        if found.tzinfo is UTC:  # as a zone of "Z" or "+00:00" is read
            return found
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_http(text: str | None) -> datetime | None:
    """The UTC moment of an HTTP date (``Sun, 06 Nov 1994 08:49:37 GMT``); None where it is none."""
    found = _HTTP.fullmatch(text or "")
    if found is None:
        return None
    day, month, year, time = found.groups()
    try:
        return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day}T{time}+00:00")
    except (KeyError, ValueError):
        return None

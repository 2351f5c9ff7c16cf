"""The times that services write into their replies.

A listing has one for each entry, so they are parsed by hand: the standard library's parser of HTTP
dates takes ten times as long, and 10 ms to import.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_MONTHS = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DAY = r"(?a)\w{3}, (\d\d) (\w{3}) (\d{4}) "


def from_iso(text: str | None) -> datetime | None:
    """The UTC time of an ISO 8601 date with a time zone; None if the text is not one."""
    try:
        found = datetime.fromisoformat(text or "")
        if found.tzinfo is UTC:  # as a zone of "Z" or "+00:00" is read
            return found
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_http(text: str | None) -> datetime | None:
    """The UTC time of an HTTP date (``Sun, 06 Nov 1994 08:49:37 GMT``); None if it is not one."""
    if text is None or text[25:] != " GMT" or not text[19] == text[22] == ":":
        return None
    day = _day(text[:17])
    if day is None:
        return None
    try:
        return datetime.fromisoformat(f"{day}{text[17:25]}Z")
    except ValueError:
        return None


@lru_cache(maxsize=64)  # most objects of a listing are of a few days
def _day(text: str) -> str | None:
    """The day that an HTTP date begins with (``Sun, 06 Nov 1994 ``): ``1994-11-06T``."""
    found = re.fullmatch(_DAY, text)
    if found is None:
        return None
    day, month, year = found.groups()
    return f"{year}-{_MONTHS[month]}-{day}T" if month in _MONTHS else None

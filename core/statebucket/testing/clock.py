"""A clock that stands still until a test moves it."""

from __future__ import annotations

import time
from datetime import timedelta

from statebucket.errors import InvalidArgument, shown

_LAST_S = 253_402_300_799  # the end of the year 9999


class Clock:
    """Pass it to ``open_store(…, clock=clock)``; TTLs then follow it.

    Args:
        start: Seconds since the epoch; now by default.

    Raises:
        InvalidArgument: ``start`` is not a number of seconds.
    """

    def __init__(self, start: float | None = None) -> None:
        self.now = float(int(time.time() if start is None else _seconds("start", start)))

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self.now

    def advance(self, by: timedelta | float) -> None:
        """Moves the time forward, by a `timedelta` or by seconds; backward if it is negative.

        Raises:
            InvalidArgument: ``by`` is neither.
        """
        self.now += by.total_seconds() if isinstance(by, timedelta) else _seconds("by", by)


def _seconds(what: str, given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) <= _LAST_S:
        return given
    also = "" if what == "start" else "a timedelta or "
    raise InvalidArgument(
        f"a clock's {what} must be {also}a number of seconds, as in 3600: {shown(given)}"
    )

"""The seconds that a service asks its clients to wait."""

from __future__ import annotations

import math


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a ``Retry-After`` header asks for, in figures or as a date, or None."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        seconds = _seconds_until(retry_after or "")
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(date: str) -> float:
    """Seconds from now until an HTTP date, at least 0; NaN if it is not one."""
    import time  # noqa: PLC0415  (rarely needed)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  (10 ms)

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return math.nan

"""A clock that stands still until a test moves it."""

from __future__ import annotations

import time
from datetime import timedelta


class Clock:
    """Pass it to ``open_store(…, clock=clock)``; TTLs then follow it.

    Args:
        start: Seconds since the epoch; now by default.
    """

    def __init__(self, start: float | None = None) -> None:
        self.now = float(int(time.time() if start is None else start))

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self.now

    def advance(self, by: timedelta | float) -> None:
        """Moves the time forward, by a `timedelta` or by seconds."""
        self.now += by.total_seconds() if isinstance(by, timedelta) else by

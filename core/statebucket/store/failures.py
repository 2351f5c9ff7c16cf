"""The failures of a long call: all are counted, some are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket.errors import StateBucketError

MAX_SAMPLE = 100
"""The most errors that are kept for a call on an unlimited number of objects."""


class Failures:
    """The failures of one call.

    Args:
        limit: The most that are kept; None for all, if the caller named the objects.

    Attributes:
        sample: The first ones, by object name.
        count: How many there were.
        transient: Whether the same call may succeed later for any of them.
        open: Whether any of them leaves open what the request has done.
    """

    def __init__(self, limit: int | None = MAX_SAMPLE) -> None:
        self._limit = limit
        self.sample: dict[str, StateBucketError] = {}
        self.count = 0
        self.transient = False
        self.open = False

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, name: str, error: StateBucketError) -> None:
        """Records an error of an object, or of a prefix."""
        if name in self.sample:
            return
        self.count += 1
        self.transient = self.transient or error.transient
        self.open = self.open or error.outcome == "unknown"
        if self._limit is None or len(self.sample) < self._limit:
            self.sample[name] = error

    @property
    def first(self) -> tuple[str, StateBucketError]:
        """The first failure, with its object's name."""
        return next(iter(self.sample.items()))

"""What went wrong in a long call: all of it counted, some of it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket.errors import StateBucketError

MAX_SAMPLE = 100
"""The most errors that are kept of a call whose number of objects has no bound."""


class Failures:
    """The failures of one call.

    Args:
        limit: The most that are kept; None for all, where the caller named the objects.

    Attributes:
        sample: Those kept, by object name: the first.
        count: How many there were.
        transient: Whether the same call may succeed later for any of them.
    """

    def __init__(self, limit: int | None = MAX_SAMPLE) -> None:
        self._limit = limit
        self.sample: dict[str, StateBucketError] = {}
        self.count = 0
        self.transient = False

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, name: str, error: StateBucketError) -> None:
        """Takes down that something went wrong with an object, or below a prefix."""
        if name in self.sample:
            return
        self.count += 1
        self.transient = self.transient or error.transient
        if self._limit is None or len(self.sample) < self._limit:
            self.sample[name] = error

    @property
    def first(self) -> tuple[str, StateBucketError]:
        """The first of them, with its name."""
        return next(iter(self.sample.items()))

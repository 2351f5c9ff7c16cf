"""The failures of a long call: all are counted, some are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket.errors import StateBucketError

MAX_SAMPLE = 100
"""The most errors that are kept for a call on an unlimited number of objects."""

MAX_IN_A_ROW = 8
"""The most transient failures, with no success between them, that are put down to objects."""


class Streak:
    """Transient failures in a row: a few are of objects, more are of the service itself.

    One object that a service can never read or remove, such as one whose drives are lost, must not
    keep a long call from all that lies behind it. But if nothing has succeeded yet, the service
    may not be there at all.
    """

    def __init__(self) -> None:
        self._length = MAX_IN_A_ROW

    def fails(self) -> bool:
        """Records a failure; whether the service is in trouble."""
        self._length += 1
        return self._length > MAX_IN_A_ROW

    def ends(self) -> None:
        """Records that a request succeeded."""
        self._length = 0


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

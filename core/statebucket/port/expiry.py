"""Time to live: when an object expires, and which class of lifecycle rules removes it.

A TTL is exact for the reader: the time of expiry is in the object's metadata, and an expired object
reads as missing. The cloud removes it later, by lifecycle rules in whole days. So that a few fixed
rules serve every TTL, an object belongs to a *class*: the smallest of 1, 2, 4, … 1024 days that is
not below its TTL. Removal by class is never early.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from statebucket.contract.durations import duration
from statebucket.errors import InvalidTTL, shown

CLASSES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""The classes, in days."""

TAG = "statebucket-ttl"
"""The tag whose value is an object's class in days, on services that have tags."""

_DAY_MS = 86_400_000
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The last time that a `datetime` can hold, in milliseconds since the epoch."""


class Expiry(msgspec.Struct, frozen=True):
    """When an object expires, for the reader and for the cloud.

    Attributes:
        at_ms: The time of expiry, in milliseconds since the epoch.
        days: The class, in days from the write; None above 1,024 days: no rule removes it, only
            ``sweep`` does.
    """

    at_ms: int
    days: int | None

    @property
    def at(self) -> datetime:
        """The time of expiry as a UTC `datetime`."""
        return from_ms(self.at_ms)

    @classmethod
    def after(cls, ttl: timedelta | float, now_ms: int) -> Expiry:
        """The expiry of an object that is written at ``now_ms`` with a TTL.

        Raises:
            InvalidTTL: ``ttl`` is not a positive duration, or ends after the year 9999.
        """
        ttl_ms = to_milliseconds(ttl)
        if now_ms + ttl_ms > LAST_MS:
            raise InvalidTTL(
                f"a TTL must end before the year 10000: {shown(ttl)}; a number is in seconds"
            )
        return cls(now_ms + ttl_ms, class_of(ttl_ms))

    @classmethod
    def until(cls, at_ms: int, now_ms: int) -> Expiry:
        """The expiry of an object that is written at ``now_ms`` and expires at ``at_ms``."""
        return cls(at_ms, class_of(max(1, at_ms - now_ms)))


def to_milliseconds(ttl: timedelta | float, *, longest: timedelta = timedelta.max) -> int:
    """Returns a TTL in whole milliseconds, rounded up.

    Args:
        ttl: The TTL, a `timedelta` or seconds.
        longest: The longest that it may be.

    Raises:
        InvalidTTL: It is not a positive duration, or over the longest.
    """
    return _milliseconds(duration(ttl, "a TTL", longest=longest, error=InvalidTTL))


def span_ms(span: timedelta | float, name: str) -> int:
    """A duration that may be zero, in whole milliseconds, rounded up.

    Args:
        span: The duration, a `timedelta` or seconds.
        name: The argument it was given as, for the error.

    Raises:
        InvalidArgument: It is negative, or not a duration.
    """
    return _milliseconds(duration(span, name, zero=True))


def _milliseconds(span: timedelta) -> int:
    return -(-(span // timedelta.resolution) // 1000)


def class_of(ttl_ms: int) -> int | None:
    """The smallest class, in days, that is not below a TTL; None above the largest."""
    return next((days for days in CLASSES if days * _DAY_MS >= ttl_ms), None)


def outliving(expiry: Expiry, now_ms: int) -> Expiry | None:
    """The expiry of an index record that must outlive an object: one class longer than its own.

    None (it never expires) if no class is longer.
    """
    longer = None if expiry.days is None else expiry.days * 2
    if longer not in CLASSES:
        return None
    return Expiry(now_ms + longer * _DAY_MS, longer)


def from_ms(milliseconds: int) -> datetime:
    """The UTC time at ``milliseconds`` since the epoch, without floating-point rounding."""
    return _EPOCH + milliseconds * _MILLISECOND

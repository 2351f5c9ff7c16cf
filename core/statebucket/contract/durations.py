"""Durations: reads what callers pass as one, a `timedelta` or seconds."""

from __future__ import annotations

from datetime import timedelta

from statebucket.errors import InvalidArgument, InvalidInput, shown

DAY = timedelta(days=1)

_MICROSECOND = timedelta.resolution
_TOO_LONG_S = timedelta.max.total_seconds()  # as a float, just over what a timedelta can hold


def duration(
    value: timedelta | float,
    name: str,
    *,
    zero: bool = False,
    longest: timedelta = timedelta.max,
    error: type[InvalidInput] = InvalidArgument,
) -> timedelta:
    """Reads a duration.

    Args:
        value: A `timedelta`, or seconds as an int or a float.
        name: The argument it was given as, for the error.
        zero: Whether it may be zero.
        longest: The longest that it may be.
        error: The type of the error.

    Returns:
        The same as a `timedelta`; seconds are rounded to microseconds, but not to zero.

    Raises:
        InvalidInput: It is negative, zero where that has no meaning, NaN, infinite, too long, or of
            another type. It is of the type ``error``.
    """
    read = _read(value)
    if (read is not None and read > longest) or (read is None and _is_too_long(value)):
        limit = "" if longest == timedelta.max else f", over {longest.total_seconds():.0f} s"
        raise error(f"{name} is too long{limit}: {shown(value)}; a number is in seconds")
    if read is None or read < timedelta(0) or (not zero and not read):
        kind = "0, or a positive" if zero else "a positive"
        limit = "" if longest == timedelta.max else f" and at most {longest.total_seconds():.0f} s"
        raise error(
            f"{name} must be {kind} timedelta or number of seconds{limit}, as in "
            f"timedelta(seconds=30) or 30: {shown(value)}"
        )
    return read


def _is_too_long(value: object) -> bool:
    """Whether a number of seconds is more than a `timedelta` can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return _TOO_LONG_S <= value < float("inf")


def _read(value: object) -> timedelta | None:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_TOO_LONG_S < value < _TOO_LONG_S:  # NaN as well
        return None
    return max(timedelta(seconds=value), _MICROSECOND) if value > 0 else timedelta(seconds=value)

"""The callback by which a long call reports what it has done so far."""

from __future__ import annotations

from statebucket.errors import InvalidArgument, shown


def check_progress(progress: object) -> None:
    """Returns if it is None or can be called with a report.

    Raises:
        InvalidArgument: It cannot be called, or returns a coroutine, which no one would await.
    """
    if progress is None:
        return
    from inspect import iscoroutinefunction  # noqa: PLC0415  (off the cold-start path: 8 ms)

    if not callable(progress) or iscoroutinefunction(progress):
        raise InvalidArgument(
            "progress must be a plain function of the report, as in progress=print, not async: "
            f"{shown(progress)}"
        )

"""Functions that a caller passes in: progress callbacks, and functions that change a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import InvalidArgument, shown

if TYPE_CHECKING:
    from collections.abc import Callable

A = TypeVar("A")
R = TypeVar("R")


def check_progress(progress: object) -> None:
    """Checks that a progress callback is None or can be called with a report.

    Raises:
        InvalidArgument: It cannot be called, or returns a coroutine, which no one would await.
    """
    if progress is not None and not _is_plain(progress):
        raise InvalidArgument(
            "progress must be a plain function of the report, as in progress=print, not async: "
            f"{shown(progress)}"
        )


def check_function(operation: str, function: object) -> None:
    """Checks that a function can be called to change a value.

    Raises:
        InvalidArgument: It cannot be called, or returns a coroutine.
    """
    if not _is_plain(function):
        raise InvalidArgument(
            f"{operation}: function must be a plain function of the stored value, as in "
            f"lambda old: …, not async; await what it needs before this call: {shown(function)}"
        )


def called(what: str, function: Callable[[A], R], argument: A) -> R:
    """Calls a function that the caller passed in; its errors reach the caller unchanged.

    Args:
        what: The call and its argument, for the error.
        function: The function.
        argument: What it takes.

    Raises:
        InvalidArgument: It raised StopIteration, which cannot leave a coroutine: Python would turn
            it into a RuntimeError that does not say where it comes from.
    """
    try:
        return function(argument)
    except StopIteration as error:
        raise InvalidArgument(
            f"{what} raised StopIteration, which cannot leave a coroutine: use next(items, None), "
            "or catch it in your function"
        ) from error


def _is_plain(function: object) -> bool:
    from inspect import iscoroutinefunction  # noqa: PLC0415  (off the cold-start path: 8 ms)

    return callable(function) and not iscoroutinefunction(function)

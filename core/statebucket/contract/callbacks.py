"""Functions of the caller's: what a long call reports to, and what changes a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import InvalidArgument, shown

if TYPE_CHECKING:
    from collections.abc import Callable

A = TypeVar("A")
R = TypeVar("R")


def check_progress(progress: object) -> None:
    """Returns if it is None or can be called with a report.

    Raises:
        InvalidArgument: It cannot be called, or returns a coroutine, which no one would await.
    """
    if progress is not None and not _is_plain(progress):
        raise InvalidArgument(
            "progress must be a plain function of the report, as in progress=print, not async: "
            f"{shown(progress)}"
        )


def check_function(operation: str, function: object) -> None:
    """Returns if it is one that can be called to change a value.

    Raises:
        InvalidArgument: It cannot be called, or returns a coroutine.
    """
    if not _is_plain(function):
        raise InvalidArgument(
            f"{operation}: function must be a plain function of the stored value, as in "
            f"lambda old: …; what it has to await, await before the call: {shown(function)}"
        )


def called(what: str, function: Callable[[A], R], argument: A) -> R:
    """Calls a function of the caller's, whose errors reach the caller as they are.

    Args:
        what: The call and its argument, for the error.
        function: The function.
        argument: What it takes.

    Raises:
        InvalidArgument: It has raised StopIteration, which Python lets out of no coroutine: the
            caller would have a RuntimeError that does not say where it comes from.
    """
    try:
        return function(argument)
    except StopIteration as error:
        raise InvalidArgument(
            f"{what} raised StopIteration, which cannot pass through the call: write "
            "next(items, None) in it, or catch it there"
        ) from error


def _is_plain(function: object) -> bool:
    from inspect import iscoroutinefunction  # noqa: PLC0415  (off the cold-start path: 8 ms)

    return callable(function) and not iscoroutinefunction(function)

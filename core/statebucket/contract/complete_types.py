"""What msgspec knows of a type, completed in one thread before another can come upon a part of it.

msgspec looks into a type when it first decodes to it, and attaches what it has found to the type
before all of it is there. Where another thread decodes to the same type meanwhile, the interpreter
crashes (msgspec 0.18 to 0.22). So threads wait for each other here.
"""

from __future__ import annotations

import os
from _thread import RLock
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_PATIENCE = 1.0  # seconds to wait for another thread: a signal handler may have stopped it
_completing = RLock()  # one thread's own signal handler must not wait for it
_complete: set[Any] = set()


def complete(kind: type[T]) -> type[T]:
    """A type to which any number of threads may decode, or convert, from now on.

    Args:
        kind: The type: one of the project's own, since it is remembered.

    Returns:
        The type itself.
    """
    if kind not in _complete:
        json_decoder(kind)
        _complete.add(kind)
    return kind


def json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401  (any type)
    """A new decoder of JSON to a type.

    Raises:
        TypeError: msgspec cannot decode to it.
        NameError: A name in its annotations stands for nothing.
    """
    held = _completing.acquire(timeout=_PATIENCE)
    try:
        return msgspec.json.Decoder(kind)
    finally:
        if held:
            _completing.release()


def _before_fork() -> None:
    """No type may be incomplete: in the child no thread would ever complete it."""
    _completing.acquire(timeout=_PATIENCE)


def _after_fork() -> None:
    with suppress(RuntimeError):  # it was not acquired in time
        _completing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )

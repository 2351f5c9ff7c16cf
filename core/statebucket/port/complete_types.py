"""Builds what msgspec knows of a type, in one thread at a time.

msgspec inspects a type when it first decodes to it, and attaches what it finds to the type before
it is complete. What decodes to the same type meanwhile, in another thread or in a signal handler,
crashes the interpreter (msgspec 0.18 to 0.22). So threads wait for each other, and the main thread,
which signal handlers interrupt, has another thread build it.
"""

from __future__ import annotations

import os
import sys
import threading
from _thread import RLock
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from statebucket.errors import Unavailable, shown
from statebucket.port.lock_free_future import LockFreeFuture

if TYPE_CHECKING:
    from types import FrameType

T = TypeVar("T")

_PATIENCE = 10.0  # seconds; an annotation may wait for something
_building = RLock()
_complete: set[Any] = {object, dict[str, Any]}


def complete(kind: type[T]) -> type[T]:
    """A class to which any number of threads may decode, or convert, from now on.

    Args:
        kind: A class of a module, since it is remembered.

    Returns:
        The class itself.

    Raises:
        Unavailable: Its annotations, or those of another type, take more than 10 seconds.
    """
    if kind not in _complete:
        json_decoder(kind)
        _complete.add(kind)
    return kind


def complete_at_once(kind: type[T]) -> type[T]:
    """The same as a decorator: no one else can know the class yet, so no thread is needed."""
    msgspec.json.Decoder(kind)
    _complete.add(kind)
    return kind


def json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401  (any type)
    """A new decoder of JSON to a type.

    Raises:
        TypeError: msgspec cannot decode to it.
        NameError: A name in its annotations stands for nothing.
        Unavailable: Its annotations, or those of another type, take more than 10 seconds.
    """
    if kind is Any:
        return msgspec.json.Decoder(kind)
    if threading.current_thread() is not threading.main_thread() or _must_be_here():
        return _built(kind)
    made: LockFreeFuture[msgspec.json.Decoder[Any]] = LockFreeFuture()

    def build() -> None:
        try:
            made.set_result(_built(kind))
        except BaseException as error:  # noqa: BLE001  (raised to the caller)
            made.set_exception(error)

    # Not a daemon, which a subinterpreter must not leave.
    thread = threading.Thread(target=build, name="statebucket-types")
    try:
        thread.start()
    except RuntimeError:  # at interpreter exit on 3.12 and later; or there are too many
        return _built(kind)
    thread.join(_PATIENCE)  # to its end, so that a fork that follows has one thread only
    if not made.done():
        raise Unavailable(_too_long(kind))
    return made.result()


def _must_be_here() -> bool:
    """Whether another thread could not build a type, or not while this one waits.

    It would wait for a module that this thread is importing, if an annotation asks for that, or for
    the lock, if a signal handler has interrupted a fork.
    """
    forking = _building._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001  (as Condition asks)
    if forking or sys.is_finalizing():
        return True
    frame: FrameType | None = sys._getframe()  # noqa: SLF001
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _built(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401  (any type)
    building = _building
    if not building.acquire(timeout=_PATIENCE):
        raise Unavailable(_too_long(kind))
    try:
        return msgspec.json.Decoder(kind)
    finally:
        building.release()


def _too_long(kind: object) -> str:
    return (
        f"inspecting the type {shown(kind)}, or another one first, took more than {_PATIENCE:g} s"
    )


def _before_fork() -> None:
    """A type that is half built would stay so in the child."""
    _building.acquire(timeout=_PATIENCE)


def _after_fork_in_parent() -> None:
    with suppress(RuntimeError):  # it was not acquired in time
        _building.release()


def _after_fork_in_child() -> None:
    global _building  # noqa: PLW0603  (a thread that does not exist here may hold the other)
    _building = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

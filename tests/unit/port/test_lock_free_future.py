"""A result for several threads, which no thread keeps from another."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from statebucket.port import lock_free_future
from statebucket.port.lock_free_future import LockFreeFuture

if TYPE_CHECKING:
    from types import FrameType


def test_all_who_wait_get_the_result() -> None:
    future: LockFreeFuture[str] = LockFreeFuture()
    called: list[str] = []
    future.add_done_callback(lambda done: called.append(done.result()))
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(future.result, 20) for _ in range(4)]
        assert not future.done()
        future.set_result("v")
        assert [one.result(20) for one in waiting] == ["v"] * 4
    future.add_done_callback(lambda done: called.append(done.result(0)))
    assert (future.done(), future.result(), called) == (True, "v", ["v", "v"])


def test_an_error_is_raised_for_each() -> None:
    future: LockFreeFuture[str] = LockFreeFuture()
    future.set_exception(KeyError("k"))
    for _ in range(2):
        with pytest.raises(KeyError, match="k"):
            future.result()


def test_a_wait_may_end_before_the_result() -> None:
    future: LockFreeFuture[str] = LockFreeFuture()
    with pytest.raises(TimeoutError):
        future.result(0.01)
    future.set_result("v")
    assert future.result(0) == "v"


def test_it_can_be_set_while_a_thread_stands_still_anywhere_in_its_wait() -> None:
    """As a thread does that a signal handler has interrupted."""
    lines = 1
    while _set_at(lines):
        lines += 1
    assert lines > 5


def _set_at(at: int) -> bool:
    """Has another thread set it when a wait for it comes to a line; whether it came to that."""
    future: LockFreeFuture[str] = LockFreeFuture()
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if frame.f_code.co_filename != lock_free_future.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == at:
                setting = threading.Thread(target=future.set_result, args=("v",), daemon=True)
                setting.start()
                setting.join(20)
                assert not setting.is_alive()
        return trace

    def late() -> None:
        if not future.done():
            future.set_result("late")

    otherwise = threading.Timer(3, late)  # where no line was left to stop at
    otherwise.start()
    sys.settrace(trace)
    try:
        found = future.result(20)
    finally:
        sys.settrace(None)
        otherwise.cancel()
    return found == "v"

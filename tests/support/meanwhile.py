"""What several threads do at the same moment, at a given line or as it comes; no clock decides."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import CodeType, FrameType


@contextmanager
def at_line(
    number: int, functions: Collection[CodeType], work: Callable[[], object]
) -> Iterator[None]:
    """Does something in another thread, from beginning to end, before this one runs a line.

    Args:
        number: The line's number among those that this thread runs in the functions, from 0.
        functions: The functions.
        work: What to do.
    """
    left = iter(range(number))
    reached = False

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal reached
        if frame.f_code not in functions:
            return None
        if event == "line" and next(left, None) is None:
            sys.settrace(None)
            reached = True
            other = threading.Thread(target=work)
            other.start()
            other.join()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
    assert reached, f"this thread ran no more than {number} lines there"


def in_threads(count: int, work: Callable[[], object]) -> None:
    """Does something in several threads, which are switched as often as Python can."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    switched = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(switched)

"""Waiting until something has happened, instead of for a time in which it should have.

What is waited for comes in milliseconds; the limit is only for what never comes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0
"""Longer than a busy machine keeps anything waiting, in seconds; shorter than a test may take."""

_LOOK_S = 0.005


def until(holds: Callable[[], object]) -> None:
    """Blocks until a condition holds.

    Args:
        holds: The condition, looked at every few milliseconds.

    Raises:
        AssertionError: It does not come to hold within `PATIENCE_S`.
    """
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"this did not happen within {PATIENCE_S:g} s"
        time.sleep(_LOOK_S)


async def happened(holds: Callable[[], object]) -> None:
    """Waits until a condition holds, as `until` does, and lets the event loop go on meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"this did not happen within {PATIENCE_S:g} s"
        await asyncio.sleep(_LOOK_S)

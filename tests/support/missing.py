"""A missing requirement of a test: a skip on a developer's machine, a failure in CI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def need(missing: Callable[[], str | None]) -> None:
    """Skips a test, or fails it, if its server cannot run.

    Args:
        missing: Says why, or None if it can.
    """
    reason = missing()
    if reason is not None:
        give_up(reason)


def give_up(reason: str) -> NoReturn:
    """Skips a test, or fails it in CI.

    Args:
        reason: What is missing, and how to get it.
    """
    if os.environ.get("CI"):
        pytest.fail(f"in CI what is missing is a failure: {reason}")
    pytest.skip(reason)

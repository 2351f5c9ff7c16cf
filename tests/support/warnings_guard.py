"""Collects what Python only prints: warnings in ``__del__``, errors of asyncio."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs

Noise = list[str]


class _Keeper(logging.Handler):
    """Collects log records."""

    def __init__(self, heard: Noise) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += f" {record.exc_info[1]!r}"
        self._heard.append(f"{record.name}: {text}")


@contextmanager
def listening() -> Iterator[Noise]:
    """Collect warnings and logged errors of the block, and fail at its end if there are any.

    A `ResourceWarning` in ``__del__`` cannot be raised and reaches no test by itself; an unclosed
    client session is reported to the asyncio logger.
    """
    gc.collect()  # leftovers of earlier tests are not counted
    gc.freeze()  # what is left now is not the block's garbage: skip it at the block's end
    heard: Noise = []

    def unraisable(args: UnraisableHookArgs) -> None:
        heard.append(f"unraisable: {args.err_msg} {args.exc_value!r} in {args.object!r}")

    keeper, logger, hook = _Keeper(heard), logging.getLogger("asyncio"), sys.unraisablehook
    sys.unraisablehook = unraisable
    logger.addHandler(keeper)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield heard
            for _ in range(3):  # generators may need more than one round
                gc.collect()
            heard += [
                f"warning: {caught_one.message}" for caught_one in caught if _ours(caught_one)
            ]
    finally:
        sys.unraisablehook = hook
        logger.removeHandler(keeper)
    assert heard == [], heard


def _ours(caught_one: warnings.WarningMessage) -> bool:
    return issubclass(caught_one.category, ResourceWarning | RuntimeWarning)


async def settle() -> None:
    """Run callbacks that are due."""
    for _ in range(3):
        await asyncio.sleep(0)

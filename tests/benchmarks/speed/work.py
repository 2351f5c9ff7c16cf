"""The work, the same for every subject, and the interface that a subject needs for it."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

CONTAINER = "bench"
TENANT = "acme"
REGION = "us-east-1"

KIB = 1024
SIZES = {"1 KiB": KIB, "64 KiB": 64 * KIB, "1 MiB": KIB * KIB, "10 MiB": 10 * KIB * KIB}
MANY_BYTES = KIB * KIB
"""Of bodies above it only 8 are under way at a time: 32 would measure the machine's memory."""

DEPTH = 2
"""Objects that are written and read in turn by each of the calls under way."""


class Case(NamedTuple):
    """One measurement."""

    operation: str
    size: str
    concurrency: int
    calls: int

    @property
    def title(self) -> str:
        """How tables name it."""
        return f"{self.operation} {self.size}, {self.concurrency} at a time"


_SET = ("1 KiB", "64 KiB")
_COUNTS = {"1 KiB": (200, 640), "64 KiB": (50, 128), "1 MiB": (12, 32), "10 MiB": (3, 8)}


def cases(sizes: list[str], *, large: bool = False) -> list[Case]:
    """Saves and loads of each size, and sets and gets, one and 32 at a time.

    Args:
        sizes: The sizes.
        large: Whether to set and get large bodies, too.
    """
    found = []
    for size in sizes:
        for operation in ["save", "load", *(["set", "get"] if large or size in _SET else [])]:
            for concurrency, calls in zip((1, 32), _COUNTS[size], strict=True):
                fewer = min(concurrency, 8) if SIZES[size] > MANY_BYTES else concurrency
                found.append(Case(operation, size, fewer, calls))
    return found


def text_of(size: int) -> str:
    """What fills a body, half of it JSON's usual letters, so that no one profits from zeros."""
    return (os.urandom(3 * KIB).hex() * (size // (6 * KIB) + 1))[:size]


def body_of(size: int) -> bytes:
    """A body of that many bytes of JSON, for those who store bytes."""
    frame = len(json.dumps({"text": ""}))
    return json.dumps({"text": text_of(size - frame)}).encode()

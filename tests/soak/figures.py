"""The resources of a process: memory, sockets, threads, tasks."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path
from typing import Any

import msgspec


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one moment.

    Attributes:
        memory: Resident memory in KiB.
        files: Open file descriptors, sockets among them.
        sockets: Open sockets.
        threads: Threads.
        tasks: Tasks of the running event loop.
        objects: Objects that the garbage collector knows.
    """

    memory: int
    files: int
    sockets: int
    threads: int
    tasks: int
    objects: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a long load has shown.

    Attributes:
        wrong: What was not as it must be.
        calls: Calls by what they did.
        failed: Calls that failed, by what they did and the error.
        stats: The store's own numbers.
        figures: The figures after warm-up and later, the last at the end.
        seconds: How long it took.
    """

    wrong: list[str]
    calls: dict[str, int]
    failed: dict[str, int]
    stats: dict[str, Any]
    figures: list[Figures]
    seconds: float


def now() -> Figures:
    """Take the figures, garbage collected."""
    for _ in range(2):
        gc.collect()
    opened = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            opened.append(str(entry.readlink()))
        except FileNotFoundError:
            continue  # the one that lists them
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Figures(
        memory=pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        files=len(opened),
        sockets=sum(where.startswith("socket:") for where in opened),
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
        objects=len(gc.get_objects()),
    )

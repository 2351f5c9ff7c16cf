"""One subject in its own process, which takes commands from stdin, one per line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.subjects import SUBJECTS
from benchmarks.speed.work import DEPTH, Case

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.speed.base import Subject


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    """The most memory since the last reset, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _reset_peak() -> None:
    with contextlib.suppress(OSError):  # then it is the process's
        Path("/proc/self/clear_refs").write_text("5")


async def _measured(work: Callable[[], Awaitable[int]]) -> dict[str, float]:
    _reset_peak()
    wall, cpu = time.perf_counter(), _cpu()
    done = await work()
    return {
        "operations": done,
        "cpu": _cpu() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": _peak(),
    }


def _value(subject: Subject, case: Case, size: int) -> Any:
    """What the case saves or sets, made once: making it is no part of the work."""
    about = "set" if case.operation in {"set", "get"} else "save", size
    if about not in _values:
        _values.clear()
        _values[about] = subject.value(*about)
    return _values[about]


_values: dict[tuple[str, int], Any] = {}


async def run(subject: Subject, case: Case, size: int, longest: float) -> dict[str, float]:
    """Does a case: as many calls at a time as it says, each over objects of its own.

    Args:
        subject: Whose calls.
        case: The case.
        size: Of each value, in bytes.
        longest: Seconds, after which no further call is begun.
    """
    left = iter(range(case.calls))
    value = _value(subject, case, size)
    until = time.perf_counter() + longest

    async def caller(which: int) -> int:
        done = 0
        for _ in left:
            number = which * DEPTH + done % DEPTH
            if case.operation in {"save", "set"}:
                await getattr(subject, case.operation)(number, value)
            else:
                assert await getattr(subject, case.operation)(number) is not None
            done += 1
            if time.perf_counter() > until:
                break
        return done

    async def work() -> int:
        return sum(await asyncio.gather(*map(caller, range(case.concurrency))))

    return await _measured(work)


async def prepare(subject: Subject, case: Case, size: int) -> None:
    """Stores what a case loads, gets, or overwrites."""
    operation = "set" if case.operation in {"set", "get"} else "save"
    value = _value(subject, case, size)
    numbers = [which * DEPTH + n for which in range(case.concurrency) for n in range(DEPTH)]
    bound = asyncio.Semaphore(case.concurrency)

    async def store(number: int) -> None:
        async with bound:
            await getattr(subject, operation)(number, value)

    await asyncio.gather(*map(store, numbers))


async def whole(subject: Subject, operation: str, prefix: str) -> dict[str, float]:
    """Cleans up or lists everything below a prefix, as one operation."""

    async def work() -> int:
        found = await getattr(subject, operation)(prefix)
        assert operation == "clean" or found >= 10_000
        return 1

    return await _measured(work)


async def main(cloud: str, name: str, endpoint: str, longest: str) -> None:
    """Answers each line of stdin with one of stdout."""
    subject = SUBJECTS[cloud][name][1](endpoint)
    await subject.open()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order: dict[str, Any] = json.loads(line)
        answer: dict[str, float] = {}
        match order["what"]:
            case "prepare":
                await prepare(subject, Case(*order["case"]), order["size"])
            case "run":
                answer = await run(subject, Case(*order["case"]), order["size"], float(longest))
            case "whole":
                answer = await whole(subject, order["operation"], order["prefix"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    await subject.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

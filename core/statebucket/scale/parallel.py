"""Running a job on several parts at a time: in this process, or in several on this machine.

Each part is run until it is done, even if its process dies: another one then takes its parts. That
needs no record of progress, since a part may be run twice.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import pickle
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from statebucket.errors import Unavailable
from statebucket.port.complete_types import complete
from statebucket.scale.jobs import Job, Outcome, Stores, compared, done
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

    from statebucket.contract.partition import Partition
    from statebucket.scale.jobs import Report

    Progress: TypeAlias = Callable[[int], None]

PARTS_AT_ONCE = 8
"""Parts that one process works on at a time, within the store's limit on its requests."""

MAX_TRIES = 3
"""Processes that may die over a part before it is given up."""

_END_SECONDS = 5.0  # the longest wait for a process whose output has ended


class Tally:
    """The progress of all parts, reported as one number.

    Args:
        progress: Called with how many objects were worked on so far.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done: dict[int, int] = {}

    def note(self, part: int, number: int) -> None:
        """Records how many objects of a part were worked on so far."""
        self._done[part] = number
        if self._progress is not None:
            self._progress(sum(self._done.values()))


async def in_this_process(
    stores: Stores, partitions: Sequence[Partition], progress: Progress | None = None
) -> Outcome:
    """Runs a job on parts, several at a time; see `statebucket.scale.jobs`.

    Args:
        stores: What the job works on.
        partitions: The parts.
        progress: Called with the number of objects worked on so far.
    """
    tally = Tally(progress)
    total = Outcome(report=stores.job.empty)

    async def one(partition: Partition) -> None:
        nonlocal total

        def note(report: Report) -> None:
            tally.note(partition.index, done(report))

        outcome = await stores.run(partition, note)
        tally.note(partition.index, done(outcome.report))
        total += outcome

    async with AtMost(PARTS_AT_ONCE) as tasks:
        for partition in partitions:
            await tasks.start(one(partition))
    return total


async def in_processes(
    job: Job,
    partitions: Sequence[Partition],
    number: int,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Outcome:
    """Runs a job on parts, in processes on this machine; each opens the store itself.

    Args:
        job: What to run.
        partitions: The parts.
        number: How many processes.
        progress: Called with the number of objects worked on so far.
        note: Called with a line of text when a process has died and another continues.
    """
    pool = _Pool(job, partitions, number, progress, note)
    running = [asyncio.create_task(pool.keep_running()) for _ in range(number)]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            if not task.cancelling():  # a second cancellation would end its clean-up half-way
                task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return compared(job, partitions, pool.total)


class _Pool:
    def __init__(
        self,
        job: Job,
        partitions: Sequence[Partition],
        number: int,
        progress: Progress | None,
        note: Callable[[str], None] | None,
    ) -> None:
        # No more than its share, or the first to start takes all the parts that there are.
        self._at_once = min(PARTS_AT_ONCE, max(1, math.ceil(len(partitions) / number)))
        self._job = job
        self._waiting = deque(partitions)
        self._tries: dict[int, int] = {}
        self._tally = Tally(progress)
        self._note = note
        self.total = Outcome(report=job.empty)

    async def keep_running(self) -> None:
        """Runs parts in a process, and in another one if it dies."""
        while self._waiting:
            taken: dict[int, Partition] = {}
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "statebucket.scale.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 26,
                process_group=0,  # Ctrl-C ends this process, which then ends its workers
            )
            try:
                await self._converse(process, taken)
                if taken:
                    # It has ended, and asyncio is about to learn how. `kill` looks first whether it
                    # is alive, and would take its exit status away from asyncio.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(process.wait(), _END_SECONDS)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            if taken:
                self._lost(process, taken)

    async def _converse(self, process: Process, taken: dict[int, Partition]) -> None:
        """Gives a process parts until there are none left, and reads its reports."""
        assert process.stdin is not None  # noqa: S101  (they are pipes)
        assert process.stdout is not None  # noqa: S101
        with contextlib.suppress(ConnectionError):  # it has died: its output ends too
            process.stdin.write(msgspec.json.encode(self._job) + b"\n")
            while True:
                while self._waiting and len(taken) < self._at_once:
                    partition = self._waiting.popleft()
                    taken[partition.index] = partition
                    process.stdin.write(msgspec.json.encode(partition.to_dict()) + b"\n")
                if not taken:
                    return
                await process.stdin.drain()
                line = await process.stdout.readline()
                if not line.endswith(b"\n"):
                    return
                said = msgspec.json.decode(line, type=complete(Said))
                self._tally.note(said.part, said.done)
                if said.outcome is not None:
                    del taken[said.part]
                    self.total += unpacked(said.outcome)

    def _lost(self, process: Process, taken: dict[int, Partition]) -> None:
        """Takes back the parts of a process that has died."""
        self.total += Outcome(report=self._job.empty, repeated=len(taken))
        if self._note is not None:
            parts = "part" if len(taken) == 1 else "parts"
            self._note(
                f"worker {process.pid} {_ended(process.returncode)}; its {len(taken)} {parts} "
                "will be run again"
            )
        for index, partition in taken.items():
            self._tries[index] = self._tries.get(index, 0) + 1
            if self._tries[index] < MAX_TRIES:
                self._waiting.append(partition)
                continue
            error = Unavailable(
                f"{self._job.command}: {MAX_TRIES} worker processes died over part {index + 1} of "
                f"{partition.count}"
            )
            self.total += Outcome(report=self._job.empty, failed=1, errors=(error,))


def _ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"was ended by signal {-code}{name}"


class Said(msgspec.Struct):
    """A process's message about a part: its progress or its outcome.

    Attributes:
        part: Its index.
        done: Objects worked on.
        outcome: Its outcome, packed; None while it is running.
    """

    part: int
    done: int
    outcome: str | None = None


def packed(outcome: Outcome) -> str:
    """Packs an outcome into text, errors included."""
    return base64.b64encode(pickle.dumps(outcome)).decode()


def unpacked(text: str) -> Outcome:
    """Unpacks an outcome that one of our own processes packed."""
    outcome: Outcome = pickle.loads(base64.b64decode(text))  # noqa: S301  (from a pipe of ours)
    return outcome

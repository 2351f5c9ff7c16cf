"""Which part of a job this machine runs, from an array job's environment variables.

Cloud Run Jobs, AWS Batch arrays, Google's Batch, Slurm and Kubernetes' indexed Jobs start the same
command many times, and tell each its number. That table is all the core knows about them: they run
this program whichever cloud its store is on, so no adapter could supply their variables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import InvalidArgument, shown
from statebucket.scale.plan import MAX_WORKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = "STATEBUCKET_PARTITION"
OWN_RUN = "STATEBUCKET_RUN"


class Share(msgspec.Struct, frozen=True):
    """The part of an array job that a worker runs.

    Attributes:
        index: Its number, from 0.
        count: How many there are.
        run: A name that is the same for all workers of one run, and different for other runs; empty
            if unknown.
        source: Where the number was found, such as the service's name.
    """

    index: int
    count: int
    run: str
    source: str

    @property
    def text(self) -> str:
        """For people."""
        run = f", run {self.run}" if self.run else ""
        return f"part {self.index + 1} of {self.count} ({self.source}{run})"


class _Array(msgspec.Struct, frozen=True):
    """The environment variables of a service.

    Attributes:
        service: The service's name.
        index: The variable with the worker's number.
        count: How many there are.
        run: The run's name.
        first: The number of the first worker, if it is not 0.
        suffix: What comes before the worker's number at the end of the run's name; without both,
            that is another name.
    """

    service: str
    index: str
    count: str
    run: str
    first: str = ""
    suffix: str = ""


ARRAYS = (
    _Array("Cloud Run", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT", "CLOUD_RUN_EXECUTION"),
    _Array(
        "AWS Batch",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        "AWS_BATCH_JOB_ARRAY_SIZE",
        "AWS_BATCH_JOB_ID",
        suffix=":",
    ),
    _Array("Google's Batch", "BATCH_TASK_INDEX", "BATCH_TASK_COUNT", "BATCH_JOB_UID"),
    _Array(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_JOB_ID",
        first="SLURM_ARRAY_TASK_MIN",
    ),
    # Kubernetes does not say of how many: the manifest does. The host's name is the job's, and a
    # number.
    _Array("Kubernetes", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", "HOSTNAME", suffix="-"),
)

SERVICES = ", ".join(array.service for array in ARRAYS)
"""What they are called, for people."""


def share(
    environment: Mapping[str, str], given: str | None = None, run: str | None = None
) -> Share | None:
    """The part that this process runs; None for everything.

    The given part takes precedence, then STATEBUCKET_PARTITION, then the services' variables.

    Args:
        environment: The process's environment variables.
        given: I/N, from 1/N to N/N.
        run: What the run is called; by default STATEBUCKET_RUN, then the service's name for it.

    Raises:
        InvalidArgument: It is not valid, or the environment has only half of it.
    """
    run = run or environment.get(OWN_RUN) or ""
    for text, source in ((given, "--partition"), (environment.get(OWN), OWN)):
        if text is not None:
            return Share(*_read(text, source), run, source)
    for array in ARRAYS:
        if array.index in environment:
            found = _found(environment, array)
            return msgspec.structs.replace(found, run=run or found.run) if found.count > 1 else None
    return None


def _read(text: str, source: str) -> tuple[int, int]:
    match = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count <= MAX_WORKERS:
        raise InvalidArgument(
            f"{source} must read I/N, from 1/N to N/N, N at most {MAX_WORKERS:,}: {shown(text)}"
        )
    return number - 1, count


def _found(environment: Mapping[str, str], array: _Array) -> Share:
    texts = [environment[array.index], environment.get(array.count, "")]
    if not texts[1]:
        raise InvalidArgument(
            f"{array.index} is set, but {array.count} is not: set it to the number of workers, or "
            "pass --partition"
        )
    first = environment.get(array.first, "0") if array.first else "0"
    if not all(text.isascii() and text.isdecimal() for text in (*texts, first)):
        raise InvalidArgument(
            f"{array.index} and {array.count} must be numbers: {shown(texts[0])}, {shown(texts[1])}"
        )
    index, count = int(texts[0]) - int(first), int(texts[1])
    if not 0 <= index < count <= MAX_WORKERS:
        raise InvalidArgument(
            f"{array.index} must be below {array.count}, and that at most {MAX_WORKERS:,}: "
            f"{texts[0]}, {texts[1]}"
        )
    run = environment.get(array.run, "")
    if array.suffix:
        own = array.suffix + texts[0]
        # Any other name, such as a host's with its domain, may be unique to this worker.
        run = run.removesuffix(own) if run.endswith(own) else ""
    return Share(index, count, run, array.index)

"""A process that runs parts of a job for another: ``python -m statebucket.scale.worker``.

It reads the job and then partitions from standard input, a line of JSON each, and answers on
standard output. It ends when its input does, even in the middle of a part: the process that wanted
the answer is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
import traceback

import msgspec

from statebucket.contract.partition import Partition
from statebucket.errors import StateBucketError
from statebucket.port.complete_types import complete
from statebucket.scale.jobs import Job, Outcome, Report, Stores, broken, done
from statebucket.scale.parallel import Said, packed

_INTERVAL = 0.2  # seconds between two reports of a part


def main() -> None:
    """Reads, works, answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=complete(Job))
    asyncio.run(_serve(job))


async def _serve(job: Job) -> None:
    loop = asyncio.get_running_loop()
    partitions: asyncio.Queue[Partition] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            partition = Partition.from_dict(msgspec.json.decode(line))
            loop.call_soon_threadsafe(partitions.put_nowait, partition)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    try:
        stores: Stores | StateBucketError = Stores(job)
    except StateBucketError as error:
        stores = error  # the answer for each part
    running: set[asyncio.Task[None]] = set()
    while True:
        task = asyncio.create_task(_one(job, stores, await partitions.get()))
        running.add(task)
        task.add_done_callback(running.discard)


async def _one(job: Job, stores: Stores | StateBucketError, partition: Partition) -> None:
    at = time.monotonic()

    def note(report: Report) -> None:
        nonlocal at
        if time.monotonic() - at >= _INTERVAL:
            at = time.monotonic()
            _say(Said(partition.index, done(report)))

    try:
        if isinstance(stores, StateBucketError):
            outcome = Outcome(report=job.empty, failed=1, errors=(stores,))
        else:
            outcome = await stores.run(partition, note)
    except Exception as error:  # noqa: BLE001  (reported to the process that waits for the part)
        traceback.print_exc()
        outcome = broken(job, partition, error)
    _say(Said(partition.index, done(outcome.report), packed(outcome)))


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

"""Running a job's parts on a Dask cluster; the extra is ``dask``.

Each part is a task. If a worker dies, the scheduler gives its tasks to others.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

from statebucket.contract.partition import Partition
from statebucket.errors import AdapterNotInstalled, StateBucketError, Unavailable
from statebucket.scale.jobs import Job, Outcome, Stores, compared, done
from statebucket.scale.parallel import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.scale.jobs import Report
    from statebucket.scale.parallel import Progress

_INTERVAL = 0.5  # seconds between two reports of a part
_RETRIES = 3


def distributed() -> Any:  # noqa: ANN401  (a module without types)
    """Dask's package for clusters.

    Raises:
        AdapterNotInstalled: It is missing.
    """
    try:
        import distributed as module  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise AdapterNotInstalled(
            "Dask is not installed: pip install 'statebucket[dask]'"
        ) from error
    return module


class Cluster:
    """A connection to a cluster.

    Args:
        address: The scheduler's, such as ``tcp://scheduler:8786``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Any = None

    async def __aenter__(self) -> Self:
        dask = distributed()
        client = dask.Client(self._address, asynchronous=True, set_as_default=False)
        try:
            self._client = await client
        except OSError as error:
            raise Unavailable(f"no Dask scheduler answers at {self._address}: {error}") from error
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    async def threads(self) -> int:
        """How many parts its workers run at a time; at least 1."""
        threads: dict[str, int] = await self._client.nthreads()
        return max(1, sum(threads.values()))

    async def run(
        self, job: Job, partitions: Sequence[Partition], progress: Progress | None = None
    ) -> Outcome:
        """Runs a job on parts; if it is cancelled, it ends the job's tasks on the cluster.

        Args:
            job: The job.
            partitions: The parts.
            progress: Called with the number of objects worked on so far.
        """
        client, tally = self._client, Tally(progress)
        topic = f"statebucket-{uuid.uuid4().hex}"

        def heard(event: Any) -> None:  # noqa: ANN401  (a time and what was said)
            tally.note(*event[1])

        client.subscribe_topic(topic, heard)
        tasks = [
            client.submit(
                run_part, job, part.to_dict(), topic, key=f"{topic}-{part.index}", retries=_RETRIES
            )
            for part in partitions
        ]
        total = Outcome(report=job.empty)

        async def one(task: Any, part: Partition) -> None:  # noqa: ANN401  (a future of Dask's)
            nonlocal total
            try:
                outcome = await task.result()
            except Exception as error:  # noqa: BLE001  (from the cluster, or from a worker's code)
                lost = Unavailable(
                    f"part {part.index + 1} of {part.count} failed on the cluster: "
                    f"{type(error).__name__}: {error}"
                )
                outcome = Outcome(report=job.empty, failed=1, errors=(lost,))
            tally.note(part.index, done(outcome.report))
            total += outcome

        try:
            await asyncio.gather(*map(one, tasks, partitions))
        except BaseException:
            await client.cancel(tasks, force=True)
            raise
        client.unsubscribe_topic(topic)
        return compared(job, partitions, total)


def run_part(job: Job, fields: dict[str, Any], topic: str) -> Outcome:
    """What a worker runs: one part, with a store of its own.

    Args:
        job: The job.
        fields: The part, as `Partition.to_dict` returns it.
        topic: Where to report progress.
    """
    worker = distributed().get_worker()
    partition = Partition.from_dict(fields)
    at = time.monotonic()

    def note(report: Report) -> None:
        nonlocal at
        if time.monotonic() - at >= _INTERVAL:
            at = time.monotonic()
            worker.log_event(topic, (partition.index, done(report)))

    async def run() -> Outcome:
        try:
            stores = Stores(job)
        except StateBucketError as error:
            return Outcome(report=job.empty, failed=1, errors=(error,))
        try:
            return await stores.run(partition, note)
        finally:
            await stores.close()

    return asyncio.run(run())

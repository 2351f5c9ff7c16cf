"""The options by which a command runs on parts of a store, and the running of it."""

import logging
import os
from collections.abc import Callable
from typing import Annotated, NamedTuple

import typer

from statebucket.admin.holdings import has_state
from statebucket.cli.exits import Exit
from statebucket.cli.screen import Screen, Stop, counted
from statebucket.contract.partition import Partition
from statebucket.contract.state_store import StateStore
from statebucket.errors import InvalidArgument
from statebucket.scale.arrays import OWN, SERVICES, share
from statebucket.scale.jobs import Job, Outcome, Stores
from statebucket.scale.on_dask import Cluster
from statebucket.scale.parallel import PARTS_AT_ONCE, in_processes, in_this_process
from statebucket.scale.plan import PARTS_A_WORKER, agreed, keeper, of_worker

_PANEL = "Several processes or machines"

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=1, max=256, rich_help_panel=_PANEL, help="Processes on this machine."
    ),
]
PartOf = Annotated[
    str | None,
    typer.Option(
        "--partition",
        metavar="I/N",
        show_default=False,
        rich_help_panel=_PANEL,
        help="Only this part, as one of N machines, from 1/N. By default as STATEBUCKET_PARTITION "
        f"says, or an array job ({SERVICES}). 1/1 is all.",
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        envvar="STATEBUCKET_RUN",
        show_default=False,
        rich_help_panel=_PANEL,
        help="With --partition: a name, the same on all machines and another for each run. Array "
        "jobs have one.",
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        show_default=False,
        rich_help_panel=_PANEL,
        help="Run on the workers of this scheduler, as in tcp://scheduler:8786.",
    ),
]
Report = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="ADDRESS",
        show_default=False,
        rich_help_panel=_PANEL,
        help="Read the names in the service's inventory report with this manifest, in one of "
        "its buckets or in a file, instead of listing. What was written since the report was taken "
        "is not in it.",
    ),
]


class Spread(NamedTuple):
    """Where a command is run.

    Attributes:
        jobs: Processes on this machine.
        partition: The part that is this machine's, I/N.
        run: The name of the run.
        dask: The address of a cluster.
    """

    jobs: int = 1
    partition: str | None = None
    run: str | None = None
    dask: str | None = None

    @property
    def divided(self) -> bool:
        """Whether an option, or the environment, says that there are several workers."""
        if self.jobs > 1 or self.partition is not None or self.dask is not None:
            return True
        return share(os.environ) is not None

    @property
    def whole(self) -> bool:
        """Whether this command's result is of everything: its machine is not one of several."""
        mine = share(os.environ, self.partition)
        return mine is None or mine.count == 1

    @property
    def creates(self) -> bool:
        """Whether a database of this machine's may be created: no other machine works on it."""
        return self.dask is None and self.whole

    def check(self) -> None:
        """Returns if the options go together.

        Raises:
            InvalidArgument: They do not.
        """
        if self.dask is not None and (self.jobs > 1 or self.partition is not None):
            raise InvalidArgument("--dask goes with neither --jobs nor --partition")
        if self.dask is not None and OWN in os.environ:
            raise InvalidArgument(f"--dask does not go with a part: unset {OWN}")


async def run_job(
    job: Job,
    spread: Spread,
    source: StateStore,
    screen: Screen,
    *,
    target: StateStore | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Runs a job on the parts that are this command's, where its options say.

    Args:
        job: The job.
        spread: Where to run it.
        source: The store, open.
        screen: Where to say which part it is, and what has died.
        target: The store that a copy goes to, open.
        progress: Called with the number of objects worked on so far.
    """
    spread.check()
    stores = Stores(job, source, target)

    async def first() -> None:
        await _check_tenant(job, source, screen)

    if spread.dask is not None:
        _check_shared(job, source, target)
        await first()
        # At its end a connection that is closed would be told there with a traceback.
        logging.getLogger("distributed.batched").setLevel(logging.WARNING)
        async with Cluster(spread.dask) as cluster:
            threads = await cluster.threads()
            screen.note(f"{counted(threads, 'thread')} at {spread.dask}", "dim")
            parts = await _divided(job, source, PARTS_AT_ONCE * threads)
            return await cluster.run(job, parts, progress)
    mine = share(os.environ, spread.partition, spread.run)
    if mine is not None and mine.count > 1:
        screen.note(mine.text, "dim")
        if job.report is not None:  # by whose files all workers come to the same parts
            parts = await _divided(job, source, PARTS_A_WORKER * mine.count)
        else:
            parts = await agreed(
                source,
                keeper(job, source if target is None else target),
                workers=mine.count,
                tenant=job.tenant,
                run=mine.run,
                first=first,
            )
        parts = of_worker(parts, mine.index, mine.count)
    else:
        if spread.divided:
            await first()
        # What orphans have without a tenant only a sweep of the whole store removes.
        whole = job.orphans and job.tenant is None and spread.jobs == 1
        n = 1 if whole else PARTS_AT_ONCE * spread.jobs
        parts = await _divided(job, source, n)
    if spread.jobs == 1:
        return await in_this_process(stores, parts, progress)
    if target is not None:
        await target.health_check()  # it creates the file that the processes are to open
    outcome = await in_processes(
        job, parts, spread.jobs, progress=progress, note=lambda text: screen.note(text, "yellow")
    )
    if outcome.repeated:
        screen.at_least = True
        screen.note(
            "The numbers are at least these: without what a process did that died.", "yellow"
        )
    return outcome


def of_store(tenant: str | None) -> str:
    """What a command looks for that works on a tenant or, with None, on a whole store."""
    return "of statebucket" if tenant is None else f"of tenant {tenant!r}"


async def _divided(job: Job, source: StateStore, n: int) -> list[Partition]:
    return await source.partitions(n, tenant=job.tenant, report=job.report)


def _check_shared(job: Job, source: StateStore, target: StateStore | None) -> None:
    for url, store in ((job.url, source), (job.target, target)):
        if store is not None and not store.requires_network:
            raise InvalidArgument(
                f"{url} is a file of this machine, which the workers of a cluster do not have: use "
                "--jobs instead of --dask"
            )

    if job.report is not None and "://" not in job.report:
        raise InvalidArgument(
            f"{job.report} is a file of this machine, which the workers of a cluster do not have: "
            "pass the address in the bucket that the report is in"
        )


async def _check_tenant(job: Job, source: StateStore, screen: Screen) -> None:
    """Ends the command where the tenant that it names has nothing."""
    if job.tenant is None or job.command not in {"delete_tenant", "copy"}:
        return
    if not await has_state(source, job.tenant):
        whose = "the source has" if job.command == "copy" else "there is"
        screen.fail("NotFound", f"{whose} no state of tenant {job.tenant!r}", Exit.NO)
        raise Stop(Exit.NO)

"""One command on the parts of a store, as a value that other processes and machines can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from statebucket.admin.copy_report import CopyReport
from statebucket.admin.copying import copy
from statebucket.admin.counting import Inventory, inventory
from statebucket.admin.opened import context_of
from statebucket.contract.reports import DeletionReport, SweepReport
from statebucket.errors import DeleteIncomplete, InvalidReport, StateBucketError, SweepIncomplete
from statebucket.scale.existing import open_existing
from statebucket.store import rows_read
from statebucket.store.rows_read import PartRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statebucket.contract.partition import Partition
    from statebucket.contract.state_store import StateStore

Report: TypeAlias = SweepReport | DeletionReport | CopyReport | Inventory
Command: TypeAlias = Literal["sweep", "delete_tenant", "copy", "inventory"]

MAX_ERRORS = 100

REPORTS: dict[str, type[Report]] = {
    "sweep": SweepReport,
    "delete_tenant": DeletionReport,
    "copy": CopyReport,
    "inventory": Inventory,
}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A command, and what it works on.

    Attributes:
        command: The command's name.
        url: The store's URL; each process opens it.
        target: For a copy, the URL of the store to copy to.
        tenant: The only tenant to work on. Required for a removal.
        dry_run: Change nothing.
        orphans: For a sweep; see `StateStore.sweep`.
        margin: For a sweep, in seconds; see `StateStore.sweep`.
        replace_keys: For a copy; see `statebucket.admin.copy`.
        report: For a sweep or an inventory, the address of the inventory report to read instead of
            a listing; its parts have it too.
    """

    command: Command
    url: str
    target: str = ""
    tenant: str | None = None
    dry_run: bool = False
    orphans: bool = False
    margin: float = 60
    replace_keys: bool = False
    report: str | None = None

    @property
    def empty(self) -> Report:
        """An empty report."""
        return REPORTS[self.command]()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a job, or of some parts of it. Outcomes add up.

    Attributes:
        report: What was done.
        failed: How many objects or parts failed.
        errors: The first 100 errors.
        repeated: How many parts were given to another process because theirs had died. What the
            dead process did is not in the report, so its numbers are a lower bound.
        rows: For each part of an inventory report that was read, by its index, its rows.
    """

    report: Report
    failed: int = 0
    errors: tuple[StateBucketError, ...] = ()
    repeated: int = 0
    rows: dict[int, PartRows] = {}

    def __add__(self, other: Outcome) -> Outcome:
        total: Any = self.report
        return Outcome(
            report=total + other.report,
            failed=self.failed + other.failed,
            errors=(self.errors + other.errors)[:MAX_ERRORS],
            repeated=self.repeated + other.repeated,
            rows=self.rows | other.rows,
        )


class Stores:
    """The stores that a job works on, opened once for all its parts; no database is created.

    Args:
        job: The job.
        source: The store, if it is open already.
        target: The same for the store to copy to.
    """

    def __init__(
        self, job: Job, source: StateStore | None = None, target: StateStore | None = None
    ) -> None:
        self.job = job
        self.source = open_existing(job.url) if source is None else source
        self.target = open_existing(job.target) if target is None and job.target else target

    async def close(self) -> None:
        """Closes them."""
        await self.source.shutdown()
        if self.target is not None:
            await self.target.shutdown()

    async def run(
        self, partition: Partition, progress: Callable[[Report], None] | None = None
    ) -> Outcome:
        """Runs the job on one part; errors are in the outcome.

        Args:
            partition: The part.
            progress: Called with the report of the part so far.
        """
        so_far = self.job.empty

        def note(report: Report) -> None:
            nonlocal so_far
            so_far = report
            if progress is not None:
                progress(report)

        try:
            report = await self._report(partition, note)
            rows = rows_read.of(context_of(self.source).rows_read, partition)
            return Outcome(report=report, rows={} if rows is None else {partition.index: rows})
        except (SweepIncomplete, DeleteIncomplete) as error:
            return Outcome(report=error.report, failed=error.failed, errors=_some(error.failures))
        except StateBucketError as error:
            return Outcome(report=so_far, failed=1, errors=(error,))

    async def _report(self, partition: Partition, progress: Callable[[Any], None] | None) -> Report:
        job, store = self.job, self.source
        if job.command == "sweep":
            return await store.sweep(
                tenant=job.tenant,
                dry_run=job.dry_run,
                orphans=job.orphans,
                margin=job.margin,
                partition=partition,
                progress=progress,
            )
        if job.command == "delete_tenant":
            return await store.delete_tenant(
                job.tenant or "", partition=partition, progress=progress
            )
        if job.command == "inventory":
            return await inventory(store, tenant=job.tenant, partition=partition, progress=progress)
        assert self.target is not None  # noqa: S101  (a copy has one)
        return await copy(
            store,
            self.target,
            replace_keys=job.replace_keys,
            dry_run=job.dry_run,
            partition=partition,
            progress=progress,
        )


def compared(job: Job, parts: Sequence[Partition], outcome: Outcome) -> Outcome:
    """The outcome of all parts of a report, held against the number of rows in its manifest.

    A process that reads only some of them cannot do so. If any part failed there is nothing to
    compare.
    """
    read: rows_read.RowsRead = {}
    try:
        for part in parts:
            if part.index in outcome.rows:
                rows_read.note(read, part, outcome.rows[part.index])
    except InvalidReport as error:
        return outcome + Outcome(report=job.empty, failed=1, errors=(error,))
    return outcome


def broken(job: Job, partition: Partition, error: Exception) -> Outcome:
    """The outcome of a part that raised an unexpected error."""
    number = f"part {partition.index + 1} of {partition.count}"
    wrong = StateBucketError(f"{job.command}: {number}: {type(error).__name__}: {error}")
    return Outcome(report=job.empty, failed=1, errors=(wrong,))


def checked(job: Job, outcome: Outcome) -> Report:
    """The report of a job that went well.

    Raises:
        StateBucketError: The job failed: `SweepIncomplete`, `DeleteIncomplete`, or the first error
            if nothing was done, or for other jobs; of these, one that leaves open what was written
            comes first. Its ``report`` has what was done.
    """
    report = outcome.report
    if not outcome.failed:
        return report
    first = min(outcome.errors, key=lambda error: error.outcome == "none")
    text = f"{job.command}: {outcome.failed:,} failures, among them: {first}"
    failures = {error.object_name or f"{at}": error for at, error in enumerate(outcome.errors)}
    if done(report) and isinstance(report, SweepReport):
        raise SweepIncomplete(
            text, failures=failures, failed=outcome.failed, report=report
        ) from first
    if done(report) and isinstance(report, DeletionReport):
        raise DeleteIncomplete(
            text, failures=failures, failed=outcome.failed, report=report
        ) from first
    if outcome.failed > 1:
        first.add_note(f"This is one of {outcome.failed:,} failures")
    if done(report):
        first.report = report
    raise first


def done(report: Report) -> int:
    """How many objects a report is about."""
    if isinstance(report, SweepReport):
        return report.scanned
    if isinstance(report, CopyReport):
        return report.seen
    if isinstance(report, Inventory):
        return report.listed
    return (report.snapshots or 0) + report.keys + report.leases + report.owners


def _some(failures: Any) -> tuple[StateBucketError, ...]:  # noqa: ANN401  (a mapping of errors)
    errors = list(failures.values())[:MAX_ERRORS]
    for name, error in failures.items():
        if error.object_name is None:
            error.object_name = name
    return tuple(errors)

"""The command that removes what has expired: sweep."""

from typing import Annotated

import msgspec
import typer
from rich.progress import Progress

from statebucket.cli.options import DryRun, Json, OnlyTenant, Url, Yes
from statebucket.cli.parts import Dask, Jobs, PartOf, Report, Run, Spread, of_store, run_job
from statebucket.cli.screen import Screen, counted, plain, size
from statebucket.cli.session import on_store
from statebucket.cli.spans import margin_seconds
from statebucket.contract.reports import SweepReport
from statebucket.contract.state_store import StateStore
from statebucket.errors import SweepIncomplete
from statebucket.scale.jobs import Job, checked

_MAX_MARGIN = 100 * 365 * 86_400  # a hundred years


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Remove")(sweep)


def sweep(
    *,
    tenant: OnlyTenant = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans",
            help="Also remove the keys of executions without a live snapshot, if all were "
            "written longer ago than --margin. Executions set with keep=True, as LangGraph's "
            "threads are, stay; with --jobs, --partition or --dask, so do keys without a tenant.",
        ),
    ] = False,
    margin: Annotated[
        str,
        typer.Option(
            help="Leave what expired, or was written, less than this long ago, in seconds or as "
            "15m, 36h or 7d.",
        ),
    ] = "60s",
    jobs: Jobs = 1,
    partition: PartOf = None,
    run: Run = None,
    dask: Dask = None,
    report: Report = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Removes expired objects now, each only if it is still the version seen to have expired.

    For TTLs below a day and for SQLite; on a cloud, lifecycle rules do the rest.
    It is always safe to run it again.
    An execution may have set keys and not saved yet: with --orphans, make --margin longer.
    State that never has a snapshot stays if it is set through execution(…, keep=True).
    [dim]statebucket sweep --dry-run[/]
    [dim]statebucket sweep --tenant acme --yes --json[/]
    [dim]statebucket sweep --orphans --margin 7d[/]
    A large store, on two cores, on 20 machines of an array job, or on a Dask cluster:
    [dim]statebucket sweep --yes --jobs 2[/]
    [dim]statebucket sweep --yes --partition 3/20 --run 2026-11-28[/]
    [dim]statebucket sweep --yes --dask tcp://scheduler:8786[/]
    Without a listing, by the inventory report that the service has made, however old:
    [dim]statebucket sweep --yes --report s3://inventories/bucket/daily/2026-11-27T01-00Z/manifest.json[/]
    """
    spread = Spread(jobs, partition, run, dask)
    job = Job(
        command="sweep",
        url=url or "",
        tenant=tenant,
        orphans=orphans,
        margin=float(margin_seconds(margin, _MAX_MARGIN)),
        report=report,
    )

    async def work(store: StateStore, screen: Screen) -> None:
        async def swept(job: Job, bar: Progress, total: int | None = None) -> SweepReport:
            task = bar.add_task("looking" if job.dry_run else "sweeping", total=total)
            outcome = await run_job(
                job,
                spread,
                store,
                screen,
                progress=lambda done: bar.update(task, completed=done),
            )
            try:
                done = checked(job, outcome)
            except SweepIncomplete as error:
                _show_done(screen, error.report, dry_run=job.dry_run)
                raise
            assert isinstance(done, SweepReport)  # noqa: S101  (that of a sweep)
            bar.update(task, completed=done.scanned, total=done.scanned)
            return done

        def note(report: SweepReport) -> None:
            _note_orphans(screen, report, removed=orphans)
            if report.scanned == 0 and spread.whole:
                screen.note_nothing(of_store(tenant), url)

        expected: SweepReport | None = None
        if dry_run or not yes:
            with screen.progress("objects") as bar:
                expected = await swept(msgspec.structs.replace(job, dry_run=True), bar)
            what = _swept(expected)
            screen.note_age(expected.as_of)
            if dry_run:
                screen.show(
                    {"dry_run": True, **msgspec.to_builtins(expected)},
                    lambda: plain(f"Would be removed: {what}."),
                )
                note(expected)
                return
            if not (
                expected.removed or expected.owners or expected.repaired or expected.orphan_keys
            ):
                screen.show(expected, lambda: plain(f"Nothing expired more than {margin} ago."))
                note(expected)
                return
            screen.sure(f"Remove {what}?", yes=yes)
        with screen.progress("objects") as bar:
            done = await swept(job, bar, None if expected is None else expected.scanned)
        screen.show(done, lambda: plain(f"Removed: {_swept(done)}.", "green"))
        if expected is None:
            screen.note_age(done.as_of)
        note(done)

    on_store(work, url, as_json=as_json)


def _show_done(screen: Screen, report: SweepReport, *, dry_run: bool) -> None:
    """Prints what a sweep has done that ends with an error."""
    verb = "Would be removed" if dry_run else "Removed"
    fields = msgspec.to_builtins(report)
    screen.show_done(
        {"dry_run": True, **fields} if dry_run else fields,
        lambda: plain(f"{verb}: {_swept(report)}."),
    )


def _note_orphans(screen: Screen, report: SweepReport, *, removed: bool) -> None:
    if report.orphans and not removed and screen.err.is_terminal:
        some = counted(report.orphans, "execution")
        screen.note(f"{some} with keys but no live snapshot: see --orphans.", "dim")


def _swept(report: SweepReport) -> str:
    parts = [f"{counted(report.removed, 'expired object')} ({size(report.bytes)})"]
    if report.orphan_keys:
        parts.append(f"{counted(report.orphan_keys, 'key')} of executions without a snapshot")
    if report.owners:
        parts.append(f"{counted(report.owners, 'owner record')} without an execution")
    if report.repaired:
        parts.append(f"{counted(report.repaired, 'owner record')} written again")
    if report.raced:
        parts.append(f"{report.raced:,} kept, having been written again")
    return ", ".join(parts)

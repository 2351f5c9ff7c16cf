"""The command that copies tenants from one store to another."""

from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from statebucket.admin import CopyReport
from statebucket.admin import copy as copy_store
from statebucket.cli.exits import Exit
from statebucket.cli.options import DryRun, Json
from statebucket.cli.parts import Dask, Jobs, PartOf, Run, Spread, run_job
from statebucket.cli.screen import Screen, Stop, counted, plain, size
from statebucket.cli.session import conclude, opened
from statebucket.contract.state_store import StateStore
from statebucket.errors import InvalidArgument, StateBucketError
from statebucket.scale.jobs import Job, checked

_MAX_FAILURES = 10
_FIELDS = (
    "tenants",
    "seen",
    "copied",
    "same",
    "newer",
    "kept",
    "gone",
    "failed",
    "bytes",
    "failures",
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Move")(copy)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", show_default=False, help="A store URL.")],
    target: Annotated[
        str, typer.Argument(metavar="DST", show_default=False, help="Another store URL.")
    ],
    *,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant",
            "-t",
            show_default=False,
            help="Only this tenant, with its executions' keys; repeatable.",
        ),
    ] = None,
    replace_keys: Annotated[
        bool,
        typer.Option(
            "--replace-keys", help="Overwrite keys that differ and belong to no execution."
        ),
    ] = False,
    dry_run: DryRun = False,
    jobs: Jobs = 1,
    partition: PartOf = None,
    run: Run = None,
    dask: Dask = None,
    as_json: Json = False,
) -> None:
    """Copies tenants between clouds, or to SQLite for a laptop copy of production.

    Each object is written conditionally, read back and compared; expiry is kept.
    A snapshot never replaces a newer one, and all its keys go or stay with it.
    Without --tenant, all keys that belong to no tenant are copied too.
    Nothing is deleted. After an interruption, run it again: it carries on.

    [dim]statebucket copy s3://bucket/app sqlite:///laptop.db --tenant acme[/]
    [dim]statebucket copy s3://bucket/app gs://bucket/app --jobs 2[/]
    """
    if source == target:
        raise typer.BadParameter("SRC and DST are the same store")
    spread = Spread(jobs, partition, run, dask)

    async def in_parts(
        screen: Screen, bar: Progress, here: StateStore, there: StateStore
    ) -> CopyReport:
        if tenant is not None and len(tenant) > 1:
            raise InvalidArgument("a copy in parts takes one --tenant, or none for all tenants")
        job = Job(
            command="copy",
            url=source,
            target=target,
            tenant=None if tenant is None else tenant[0],
            replace_keys=replace_keys,
            dry_run=dry_run,
        )
        task = bar.add_task("copying", total=None)
        outcome = await run_job(
            job,
            spread,
            here,
            screen,
            target=there,
            progress=lambda done: bar.update(task, completed=done),
        )
        report = checked(job, outcome)
        assert isinstance(report, CopyReport)  # noqa: S101  (that of a copy)
        return report

    async def in_one(bar: Progress, here: StateStore, there: StateStore) -> CopyReport:
        task = bar.add_task("counting", total=None)

        def advance(report: CopyReport) -> None:
            name = "keys of no tenant" if report.tenant is None else report.tenant
            bar.update(
                task,
                description=plain(f"copying {name}").plain,
                completed=report.seen,
                total=max(report.total, report.seen),
            )

        report = await copy_store(
            here,
            there,
            tenants=tenant,
            replace_keys=replace_keys,
            dry_run=dry_run,
            progress=advance,
        )
        bar.update(task, total=report.seen)
        return report

    async def work(screen: Screen) -> None:
        async with opened(source) as here, opened(target, creates=spread.creates) as there:
            try:
                with screen.progress("objects") as bar:
                    if spread.divided:
                        report = await in_parts(screen, bar, here, there)
                    else:
                        report = await in_one(bar, here, there)
            except StateBucketError as error:
                if error.report is not None:
                    _show_done(screen, error.report, dry_run=dry_run)
                raise
            _report(screen, report, dry_run=dry_run)
            if report.seen == 0 and spread.whole:
                screen.note_nothing("to copy", source)

    conclude(work, as_json=as_json)


def _report(screen: Screen, report: CopyReport, *, dry_run: bool) -> None:
    if report.missing:
        missing = ", ".join(map(repr, report.missing))
        screen.fail("NotFound", f"the source has no state of tenant {missing}", Exit.NO)
        raise Stop(Exit.NO)
    screen.show(
        {"ok": report.ok, "dry_run": dry_run, **_fields(report)},
        lambda: _view(report, dry_run=dry_run),
    )
    _note_failures(screen, report)
    if not report.ok:
        raise Stop(Exit.NO)


def _show_done(screen: Screen, report: CopyReport, *, dry_run: bool) -> None:
    """Prints what a copy has done that ends with an error."""
    screen.show_done(
        {"dry_run": dry_run, **_fields(report)}, lambda: _view(report, dry_run=dry_run)
    )
    _note_failures(screen, report)


def _fields(report: CopyReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in _FIELDS}


def _note_failures(screen: Screen, report: CopyReport) -> None:
    for name, error in list(report.failures.items())[:_MAX_FAILURES]:
        screen.note(f"{name}: {error}", "red")


def _view(report: CopyReport, *, dry_run: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    verb = "would be copied" if dry_run else "copied, read back and equal"
    rows = [
        (
            report.copied,
            f"{verb} ({size(report.bytes)}, {counted(report.tenants, 'tenant')})",
            "green",
        ),
        (report.same, "already there, and equal", ""),
        (report.newer, "left alone: the execution at the destination is newer", "yellow"),
        (report.kept, "differ, and were left as they are (see --replace-keys)", "yellow"),
        (report.gone, "expired or deleted meanwhile", "dim"),
        (report.failed, "not copied", "red"),
    ]
    for number, text, style in rows:
        if number or style == "green":
            table.add_row(f"{number:,}", plain(text, style))
    return table

"""The command that copies tenants from one store to another."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from statebucket.admin.copying import Copier, CopyReport
from statebucket.admin.inventory import keeps_owner_records, of_shared, of_tenants
from statebucket.cli.exits import Exit
from statebucket.cli.options import DryRun, Json
from statebucket.cli.screen import Screen, Stop, counted, plain, size
from statebucket.cli.session import conclude, opened

_MAX_FAILURES = 10


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
    as_json: Json = False,
) -> None:
    """Copies tenants between clouds, or to SQLite for a laptop copy of production.

    Each object is written conditionally, read back and compared; expiry is kept.
    A snapshot never replaces a newer one, and all its keys go or stay with it.
    Without --tenant, all keys that belong to no tenant are copied too.
    Nothing is deleted. After an interruption, run it again: it carries on.

    [dim]statebucket copy s3://bucket/app sqlite:///laptop.db --tenant acme[/]
    """
    if source == target:
        raise typer.BadParameter("SRC and DST are the same store")

    async def work(screen: Screen) -> None:
        async with opened(source) as here, opened(target, creates=True) as there:
            with screen.err.status("counting what there is to copy…"):
                tenants = tenant or [str(one) async for one in here.iter_tenants()]
                held = await of_tenants(here, tenants)
                shared = 0
                if tenant is None and keeps_owner_records(here):
                    shared = (await of_shared(here)).keys
            total = sum(one.snapshots + one.keys for one in held) + shared
            if tenant and any(one.objects == 0 for one in held):
                missing = ", ".join(repr(one.name) for one in held if one.objects == 0)
                screen.fail("NotFound", f"the source has no state of tenant {missing}", Exit.NO)
                raise Stop(Exit.NO)
            with screen.progress("objects") as bar:
                task = bar.add_task("copying", total=total)
                copier = Copier(
                    here,
                    there,
                    replace_keys=replace_keys,
                    dry_run=dry_run,
                    progress=lambda report: bar.update(task, completed=report.seen),
                )
                for one in tenants:
                    bar.update(task, description=plain(f"copying {one}").plain)
                    await copier.tenant(one)
                if tenant is None:
                    await copier.shared()
                report = copier.report
                bar.update(task, completed=report.seen, total=report.seen)
            _report(screen, report, len(tenants), dry_run=dry_run)

    conclude(work, as_json=as_json)


def _report(screen: Screen, report: CopyReport, tenants: int, *, dry_run: bool) -> None:
    fields = {"dry_run": dry_run, "tenants": tenants, **msgspec.to_builtins(report)}
    screen.show({"ok": report.ok, **fields}, lambda: _view(report, tenants, dry_run=dry_run))
    for name, error in list(report.failures.items())[:_MAX_FAILURES]:
        screen.note(f"{name}: {error}", "red")
    if not report.ok:
        raise Stop(Exit.NO)


def _view(report: CopyReport, tenants: int, *, dry_run: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    verb = "would be copied" if dry_run else "copied, read back and equal"
    rows = [
        (report.copied, f"{verb} ({size(report.bytes)}, {counted(tenants, 'tenant')})", "green"),
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

"""Commands that remove what is named: rm-execution, rm-tenant."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import msgspec
import typer
from rich.progress import Progress

from statebucket.admin.holdings import (
    Holdings,
    keeps_owner_records,
    of_execution,
    of_tenant,
    recorded_owner,
    remove_execution,
)
from statebucket.cli.exits import Exit
from statebucket.cli.offboarding import by_rule
from statebucket.cli.options import (
    DryRun,
    ExecutionId,
    ItsTenant,
    Json,
    NamedTenant,
    Url,
    WholeTenant,
    Yes,
    required_tenant,
)
from statebucket.cli.parts import Dask, Jobs, PartOf, Run, Spread, run_job
from statebucket.cli.screen import Screen, Stop, counted, plain, size
from statebucket.cli.session import on_store
from statebucket.cli.show import no_state
from statebucket.contract.reports import DeletionReport
from statebucket.contract.state_store import StateStore
from statebucket.errors import (
    AmbiguousExecution,
    DeleteIncomplete,
    InvalidArgument,
    UnsupportedOperation,
)
from statebucket.scale.jobs import Job, checked

Work: TypeAlias = Callable[[StateStore, Screen], Awaitable[None]]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (rm_execution, rm_tenant):
        app.command(rich_help_panel="Remove")(command)


def rm_execution(
    execution: ExecutionId,
    *,
    tenant: ItsTenant = None,
    shared_keys: Annotated[
        bool,
        typer.Option(
            "--shared-keys",
            help="Remove only its keys set without a tenant, whichever tenant has it.",
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Removes an execution: its snapshot, every key, its owner record.

    If several tenants have it, pass --tenant for each, and --shared-keys for keys without a tenant.
    After an interruption, run it again: it carries on with what is left.
    [dim]statebucket rm-execution exec-1 --dry-run[/]
    [dim]statebucket rm-execution exec-1 --tenant acme --yes[/]
    [dim]statebucket rm-execution exec-1 --shared-keys[/]
    """
    if shared_keys:
        if tenant is not None:
            raise typer.BadParameter("--shared-keys are keys without a tenant: leave --tenant out")
        _remove(_rm_shared_keys(execution, dry_run=dry_run, yes=yes), url, as_json=as_json)
        return

    async def work(store: StateStore, screen: Screen) -> None:
        if tenant is None and not keeps_owner_records(store):
            raise UnsupportedOperation(
                "the tenant cannot be looked up with owner_index=false: pass --tenant"
            )
        # An expired record counts: the execution may have left other objects.
        try:
            recorded = await recorded_owner(store, execution)
        except AmbiguousExecution as error:
            error.add_note("To remove its keys that were set without a tenant, pass --shared-keys")
            raise
        owner = recorded if store.tenant_id is None else store.tenant_id
        held = await of_execution(store, execution, owner)
        # The record goes last: it may be all that an interrupted removal has left.
        record = owner is not None and owner == recorded
        if held.objects == 0 and not record:
            screen.fail("NotFound", no_state(execution, tenant), Exit.NO)
            raise Stop(Exit.NO)
        whose = "" if owner is None else f" of tenant {owner!r}"
        whose = f"execution {execution!r}{whose}"
        if _dry_run_or_confirm(screen, held, whose, dry_run=dry_run, yes=yes, record=record):
            return
        with screen.progress("objects") as bar:
            progress = _bar(bar, held.objects + record)
            report = await remove_execution(store, execution, owner, progress)
            _filled(bar)
        _removed(screen, report)

    _remove(work, url, as_json=as_json, tenant=tenant)


def _rm_shared_keys(execution: str, *, dry_run: bool, yes: bool) -> Work:
    async def work(store: StateStore, screen: Screen) -> None:
        if store.tenant_id is not None or not keeps_owner_records(store):
            raise UnsupportedOperation(
                "--shared-keys needs the whole store: a URL without tenant= and owner_index=false"
            )
        held = await of_execution(store, execution, None)
        whose = f"execution {execution!r}, set without a tenant"
        if held.objects == 0:
            screen.fail("NotFound", f"there are no keys of {whose}", Exit.NO)
            raise Stop(Exit.NO)
        if _dry_run_or_confirm(screen, held, whose, dry_run=dry_run, yes=yes):
            return
        with screen.progress("objects") as bar:
            progress = _bar(bar, held.objects)
            report = await store.execution(execution).delete_keys(progress=progress)
            _filled(bar)
        _removed(screen, report)

    return work


def rm_tenant(
    name: NamedTenant = None,
    *,
    tenant: WholeTenant = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    by_lifecycle: Annotated[
        bool,
        typer.Option(
            "--by-lifecycle",
            help="Have the bucket remove it, by a temporary rule, within days: for a tenant too "
            "large to be removed by requests. Run it again until it is done.",
        ),
    ] = False,
    jobs: Jobs = 1,
    partition: PartOf = None,
    run: Run = None,
    dask: Dask = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Removes everything a tenant has: offboarding.

    After an interruption, run it again: it carries on with what is left.
    [dim]statebucket rm-tenant acme --dry-run[/]
    [dim]statebucket rm-tenant acme --by-lifecycle[/]
    """
    tenant_id = required_tenant("rm-tenant", name, tenant)
    if by_lifecycle:
        if jobs > 1 or partition is not None or dask is not None:
            raise typer.BadParameter(
                "--by-lifecycle is one rule: leave out --jobs, --partition, --dask"
            )
        _remove(by_rule(tenant_id, dry_run=dry_run, yes=yes), url, as_json=as_json)
        return
    spread = Spread(jobs, partition, run, dask)
    job = Job(command="delete_tenant", url=url or "", tenant=tenant_id)

    async def work(store: StateStore, screen: Screen) -> None:
        if spread.divided:
            # Another machine may have been quicker: nothing is counted.
            if dry_run:
                raise InvalidArgument("with --dry-run, leave --jobs, --partition and --dask out")
            screen.sure(f"Remove tenant {tenant_id!r}? This cannot be undone.", yes=yes)
            with screen.progress("objects") as bar:
                _removed(screen, await _in_parts(job, spread, store, screen, bar))
            return
        with screen.err.status("counting…"):
            held = await of_tenant(store, tenant_id)
        if held.objects == 0:
            screen.fail("NotFound", f"there is no state of tenant {tenant_id!r}", Exit.NO)
            raise Stop(Exit.NO)
        if _dry_run_or_confirm(screen, held, f"tenant {tenant_id!r}", dry_run=dry_run, yes=yes):
            return
        with screen.progress("objects") as bar:
            # Each snapshot has an owner record, which is removed before it.
            records = held.snapshots if keeps_owner_records(store) else 0
            total = held.objects + records
            report = await _in_parts(job, spread, store, screen, bar, total)
            _filled(bar)
        _removed(screen, report)

    _remove(work, url, as_json=as_json)


async def _in_parts(
    job: Job,
    spread: Spread,
    store: StateStore,
    screen: Screen,
    bar: Progress,
    total: int | None = None,
) -> DeletionReport:
    task = bar.add_task("removing", total=total)

    def advance(done: int) -> None:
        bar.update(task, completed=done if total is None else min(done, total))

    report = checked(job, await run_job(job, spread, store, screen, progress=advance))
    assert isinstance(report, DeletionReport)  # noqa: S101  (that of a removal)
    return report


def _bar(bar: Progress, total: int) -> Callable[[DeletionReport], None]:
    """Starts a bar over what there is to remove; the result advances it."""
    task = bar.add_task("removing", total=total)

    def advance(report: DeletionReport) -> None:
        done = (report.snapshots or 0) + report.keys + report.leases + report.owners
        bar.update(task, completed=min(done, total))

    return advance


def _filled(bar: Progress) -> None:
    """Fills the bar: not every service counts all that it removed."""
    for task in bar.tasks:
        bar.update(task.id, completed=task.total)


def _dry_run_or_confirm(
    screen: Screen,
    held: Holdings,
    whose: str,
    *,
    dry_run: bool,
    yes: bool,
    record: bool = False,
) -> bool:
    """Prints what would be removed and returns True, or asks for confirmation."""
    kinds = {"snapshot": held.snapshots, "key": held.keys, "lease": held.leases}
    parts = [counted(number, kind) for kind, number in kinds.items() if number]
    if record and not parts:
        parts = ["the owner record"]
    what = f"{', '.join(parts)} ({size(held.bytes)}) of {whose}"
    if dry_run:
        screen.show(
            {"dry_run": True, **msgspec.to_builtins(held)},
            lambda: plain(f"Would be removed: {what}."),
        )
        return True
    screen.sure(f"Remove {what}? This cannot be undone.", yes=yes)
    return False


def _removed(screen: Screen, report: DeletionReport) -> None:
    screen.show(report, lambda: plain(_removed_text(report), "green"))


def _remove(work: Work, url: str | None, *, as_json: bool, tenant: str | None = None) -> None:
    """Runs the work of a removal; if it ends with an error, what it did before is printed, too."""

    async def reporting(store: StateStore, screen: Screen) -> None:
        try:
            await work(store, screen)
        except DeleteIncomplete as error:
            report = error.report
            screen.show_done(report, lambda: plain(_removed_text(report)))
            raise

    on_store(reporting, url, as_json=as_json, tenant=tenant)


def _removed_text(report: DeletionReport) -> str:
    snapshots = "the snapshot" if report.snapshots is None else ""
    parts = [
        snapshots or counted(report.snapshots or 0, "snapshot"),
        counted(report.keys, "key"),
        *([counted(report.leases, "lease")] if report.leases else []),
        counted(report.owners, "owner record"),
    ]
    return f"Removed: {', '.join(parts)}."

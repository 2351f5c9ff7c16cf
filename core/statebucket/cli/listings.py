"""Commands that list without loading: executions, keys."""

from typing import Annotated

import msgspec
import typer
from rich.console import Group
from rich.table import Table

from statebucket.admin import Inventory
from statebucket.admin.holdings import lists_expiry
from statebucket.cli.options import (
    After,
    Json,
    Limit,
    ListedTenant,
    NamedTenant,
    OnlyTenant,
    Prefix,
    Url,
    one_tenant,
)
from statebucket.cli.parts import Dask, Jobs, PartOf, Report, Run, Spread, of_store, run_job
from statebucket.cli.screen import Screen, age, counted, expiry, plain, size
from statebucket.cli.session import on_store
from statebucket.contract.entries import KeyEntry
from statebucket.contract.state_store import StateStore
from statebucket.scale.jobs import Job, checked

_MAX_TENANTS = 50


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (executions, keys, inventory):
        app.command(rich_help_panel="Look")(command)


def executions(
    name: NamedTenant = None,
    *,
    tenant: ListedTenant = None,
    prefix: Prefix = "",
    after: After = None,
    limit: Limit = 100,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Lists the executions that have keys or a snapshot: 1 request per 1,000 of either.

    Without --tenant, those with keys that were set without one.
    [dim]statebucket executions -t acme[/]
    [dim]statebucket executions -t acme --json | jq -r '.executions[]'[/]
    """
    tenant = one_tenant(name, tenant)

    async def work(store: StateStore, screen: Screen) -> None:
        with screen.err.status("listing executions…"):
            # One more than is shown, to know whether there are more.
            listed = store.iter_executions(prefix=prefix, after=after, limit=limit + 1)
            found: list[str] = [execution async for execution in listed]
        shown, more = found[:limit], len(found) > limit
        screen.show(
            {"tenant": tenant, "more": more, "executions": shown},
            lambda: (
                _executions(shown) if shown else plain(f"There are no executions{_of(tenant)}.")
            ),
        )
        if more:
            screen.note(f"There are more: raise --limit, or pass --after {shown[-1]!r}.", "dim")

    on_store(work, url, as_json=as_json, tenant=tenant)


def keys(
    execution: Annotated[
        str | None,
        typer.Argument(
            metavar="EXECUTION",
            show_default=False,
            help="The execution; by default, the keys that belong to none.",
        ),
    ] = None,
    *,
    tenant: ListedTenant = None,
    prefix: Prefix = "",
    after: After = None,
    limit: Limit = 100,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Lists keys with their size and age, in the order of their names: 1 request per 1,000.

    Without --tenant, those that were set without one.
    On S3, listings do not show expiry, so expired keys may be listed.
    [dim]statebucket keys -t acme --prefix report/[/]
    [dim]statebucket keys exec-1 -t acme --json | jq '.keys[].size'[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        with screen.err.status("listing keys…"):
            # One more than is shown, to know whether there are more.
            if execution is not None and ":" in execution:  # its keys have no text form
                listed = store.execution(execution).scan_keys(
                    prefix=prefix, after=after, limit=limit + 1
                )
            else:
                listed = store.scan_keys(execution, prefix=prefix, after=after, limit=limit + 1)
            found = [entry async for entry in listed]
        shown, more = found[:limit], len(found) > limit
        of_execution = "" if execution is None else f" of execution {execution!r}"
        screen.show(
            {
                "tenant": tenant,
                "execution": execution,
                "more": more,
                "keys": [msgspec.to_builtins(entry) for entry in shown],
            },
            lambda: (
                _keys(shown, expires=lists_expiry(store))
                if shown
                else plain(f"There are no such keys{of_execution}{_of(tenant)}.")
            ),
        )
        if more:
            screen.note(f"There are more: raise --limit, or pass --after {shown[-1].key!r}.", "dim")

    on_store(work, url, as_json=as_json, tenant=tenant)


def inventory(
    *,
    tenant: OnlyTenant = None,
    jobs: Jobs = 1,
    partition: PartOf = None,
    run: Run = None,
    dask: Dask = None,
    report: Report = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Counts what a store holds: 1 request per 1,000 objects, several at a time.

    Expired objects count until they are removed. With --tenant owner records are not counted.
    With --report the files of an inventory report are read instead, as of when it was taken.
    [dim]statebucket inventory[/]
    [dim]statebucket inventory --jobs 2 --json | jq .owners[/]
    """
    job = Job(command="inventory", url=url or "", tenant=tenant, report=report)
    spread = Spread(jobs, partition, run, dask)

    async def work(store: StateStore, screen: Screen) -> None:
        with screen.progress("objects") as bar:
            task = bar.add_task("counting", total=None)
            outcome = await run_job(
                job,
                spread,
                store,
                screen,
                progress=lambda done: bar.update(task, completed=done),
            )
        held = checked(job, outcome)
        assert isinstance(held, Inventory)  # noqa: S101  (that of an inventory)
        screen.show({"objects": held.objects, **msgspec.to_builtins(held)}, lambda: _held(held))
        screen.note_age(held.as_of)
        if held.objects == 0 and spread.whole:
            screen.note_nothing(of_store(tenant), url)

    on_store(work, url, as_json=as_json)


def _held(report: Inventory) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("tenant", overflow="fold")
    for head in ("snapshots", "keys", "leases", "size"):
        table.add_column(head, justify="right", no_wrap=True)
    largest = sorted(report.tenants.values(), key=lambda one: one.bytes, reverse=True)
    # Of one tenant neither shared keys nor owner records were counted.
    for one in [*largest[:_MAX_TENANTS], *([] if report.owners is None else [report.shared])]:
        numbers = (f"{number:,}" for number in (one.snapshots, one.keys, one.leases))
        table.add_row(plain(one.name or "(no tenant)"), *numbers, size(one.bytes))
    rest = len(largest) - _MAX_TENANTS
    left_out = f", {counted(rest, 'tenant')} not shown" if rest > 0 else ""
    records = (
        "owner records not counted"
        if report.owners is None
        else f"of which {counted(report.owners, 'owner record')}"
    )
    total = plain(f"{counted(report.objects, 'object')}, {records}{left_out}", "dim italic")
    return Group(table, total)  # a caption would be folded to the table's width


def _of(tenant: str | None) -> str:
    if tenant is None:
        return " without a tenant; those of one are found with --tenant"
    return f" of tenant {tenant!r}"


def _executions(shown: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("execution", overflow="fold")
    for execution in shown:
        table.add_row(plain(execution))
    return table


def _keys(shown: list[KeyEntry], *, expires: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("key", overflow="fold")
    for head in ("size", "age", *(["expires"] if expires else [])):
        table.add_column(head, justify="right", no_wrap=True)
    for one in shown:
        table.add_row(
            plain(one.key),
            size(one.size),
            "?" if one.modified_at is None else age(one.modified_at),
            *([expiry(one.expires_at)] if expires else []),
        )
    return table

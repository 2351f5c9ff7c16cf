"""Commands that look: demo, health, tenants, snapshots, show."""

import os
import time
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import typer
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from statebucket.admin.holdings import Holdings, of_tenants
from statebucket.admin.loading import load_snapshots
from statebucket.cli.exits import Exit
from statebucket.cli.options import (
    After,
    ExecutionId,
    ItsTenant,
    Json,
    Limit,
    NamedTenant,
    Prefix,
    Url,
    WholeTenant,
    required_tenant,
)
from statebucket.cli.screen import Screen, Stop, age, counted, expiry, plain, safe_json, size
from statebucket.cli.session import on_store
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.segments import execution_key
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import StateStore
from statebucket.contract.states import Waiting
from statebucket.contract.versions import Stored
from statebucket.errors import CorruptObject

_BAR = 28
_WIDE = 72  # columns of a terminal that has room for bars
_NARROW = 60  # columns of a terminal that has room for age and size
_MAX_KEYS = 1000
_COLOURS = {"Running": "green", "Completed": "blue", "Failed": "red", "Cancelled": "dim"}


class _Corrupt(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that cannot be read, and why."""

    execution: str
    corrupt: str


Loaded: TypeAlias = Stored[ExecutionSnapshot] | _Corrupt


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (demo, health, tenants, snapshots, show):
        app.command(rich_help_panel="Look")(command)


def demo(*, url: Url = None) -> None:
    """Shows the main use in about 10 s: a worker is killed mid-job, and another carries on.

    Runs on the given store, or on an SQLite file of its own, and cleans up after itself.
    [dim]statebucket demo[/]
    [dim]statebucket demo --url s3://bucket/demo[/]
    """
    if url is not None:
        os.environ["STATEBUCKET_URL"] = url  # its workers are processes of their own
    from statebucket.demo.__main__ import main  # noqa: PLC0415  (only here)

    raise typer.Exit(main())


def health(*, url: Url = None, as_json: Json = False) -> None:
    """Checks that the store can be reached and listed: 1 request.

    [dim]statebucket health || echo "exit code $?"[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        started = time.perf_counter()
        await store.health_check()
        seconds = time.perf_counter() - started
        screen.show(
            {"ok": True, "service": store.name, "milliseconds": round(seconds * 1000, 1)},
            lambda: plain(f"{store.name} answers: {seconds * 1000:.0f} ms", "green"),
        )

    on_store(work, url, as_json=as_json)


def tenants(*, url: Url = None, as_json: Json = False) -> None:
    """Lists the tenants, and how many snapshots, keys and lease records each has.

    Keys include those of its executions, and the size is the stored size of all three.
    Keys set without a tenant (see keys) and owner records are not counted.
    Expired objects count until they are removed.
    Takes 1 request per 1,000 tenants, then 1 for every 1,000 objects of each.
    [dim]statebucket tenants --url gs://bucket/app[/]
    [dim]statebucket tenants --json | jq '.tenants[].name'[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        with screen.err.status("listing tenants…"):
            found = [str(tenant) async for tenant in store.iter_tenants()]
        with screen.err.status(f"counting what is in {counted(len(found), 'tenant')}…"):
            held = await of_tenants(store, found)
        held.sort(key=lambda one: one.bytes, reverse=True)
        screen.show(
            {"tenants": [_plain(one) for one in held]},
            lambda: (
                _tenants(held, screen.out.width)
                if held
                else plain(f"There are no tenants at {url}.")
            ),
        )

    on_store(work, url, as_json=as_json)


def snapshots(
    name: NamedTenant = None,
    *,
    tenant: WholeTenant = None,
    prefix: Prefix = "",
    after: After = None,
    limit: Limit = 100,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Lists a tenant's snapshots by name: 1 request, plus 1 for each.

    One that cannot be read is shown as corrupt, and the exit code is 1.
    [dim]statebucket snapshots --tenant acme --prefix import- --limit 20[/]
    """
    tenant_id = required_tenant("snapshots", name, tenant)

    async def work(store: StateStore, screen: Screen) -> None:
        view = store.tenant(tenant_id)
        with screen.err.status("loading snapshots…"):
            # One more than is shown, to know whether there are more.
            listed = view.iter_snapshots(prefix=prefix, after=after, limit=limit + 1)
            names = [name async for name in listed]
            shown = names[:limit]
            found = [
                _Corrupt(execution=name, corrupt=str(one))
                if isinstance(one, CorruptObject)
                else one
                for name, one in zip(shown, await load_snapshots(view, shown), strict=True)
            ]
        live = [one for one in found if one is not None]
        more = len(names) > limit
        rows = [one if isinstance(one, _Corrupt) else _row(one) for one in live]
        screen.show(
            {"tenant": tenant_id, "more": more, "snapshots": rows},
            lambda: (
                _snapshots(live, screen.out.width)
                if live
                else plain(
                    f"Tenant {tenant_id!r} has no {'such ' if prefix or after else ''}snapshots."
                )
            ),
        )
        if more:
            screen.note(f"There are more: raise --limit, or pass --after {shown[-1]!r}.", "dim")
        corrupt = [one for one in live if isinstance(one, _Corrupt)]
        for one in corrupt:
            screen.note(one.corrupt, "red")
        if corrupt:
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json)


def show(
    execution: ExecutionId, *, tenant: ItsTenant = None, url: Url = None, as_json: Json = False
) -> None:
    """Shows an execution: its snapshot as JSON, and its keys.

    The keys are those set in its tenant and those set without one.

    [dim]statebucket show exec-1 --tenant acme[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        stored = await store.execution(execution).load_stored()
        # The keys that were set through the tenant's view are in the tenant's prefix.
        views = [store]
        if tenant is None and stored is not None:
            views.append(store.tenant(stored.value.tenant_id))
        found = [await _keys(view.execution(execution)) for view in views]
        rows, more = [row for keys, _ in found for row in keys], any(more for _, more in found)
        if stored is None and not rows:
            screen.fail("NotFound", no_state(execution, tenant), Exit.NO)
            raise Stop(Exit.NO)
        owner = tenant if stored is None else stored.value.tenant_id
        screen.show(
            {
                "execution": execution,
                "tenant": owner,
                "stored": None if stored is None else _row(stored),
                "snapshot": None if stored is None else msgspec.Raw(stored.value.to_json()),
                "more": more,
                "keys": rows,
            },
            lambda: _execution(stored, rows, owner, screen.out.width),
        )
        if more:
            text = f"There are more than {_MAX_KEYS:,} keys: statebucket keys lists them all."
            screen.note(text, "dim")

    on_store(work, url, as_json=as_json, tenant=tenant)


def no_state(execution: str, tenant: str | None) -> str:
    """The message for an execution of which nothing is stored."""
    of_tenant = f" of tenant {tenant!r}" if tenant else ""
    hint = "" if tenant else "; one without a snapshot is found with --tenant"
    return f"there is no state of execution {execution!r}{of_tenant}{hint}"


async def _keys(execution: ExecutionStore) -> tuple[list[dict[str, object]], bool]:
    """The first keys of an execution, and whether there are more."""
    # One more than is shown, to know that.
    names = [key async for key in execution.iter_keys(limit=_MAX_KEYS + 1)]
    found = await execution.get_many_stored(names[:_MAX_KEYS])
    rows: list[dict[str, object]] = [
        {
            "key": execution_key(execution.execution_id, key),
            "size": one.size,
            "expires_at": one.expires_at,
        }
        for key, one in found.items()
        if one is not None
    ]
    return rows, len(names) > _MAX_KEYS


def _tenants(held: list[Holdings], width: int) -> Table:
    most = max(one.bytes for one in held) or 1
    bars = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    table.add_column("tenant", counted(len(held), "tenant"), footer_style="dim", overflow="fold")
    for name in ("snapshots", "keys", "leases"):
        total = sum(getattr(one, name) for one in held)
        table.add_column(name, f"{total:,}", justify="right", footer_style="dim", no_wrap=True)
    total = sum(one.bytes for one in held)
    table.add_column("size", size(total), justify="right", footer_style="dim", no_wrap=True)
    if bars:
        table.add_column("", width=_BAR)
    for one in held:
        table.add_row(
            plain(one.name),
            f"{one.snapshots:,}",
            f"{one.keys:,}",
            f"{one.leases:,}",
            size(one.bytes),
            *([Bar(most, 0, one.bytes, width=_BAR, color="cyan")] if bars else []),
        )
    return table


def _snapshots(live: Sequence[Loaded], width: int) -> Table:
    narrow = width < _NARROW
    table = Table(box=None, pad_edge=False, header_style="bold")
    # An id is never cut: people copy it.
    table.add_column("execution", overflow="fold", min_width=len("execution"))
    table.add_column("state")
    for head in ("sequence", "expires") if narrow else ("sequence", "age", "size", "expires"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in live:
        if isinstance(one, _Corrupt):
            table.add_row(plain(one.execution), plain("corrupt", "bold red"))
            continue
        snapshot = one.value
        state = _state(snapshot)
        table.add_row(
            plain(snapshot.execution_id),
            plain(state, _COLOURS.get(state, "yellow")),
            str(snapshot.sequence_number),
            *(() if narrow else (age(snapshot.timestamp), size(one.size))),
            expiry(one.expires_at),
        )
    return table


def _execution(
    stored: Stored[ExecutionSnapshot] | None,
    rows: list[dict[str, object]],
    tenant: str | None,
    width: int,
) -> RenderableType:
    parts: list[RenderableType] = [] if tenant is None else [plain(f"Tenant {tenant!r}")]
    if stored is None:
        parts.append(plain("There is no snapshot, or it has expired; there are keys."))
    else:
        # Escaped last: parsing the JSON again would turn an escape back into the character.
        body = Text(safe_json(stored.value.to_json()), overflow="fold")
        JSONHighlighter().highlight(body)
        parts += [_snapshots([stored], width), "", body]
    if rows:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("key", overflow="fold")
        table.add_column("size", justify="right", no_wrap=True)
        table.add_column("expires", justify="right", no_wrap=True)
        for row in rows:
            expires = row["expires_at"]
            table.add_row(plain(row["key"]), size(row["size"]), expiry(expires))  # type: ignore[arg-type]
        parts += ["", table]
    return Group(*parts)


def _row(stored: Stored[ExecutionSnapshot]) -> dict[str, object]:
    snapshot = stored.value
    return {
        "execution": snapshot.execution_id,
        "tenant": snapshot.tenant_id,
        "state": _state(snapshot),
        "sequence_number": snapshot.sequence_number,
        "timestamp": snapshot.timestamp,
        "size": stored.size,
        "expires_at": stored.expires_at,
        "version": str(stored.version),
    }


def _state(snapshot: ExecutionSnapshot) -> str:
    state = snapshot.state
    return f"Waiting: {state.reason.value}" if isinstance(state, Waiting) else str(state.value)


def _plain(one: Holdings) -> dict[str, object]:
    return {**msgspec.to_builtins(one), "objects": one.objects}

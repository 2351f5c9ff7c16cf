"""The command that checks whether a bucket is fit for use."""

from itertools import zip_longest
from typing import Annotated

import typer
from rich.table import Table

from statebucket.admin.doctor import Examination, Finding
from statebucket.cli.exits import Exit
from statebucket.cli.options import Json, OnlyTenant, Url
from statebucket.cli.screen import Screen, Stop, plain
from statebucket.cli.session import on_store
from statebucket.contract.state_store import StateStore

_SIGNS = {
    "ok": ("✓", "green"),
    "note": ("·", "dim"),
    "unknown": ("?", "cyan"),
    "warning": ("!", "yellow"),
    "fault": ("✗", "bold red"),
}
_ASCII = {"✓": "+", "·": "-", "✗": "x", "→": "->"}  # "?" stands for unknown


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Look")(doctor)


def doctor(
    *,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            "-w",
            help="Also try writing: a statebucket-doctor-… object below each prefix, then removed.",
        ),
    ] = False,
    tenant: OnlyTenant = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Is this bucket fit for use? Reach, identity, rights, lifecycle, versions, clock, latency.

    Only reads, unless --write is given. Exit code 1 if anything needs fixing (! or ✗).
    [dim]statebucket doctor --url s3://bucket/app --write[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        with screen.err.status("examining…"):
            findings = [one async for one in Examination(store, write=write).findings()]
        ok = not any(one.status in {"warning", "fault"} for one in findings)
        screen.show(
            {"ok": ok, "service": store.name, "findings": findings}, lambda: _view(findings, screen)
        )
        if not ok:
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json, tenant=tenant, creates=write)


def _view(findings: list[Finding], screen: Screen) -> Table:
    shown = _ASCII if screen.out.options.ascii_only else {}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    checks = list(dict.fromkeys(one.check for one in findings))
    for check in checks:
        alike = [one for one in findings if one.check == check]
        for one, following in zip_longest(alike, alike[1:]):
            sign, style = _SIGNS[one.status]
            text = plain(one.message)
            # A remedy that several findings in a row share is printed after the last of them.
            if one.remedy and (following is None or following.remedy != one.remedy):
                remedy = f"{shown.get('→', '→')} {one.remedy.shell}"
                text.append("\n").append_text(plain(remedy, "bold"))
            head = check if one is alike[0] else ""
            table.add_row(plain(shown.get(sign, sign), style), plain(head, "bold"), text)
    return table

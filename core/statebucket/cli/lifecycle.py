"""Commands on the bucket's lifecycle rules: check, show, apply."""

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from statebucket.cli.exits import Exit
from statebucket.cli.options import DryRun, Json, Url, Yes
from statebucket.cli.screen import Screen, Stop, counted, plain
from statebucket.cli.session import on_store
from statebucket.lifecycle import LifecyclePort, Rule, needed_rules
from statebucket.parts import Parts
from statebucket.store import ObjectStateStore


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="The bucket's rules that remove what expired.")
    for command in (check, show, apply):
        group.command()(command)
    app.add_typer(group, name="lifecycle", rich_help_panel="Look")


def check(*, url: Url = None, as_json: Json = False) -> None:
    """Compares the bucket's rules with those that TTLs need; exit code 1 on drift.

    [dim]statebucket lifecycle check --url s3://bucket/app[/]
    """

    async def work(store: ObjectStateStore, screen: Screen) -> None:
        report = await store.check_lifecycle()
        screen.show({"ok": report.ok, "findings": report.findings}, lambda: _lines(report))
        if not report.ok:
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json)


def show(*, url: Url = None, as_json: Json = False) -> None:
    """The rules that TTLs need, and those that the bucket has."""

    async def work(store: ObjectStateStore, screen: Screen) -> None:
        parts = Parts.of(store)
        bucket = parts.objects.bucket
        needed: list[Rule] = []
        found: tuple[Rule, ...] | None = None
        terraform = False
        if isinstance(bucket, LifecyclePort):
            owner_index = parts.owners is not None
            needed = needed_rules(parts.names, bucket.removal, owner_index=owner_index)
            lifecycle = await bucket.read_lifecycle()
            if lifecycle is not None:
                found, terraform = lifecycle.rules, lifecycle.terraform
        screen.show(
            {"needed": needed, "found": found, "terraform": terraform},
            lambda: _rules(needed, found, terraform=terraform),
        )

    on_store(work, url, as_json=as_json)


def apply(
    *, dry_run: DryRun = False, yes: Yes = False, url: Url = None, as_json: Json = False
) -> None:
    """Writes the rules that are missing or wrong; other rules stay as they are.

    On a bucket whose rules Terraform owns, it prints the module's input instead.
    [dim]statebucket lifecycle apply --dry-run[/]
    """

    async def work(store: ObjectStateStore, screen: Screen) -> None:
        plan = await store.apply_lifecycle(dry_run=True)
        if plan.added and not dry_run:
            screen.err.print(_lines(plan.report), soft_wrap=True)
            screen.sure(
                f"Write {counted(len(plan.added), 'rule')} in place of "
                f"{counted(len(plan.removed), 'rule')} of ours, "
                f"leaving {counted(len(plan.kept), 'other rule')}?",
                yes=yes,
            )
            plan = await store.apply_lifecycle(dry_run=False)
        screen.show(plan, lambda: _lines(plan))
        if plan.module_input:
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json)


def _lines(value: object) -> Text:
    """Some lines of text, each made safe for a terminal."""
    return Text("\n").join(plain(line) for line in str(value).splitlines())


def _rules(needed: list[Rule], found: tuple[Rule, ...] | None, *, terraform: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "id", "prefixes", "does"):
        table.add_column(head, overflow="fold")
    for rule in needed:
        table.add_row("needed", plain(rule.id), _prefixes(rule), _does(rule))
    for rule in found or ():
        whose = "Terraform's" if terraform and rule.id.startswith("statebucket-tf-") else "found"
        table.add_row(whose, plain(rule.id), _prefixes(rule), _does(rule))
    if not needed:
        table.add_row("", "", "", "no rule is needed: only sweep removes what has expired here")
    elif found is None:
        table.add_row("found", "", "", "the bucket's rules are not to be seen from here")
    return table


def _prefixes(rule: Rule) -> str:
    return plain(", ".join(prefix or "(all)" for prefix in rule.prefixes)).plain


def _does(rule: Rule) -> str:
    plainly = msgspec.to_builtins(rule)
    parts = [f"{k}={v}" for k, v in plainly.items() if k not in {"id", "prefixes", "raw"}]
    return plain(", ".join(parts)).plain

"""Commands on the bucket's lifecycle rules: check, show, apply."""

from itertools import zip_longest

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from statebucket.admin.bucket_rules import BucketRules, rules_of
from statebucket.cli.exits import Exit
from statebucket.cli.options import DryRun, Json, Url, Yes
from statebucket.cli.screen import Screen, Stop, counted, plain
from statebucket.cli.session import on_store
from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport, Rule
from statebucket.contract.state_store import StateStore


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(
        no_args_is_help=True, help="The bucket's rules that remove expired objects."
    )
    for command in (check, show, apply):
        group.command()(command)
    app.add_typer(group, name="lifecycle", rich_help_panel="Look")


def check(*, url: Url = None, as_json: Json = False) -> None:
    """Compares the bucket's rules with those that TTLs need; exit code 1 on drift.

    [dim]statebucket lifecycle check --url s3://bucket/app[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        report = await store.check_lifecycle()
        screen.show({"ok": report.ok, "findings": report.findings}, lambda: _findings(report))
        if not report.ok:
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json)


def show(*, url: Url = None, as_json: Json = False) -> None:
    """Shows the rules that TTLs need, and those that the bucket has.

    [dim]statebucket lifecycle show --url gs://bucket/app[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        rules = await rules_of(store)
        policy = {} if rules.policy is None else {"policy": rules.policy}
        screen.show(
            {"needed": rules.needed, "found": rules.found, "terraform": rules.terraform, **policy},
            lambda: _rules(rules),
        )

    on_store(work, url, as_json=as_json)


def apply(
    *, dry_run: DryRun = False, yes: Yes = False, url: Url = None, as_json: Json = False
) -> None:
    """Writes the rules that are missing or wrong; other rules stay as they are.

    On a bucket whose rules Terraform owns, it prints the module's input instead.
    [dim]statebucket lifecycle apply --dry-run[/]
    [dim]statebucket lifecycle apply --yes[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        plan = await store.apply_lifecycle(dry_run=True)
        if plan.added and not dry_run:
            screen.err.print(_findings(plan.report))
            screen.sure(
                f"Write {counted(len(plan.added), 'rule')} in place of "
                f"{counted(len(plan.removed), 'rule')} of ours, "
                f"leaving {counted(len(plan.kept), 'other rule')}?",
                yes=yes,
            )
            plan = await store.apply_lifecycle(dry_run=False)
        screen.show(plan, lambda: _plan(plan, dry_run=dry_run))
        if plan.module_input or not (plan.added or plan.report.ok):
            raise Stop(Exit.NO)

    on_store(work, url, as_json=as_json)


_KINDS = {"dangerous": "bold red", "unknown": "cyan", "note": "dim"}


def _lines(text: str) -> Text:
    """Some lines of text, each made safe for a terminal."""
    return Text("\n").join(plain(line) for line in text.splitlines())


def _findings(report: LifecycleReport) -> RenderableType:
    if not report.findings:
        return plain("The rules are what TTLs need.", "green")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one, following in zip_longest(report.findings, report.findings[1:]):
        text = plain(one.message)
        # A remedy that several findings in a row share is printed after the last of them.
        if one.remedy and (following is None or following.remedy != one.remedy):
            text.append("\n").append_text(plain(f"→ {one.remedy.shell}", "bold"))
        table.add_row(plain(one.kind, _KINDS.get(one.kind, "yellow")), text)
    return table


def _plan(plan: LifecyclePlan, *, dry_run: bool) -> RenderableType:
    shown: list[RenderableType] = []
    if dry_run or not plan.added:  # otherwise they were shown with the question
        shown.append(_findings(plan.report))
    if plan.module_input:
        shown.append("Terraform owns this bucket's rules and would undo a change; its input:")
        shown.append(_lines(plan.module_input))
    elif plan.added:
        shown.append(
            _table([("-", rule) for rule in plan.removed] + [("+", rule) for rule in plan.added])
        )
        shown.append(f"{counted(len(plan.kept), 'other rule')} left as they are.")
        shown.append(
            plain("Written.", "green") if plan.applied else plain("Not written: a dry run.")
        )
    else:
        shown.append(f"{plan.outcome[0].upper()}{plan.outcome[1:]}.")
    return Group(*shown)


def _rules(rules: BucketRules) -> RenderableType:
    if not rules.needed and not rules.found:
        return plain("No rule is needed: here only sweep removes expired objects.")
    rows = [("needed", rule) for rule in rules.needed]
    rows += [
        ("Terraform's" if rules.by_terraform(rule) else "found", rule) for rule in rules.found or ()
    ]
    if rules.found is not None:
        return _table(rows)
    said = "This service does not show the bucket's own rules."
    if rules.policy is not None:
        said += " With --json the needed ones are a policy for its command line, too."
    return Group(_table(rows), plain(said, "dim"))


def _table(rows: list[tuple[str, Rule]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for head in ("rule", "does", "below"):
        table.add_column(head, overflow="fold")
    before = None
    for whose, rule in rows:
        places = ", ".join(prefix or "(all)" for prefix in rule.prefixes)
        # A dozen rules share the same prefixes.
        below = "″" if before == (whose, places) else plain(places)
        table.add_row(whose, plain(rule.id), plain(_does(rule)), below)
        before = (whose, places)
    return table


_WORDS = {
    "expiration_days": "deletes after {} d",
    "expiration_date": "deletes from {} on",
    "before": "deletes objects dated before {}",
    "custom_time_days": "deletes {} d after expiry (custom time)",
    "noncurrent_days": "deletes old versions after {} d",
    "abort_uploads_days": "aborts uploads after {} d",
}
_FLAGS = {
    "expired_delete_markers": "removes delete markers",
    "archives": "archives",
    "narrowed": "has further conditions",
}


def _does(rule: Rule) -> str:
    """What a rule does, in a few words; in the service's own form if they do not suffice."""
    parts = [
        words.format(days)
        for name, words in _WORDS.items()
        if (days := getattr(rule, name)) is not None
        and not (name == "expiration_days" and (rule.expiration_date or rule.before))
    ]
    parts += [words for name, words in _FLAGS.items() if getattr(rule, name)]
    if not parts and rule.raw is not None:
        return msgspec.json.encode(rule.raw).decode()
    parts += [f"of tag {name}={value}" for name, value in rule.tags.items()]
    return ", ".join(parts if rule.enabled else ["disabled", *parts])

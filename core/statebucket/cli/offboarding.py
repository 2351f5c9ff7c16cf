"""``rm-tenant --by-lifecycle``: the bucket removes the tenant."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from rich.progress import Progress, TaskID
from rich.text import Text

from statebucket.admin.offboarding import next_step, take_step
from statebucket.cli.exits import Exit
from statebucket.cli.screen import Screen, Stop, counted, plain
from statebucket.contract.offboarding import OffboardingReport
from statebucket.contract.reports import DeletionReport
from statebucket.contract.state_store import StateStore


def by_rule(
    tenant_id: str, *, dry_run: bool, yes: bool
) -> Callable[[StateStore, Screen], Awaitable[None]]:
    """The command's work: the next step, after a question where that is the first one."""

    async def work(store: StateStore, screen: Screen) -> None:
        report: OffboardingReport | None = None
        while report is None:  # again, where the tenant has come or gone since the look
            step = await next_step(store, tenant_id)
            if dry_run:
                would = {"dry_run": True, **msgspec.to_builtins(step)}
                screen.show(would, partial(_would, step))
                return
            if step.stage == "started":
                screen.sure(
                    f"Have the bucket remove tenant {tenant_id!r}, by a rule that also deletes "
                    "what is written to it until you finish? This cannot be undone.",
                    yes=yes,
                )
            with screen.progress("objects") as bar:
                task = bar.add_task("removing", total=None)

                def advance(
                    so_far: DeletionReport, bar: Progress = bar, task: TaskID = task
                ) -> None:
                    bar.update(task, completed=so_far.owners)

                report = await take_step(store, tenant_id, step.stage, advance)
        if report.done and not (report.rule or report.owners or report.module_input):
            screen.fail("NotFound", f"there is no state of tenant {tenant_id!r}", Exit.NO)
            raise Stop(Exit.NO)
        screen.show(report, lambda: plain(_did(report), "green" if report.done else ""))

    return work


def _would(step: OffboardingReport) -> Text:
    return plain(_next(step))


def _next(step: OffboardingReport) -> str:
    if step.stage == "started":
        return (
            f"A rule would be written that removes tenant {step.tenant_id!r}, by "
            f"{step.done_after:%Y-%m-%d %H:%M} UTC or some time after."
        )
    if step.stage == "removing":
        return _did(step)
    rule = f" and the rule {step.rule!r}" if step.rule and not step.module_input else ""
    return f"Nothing is left but owner records, if any: they{rule} would be removed."


def _did(report: OffboardingReport) -> str:
    text = str(report)
    text = f"{text[0].upper()}{text[1:]}"
    if not report.done:
        return f"{text}. Let nothing write to the tenant until then: it would be lost."
    return f"Removed: {counted(report.owners, 'owner record')}. {text}."

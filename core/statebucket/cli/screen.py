"""A command's output, for people and machines: tables or one JSON document, and questions."""

from __future__ import annotations

import json
import re
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.prompt import Confirm
from rich.table import Column
from rich.text import Text

from statebucket.cli.exits import Exit
from statebucket.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

_UNFOLDED = 10_000
_MAX_TASK = 22  # columns for a progress bar's label: bar and count fit beside it in 80
_VIEW = "call it on store.tenant(…)"  # the advice in errors, for a program
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


class Stop(Exception):
    """Ends a command with an exit code; its output is complete."""

    def __init__(self, code: Exit) -> None:
        super().__init__(code)
        self.code = code


class Screen:
    """Where a command's output goes.

    Args:
        as_json: One JSON document on stdout, and nothing else there.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.at_least = False  # whether a result's numbers are a lower bound; JSON says so
        self._done: Any = None  # the report of a command that fails
        # Output into a pipe or file is not folded or cut to the width of a terminal.
        self.out = Console(highlight=False, width=None if sys.stdout.isatty() else _UNFOLDED)
        self.err = Console(
            stderr=True, highlight=False, width=None if sys.stderr.isatty() else _UNFOLDED
        )

    def show(self, value: Any, view: Callable[[], RenderableType]) -> None:  # noqa: ANN401
        """Prints a result: the value as JSON, or the view of it."""
        if self.as_json:
            more = {**msgspec.to_builtins(value), "at_least": True} if self.at_least else value
            self.print_json(more)
        else:
            self._print(view())

    def _print(self, shown: RenderableType) -> None:
        if self.out.is_terminal or isinstance(shown, Text):
            self.out.print(shown, soft_wrap=isinstance(shown, Text))
            return
        with self.out.capture() as captured:
            self.out.print(shown)
        # rich pads every line of a table to the longest one, which may have hundreds of columns.
        self.out.file.write(re.sub(" +$", "", captured.get(), flags=re.MULTILINE))
        self.out.file.flush()  # as rich does: before a remark on stderr, or an exit code

    def print_json(self, value: Any) -> None:  # noqa: ANN401  (any JSON value or struct)
        """Prints the one JSON document, in UTF-8 whatever the terminal's encoding."""
        sys.stdout.flush()
        sys.stdout.buffer.write(safe_json(msgspec.json.encode(value)).encode() + b"\n")
        sys.stdout.buffer.flush()

    def note(self, text: str, style: str = "") -> None:
        """Prints a remark on stderr."""
        self.err.print(plain(text, style), soft_wrap=True)

    def note_age(self, as_of: datetime | None) -> None:
        """Prints how old the inventory report is that a result is from, if it is from one."""
        if as_of is not None:
            self.note(
                f"By an inventory report, {age(as_of)} old: what was written since is not in it.",
                "dim",
            )

    def note_nothing(self, what: str, url: str | None) -> None:
        """Prints that a store has nothing of a kind, as where its prefix is misspelt."""
        self.note(f"There is nothing {what} at {url}. If there should be, check the URL.", "yellow")

    def show_done(self, report: Any, view: Callable[[], RenderableType]) -> None:  # noqa: ANN401
        """Prints what was done before the command fails: on stderr, or with its error in JSON."""
        self._done = report
        if not self.as_json:
            self.err.print(view())

    def fail(self, kind: str, text: str, code: Exit, **more: Any) -> None:  # noqa: ANN401
        """Prints why there is no result."""
        text = text.replace(_VIEW, "pass --tenant")
        if self.as_json:
            if self._done is not None:
                more["report"] = self._done
            self.print_json({"error": {"kind": kind, "message": text, "exit": code, **more}})
        else:
            self.err.print(Text.assemble((f"{kind}: ", "bold red"), plain(text)), soft_wrap=True)

    def interrupted(self) -> None:
        """Prints that Ctrl-C has ended the command."""
        text = "Run it again to carry on with what is left."
        if self.as_json:
            self.fail("Interrupted", text, Exit.INTERRUPTED)
        else:
            self.note(f"Interrupted. {text}")

    def sure(self, question: str, *, yes: bool) -> None:
        """Asks before something is removed.

        Raises:
            Stop: The answer was no, or there is no terminal to ask on.
        """
        if yes:
            return
        if self.as_json or not sys.stdin.isatty():
            self.fail(
                "NotSure", f"{question} There is no terminal to ask on: pass --yes.", Exit.USAGE
            )
            raise Stop(Exit.USAGE)
        if not self._confirmed(question):
            self.note("Nothing was done.")
            raise Stop(Exit.DECLINED)

    def _confirmed(self, question: str) -> bool:
        # asyncio's own handler of Ctrl-C would wait for the event loop, which waits for the answer.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return Confirm.ask(plain(question), console=self.err, default=False)
        except EOFError:  # Ctrl-D
            self.note("")
            return False
        except KeyboardInterrupt:
            self.note("")  # the question's line ends here
            raise
        finally:
            signal.signal(signal.SIGINT, before)

    def progress(self, unit: str) -> Progress:
        """A progress bar with rate and time left, on stderr; none if that is not a terminal."""
        name = Column(no_wrap=True, overflow="ellipsis", max_width=_MAX_TASK)
        return Progress(
            TextColumn("{task.description}", markup=False, table_column=name),  # may name a tenant
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn(unit, style="dim"),
            _Rate(),
            TimeRemainingColumn(),
            console=self.err,
            disable=self.as_json or not self.err.is_terminal,
        )


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """What the column shows."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="cyan")


def plain(value: object, style: str = "") -> Text:
    """Text from a bucket made safe for a terminal: no markup, no control characters."""
    return Text(printable(str(value)), style=style)


def safe_json(document: bytes) -> str:
    """JSON in lines, whose strings hold no character that a terminal acts on.

    Such a character is written as JSON's own escape, so that the document means the same.
    """
    text = msgspec.json.format(document, indent=2).decode()
    return "".join(
        char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text
    )


def size(count: int | None) -> str:
    """A number of bytes for people."""
    return "?" if count is None else decimal(count)


def duration(span: timedelta) -> str:
    """A duration for people, in the largest unit of which it has at least two."""
    seconds = int(abs(span).total_seconds())
    for length, unit in _STEPS:
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def age(moment: datetime) -> str:
    """How long ago a time was."""
    span = datetime.now(UTC) - moment
    return duration(span) if span >= timedelta(0) else f"in {duration(span)}"


def expiry(moment: datetime | None) -> str:
    """When something expires."""
    return "never" if moment is None else f"in {duration(moment - datetime.now(UTC))}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

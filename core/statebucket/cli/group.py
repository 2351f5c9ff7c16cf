"""Keeps the promise of ``--json`` where a command does not run: wrong usage, Ctrl-C."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from statebucket.cli.exits import Exit
from statebucket.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

_DASH = (
    "Put two dashes before an argument that begins with a dash, such as a tenant's name: "
    "statebucket snapshots -- -home-ada-app"
)
_USAGE: Any = typer.BadParameter.__mro__[1]  # the base of all errors of usage, wherever it lives


class Group(TyperGroup):
    """The commands; with ``--json``, a usage error is a JSON document."""

    _as_json = False

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Runs the command line."""
        words = sys.argv[1:] if args is None else list(args)
        self._as_json = "--json" in words
        if not self._as_json:
            return super().main(words, **options)
        options["standalone_mode"] = False
        try:
            code = super().main(words, **options)
        except _USAGE as error:
            code = error.exit_code
            Screen(as_json=True).fail("UsageError", error.format_message(), code)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Runs a command; if a letter after one dash is not an option, says what it may be."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # before its work began: it was reading the standard input
            Screen(as_json=self._as_json).interrupted()
            raise typer.Exit(Exit.INTERRUPTED) from None
        except _USAGE as error:
            # Among usage errors, only that for an unknown option has both of these attributes.
            unknown = hasattr(error, "option_name") and hasattr(error, "possibilities")
            if unknown and not error.option_name.startswith("--"):
                error.message += f". {_DASH}"
            raise

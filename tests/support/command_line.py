"""The command line, in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from typer.testing import CliRunner

from statebucket.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable


class Result(NamedTuple):
    code: int
    json: Any
    text: str


def command_line(url: str) -> Callable[..., Result]:
    """Runs a command on the store; ``json`` is the document on stdout, if there is exactly one."""

    def call(*arguments: str, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(
            app, list(arguments), input=stdin, env={"STATEBUCKET_URL": url}, prog_name="statebucket"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        try:
            document = json.loads(result.stdout)
        except ValueError:
            document = None
        return Result(result.exit_code, document, result.output)

    return call

"""The command line's frame: its name, its help, and the options before a command."""

import os
from typing import Annotated

import typer

from statebucket import __version__
from statebucket.cli.exits import HELP
from statebucket.cli.group import Group
from statebucket.cli.options import Url

app = typer.Typer(
    name="statebucket",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # an error prints its message; --json has the rest
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=HELP,
)


def _version(wanted: bool) -> None:  # noqa: FBT001  (typer's)
    if wanted:
        typer.echo(f"statebucket {__version__}")
        raise typer.Exit


@app.callback()
def frame(
    *,
    url: Url = None,
    version: Annotated[  # noqa: ARG001  (its callback has answered)
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Execution state and TTL key-values in object storage: look, check, repair, move.

    [b]statebucket demo[/]                       what it does, on an SQLite file
    [b]statebucket -u s3://bucket/app doctor[/]  is this bucket fit for use?
    [b]statebucket tenants --json[/]             STATEBUCKET_URL names the store
    """
    if url is not None:
        os.environ["STATEBUCKET_URL"] = url  # where the command's own --url looks

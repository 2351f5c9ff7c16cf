"""The arguments and options that commands share."""

# No postponed annotations here or in the commands: typer reads them when it builds the parser.

from typing import Annotated, Any

import typer

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        "-u",
        envvar="STATEBUCKET_URL",
        show_default=False,
        help="The store: s3://bucket/prefix, gs://…, az://…, sqlite:///state.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]


def _tenant(text: str) -> Any:  # noqa: ANN401  (typer's own kind)
    return typer.Option("--tenant", "-t", show_default=False, help=text)


KeysTenant = Annotated[str | None, _tenant("The tenant the key belongs to; by default, none.")]
ItsTenant = Annotated[
    str | None,
    _tenant("The execution's tenant; by default, looked up in its owner record."),
]
ListedTenant = Annotated[
    str | None, _tenant("The tenant; by default, what was set without a tenant.")
]
OnlyTenant = Annotated[str | None, _tenant("Only this tenant; by default, the whole store.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NamedTenant = Annotated[
    str | None,
    typer.Argument(metavar="TENANT", show_default=False, help="The same as --tenant."),
]
WholeTenant = Annotated[str | None, _tenant("The tenant.")]
ExecutionId = Annotated[str, typer.Argument(metavar="EXECUTION", show_default=False)]
Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        show_default=False,
        help="A key; [b]exec:EXECUTION:NAME[/] belongs to that execution.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="Show at most this many.")]
Prefix = Annotated[
    str,
    typer.Option(
        "--prefix", "-p", show_default=False, help="Only names that begin with this text."
    ),
]
After = Annotated[
    str | None,
    typer.Option("--after", show_default=False, help="Only names after this one: the next page."),
]


def one_tenant(argument: str | None, option: str | None) -> str | None:
    """The tenant of a command that takes it as an argument and as --tenant.

    Raises:
        BadParameter: The two differ.
    """
    if None not in {argument, option} and argument != option:
        raise typer.BadParameter(f"TENANT is {argument!r}, --tenant {option!r}: pass one of them")
    return option if argument is None else argument


def required_tenant(command: str, argument: str | None, option: str | None) -> str:
    """As `one_tenant`, for a command that needs one.

    Raises:
        BadParameter: There is none, or the two differ.
    """
    tenant = one_tenant(argument, option)
    if tenant is None:
        raise typer.BadParameter(f"pass the tenant, as in statebucket {command} --tenant acme")
    return tenant

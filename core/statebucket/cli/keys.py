"""Commands on one key: get, set, rm."""

import base64
import sys
from pathlib import Path
from typing import Annotated

import typer

from statebucket.cli.exits import Exit
from statebucket.cli.options import Json, Key, KeysTenant, Url
from statebucket.cli.screen import Screen, Stop, counted, plain
from statebucket.cli.session import on_store
from statebucket.cli.spans import ttl_seconds
from statebucket.contract.state_store import StateStore
from statebucket.errors import printable


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in {"get": get, "set": set_, "rm": rm}.items():
        app.command(name, rich_help_panel="Keys")(command)


def get(key: Key, *, tenant: KeysTenant = None, url: Url = None, as_json: Json = False) -> None:
    """Writes a value to stdout; exit code 1 if there is none.

    Into a pipe or file it goes unchanged; a terminal gets it with control characters escaped.

    [dim]statebucket get exec:exec-1:rows -t acme | jq .[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        stored = await store.get_stored(key)
        if stored is None:
            where = "" if tenant else "; a tenant's keys are found with --tenant"
            text = f"the key {key!r} does not exist, or has expired{where}"
            screen.fail("NotFound", text, Exit.NO)
            raise Stop(Exit.NO)
        if as_json:
            screen.print_json(
                {
                    "key": key,
                    **_text(stored.value),
                    "size": stored.size,
                    "expires_at": stored.expires_at,
                    "version": str(stored.version),
                }
            )
            return
        if sys.stdout.isatty():
            text = stored.value.decode(errors="backslashreplace").removesuffix("\n")
            print("\n".join(map(_safe_line, text.split("\n"))))  # noqa: T201  (the command's output)
        else:
            sys.stdout.buffer.write(stored.value)
            sys.stdout.flush()

    on_store(work, url, as_json=as_json, tenant=tenant)


def set_(
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE", show_default=False, help="Text; by default --file or stdin."
        ),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", exists=True, dir_okay=False, help="Read the value from this file."
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(help="How long it lasts: 90s, 15m, 36h or 7d; by default, forever."),
    ] = None,
    tenant: KeysTenant = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Stores a value, forever or for a TTL.

    [dim]statebucket set greeting hello -t acme --ttl 36h[/]
    [dim]statebucket set exec:exec-1:rows -t acme < rows.json[/]
    """
    if value is not None and file is not None:
        raise typer.BadParameter("pass VALUE or --file, not both")
    lifetime = None if ttl is None else ttl_seconds(ttl)
    if value is not None:
        body = _bytes(value)
    elif file is not None:
        try:
            body = file.read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"cannot read {str(file)!r}: {error.strerror}") from None
    else:
        if sys.stdin.isatty():
            Screen(as_json=as_json).note("Type the value, then press Enter and Ctrl-D.", "dim")
        body = sys.stdin.buffer.read()

    async def work(store: StateStore, screen: Screen) -> None:
        version = await store.set(key, body, lifetime)
        screen.show(
            {"key": key, "size": len(body), "version": str(version)},
            lambda: plain(f"{key}: {counted(len(body), 'byte')}"),
        )

    on_store(work, url, as_json=as_json, tenant=tenant, creates=True)


def rm(key: Key, *, tenant: KeysTenant = None, url: Url = None, as_json: Json = False) -> None:
    """Deletes a key; it is not an error if it does not exist.

    [dim]statebucket rm exec:exec-1:rows -t acme[/]
    """

    async def work(store: StateStore, screen: Screen) -> None:
        existed = await store.delete(key)  # None where the service does not report it
        said = f"{key} did not exist" if existed is False else f"{key} is gone"
        screen.show({"key": key, "deleted": True, "existed": existed}, lambda: plain(said))

    on_store(work, url, as_json=as_json, tenant=tenant)


def _safe_line(line: str) -> str:
    return "\t".join(map(printable, line.split("\t")))


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("VALUE is not UTF-8: pass bytes with --file or on stdin") from None


def _text(value: bytes) -> dict[str, str]:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}

"""From a command to a store and back: opens it, runs the work, turns errors into exit codes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import typer

from statebucket.cli.exits import Exit, exit_of
from statebucket.cli.screen import Screen, Stop
from statebucket.errors import InvalidURL, StateBucketError
from statebucket.registry import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.store import ObjectStateStore

T = TypeVar("T")


def opened(url: str | None) -> ObjectStateStore:
    """The store of a URL, of a kind that outlives a command.

    Raises:
        InvalidURL: There is none, or it is memory://.
    """
    if url is None:
        raise InvalidURL("no store: pass --url or set STATEBUCKET_URL, as in sqlite:///state.db")
    if url.startswith("memory:"):
        raise InvalidURL(
            "memory:// lives and dies with one process, so that a command has nothing to look "
            "at: use sqlite:///state.db"
        )
    return open_store(url)


def on_store(
    work: Callable[[ObjectStateStore, Screen], Awaitable[None]],
    url: str | None,
    *,
    as_json: bool,
    tenant: str | None = None,
) -> None:
    """Runs a command's work on one store, or on one tenant's view of it."""

    async def one(screen: Screen) -> None:
        async with opened(url) as store:
            await work(store if tenant is None else store.tenant(tenant), screen)

    conclude(one, as_json=as_json)


def conclude(work: Callable[[Screen], Awaitable[None]], *, as_json: bool) -> None:
    """Runs a command's work, and ends the command with the exit code it calls for."""
    screen = Screen(as_json=as_json)
    try:
        asyncio.run(_awaited(work(screen)))
    except Stop as stop:
        raise typer.Exit(stop.code) from None
    except StateBucketError as error:
        code = exit_of(error)
        more = {} if error.object_name is None else {"object": error.object_name}
        screen.fail(type(error).__name__, str(error), code, outcome=error.outcome, **more)
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        text = "Running it again goes on with what is left."
        if as_json:
            screen.fail("Interrupted", text, Exit.INTERRUPTED)
        else:
            screen.note(f"Interrupted. {text}")
        raise typer.Exit(Exit.INTERRUPTED) from None


async def _awaited(work: Awaitable[T]) -> T:
    return await work

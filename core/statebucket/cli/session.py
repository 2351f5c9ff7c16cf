"""From a command to a store and back: opens it, runs the work, turns errors into exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from typing import TYPE_CHECKING, TypeVar

import typer

from statebucket.cli.exits import Exit, exit_of
from statebucket.cli.screen import Screen, Stop
from statebucket.errors import (
    AmbiguousExecution,
    InvalidURL,
    StateBucketError,
    shown,
)
from statebucket.opening import open_store
from statebucket.scale.existing import open_existing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.contract.state_store import StateStore

T = TypeVar("T")


def opened(url: str | None, *, creates: bool = False) -> StateStore:
    """Opens the store of a URL, which must outlive the command.

    Args:
        url: The URL.
        creates: Whether to create an SQLite file that does not exist. A command that only reads
            must not: a mistyped name would look like an empty store.

    Raises:
        InvalidURL: There is none, or it is memory://.
        BucketNotFound: There is no such file.
    """
    if url is None:
        raise InvalidURL("no store: pass --url or set STATEBUCKET_URL, as in sqlite:///state.db")
    if url.startswith("memory:"):
        raise InvalidURL(
            "a memory:// store exists only within one process, so a command would find nothing in "
            "it: use sqlite:///state.db"
        )
    return open_store(url) if creates else open_existing(url)


def on_store(
    work: Callable[[StateStore, Screen], Awaitable[None]],
    url: str | None,
    *,
    as_json: bool,
    tenant: str | None = None,
    creates: bool = False,
) -> None:
    """Runs a command's work on one store, or on one tenant's view of it; see `opened`."""

    async def one(screen: Screen) -> None:
        async with opened(url, creates=creates) as store:
            await work(store if tenant is None else store.tenant(tenant), screen)

    conclude(one, as_json=as_json)


def conclude(work: Callable[[Screen], Awaitable[None]], *, as_json: bool) -> None:
    """Runs a command's work, and ends the command with the exit code it calls for."""
    screen = Screen(as_json=as_json)
    try:
        asyncio.run(_awaited(work(screen)))
        sys.stdout.flush()
    except Stop as stop:
        raise typer.Exit(stop.code) from None
    except StateBucketError as error:
        code = exit_of(error)
        more = {} if error.object_name is None else {"object": error.object_name}
        screen.fail(type(error).__name__, _text(error), code, outcome=error.outcome, **more)
        raise typer.Exit(code) from None
    except OSError as error:  # from stdout: those of a store are errors of ours
        if error.errno == errno.EPIPE:
            raise  # the reader has closed the pipe; typer ends the command silently
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or it tries again at exit
        screen.note(f"OSError: the output cannot be written: {error.strerror}")
        raise typer.Exit(Exit.NO) from None
    except KeyboardInterrupt:
        screen.interrupted()
        raise typer.Exit(Exit.INTERRUPTED) from None


def _text(error: StateBucketError) -> str:
    """An error's message, with command-line options in place of a program's calls."""
    text = str(error)
    if isinstance(error, AmbiguousExecution):
        tenants = " and ".join(map(shown, error.tenants))
        text = (
            f"more than one tenant has execution {shown(error.execution_id)}, among them "
            f"{tenants}: pass -t TENANT. A tenant whose snapshot was deleted or has expired still "
            "counts until rm-execution -t TENANT, or sweep, removes its owner record"
        )
    return ". ".join((text, *getattr(error, "__notes__", ())))


async def _awaited(work: Awaitable[T]) -> T:
    # asyncio.run handles Ctrl-C. But signals wake a loop only if it has a signal handler of its
    # own: without one, a Ctrl-C just before the loop sleeps would wait for the next event, for
    # minutes.
    if hasattr(signal, "SIGCONT"):
        with contextlib.suppress(RuntimeError):  # in another thread than the main one
            asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, _nothing)
    return await work


def _nothing() -> None:
    """What a process that continues after Ctrl-C must do."""

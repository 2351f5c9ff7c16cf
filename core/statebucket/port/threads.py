"""Blocking work in a thread, for code that runs in an event loop.

The work runs in a thread of its own, not in the loop's executor: ``asyncio.run`` waits for the
executor at its end, and so for a name service that hangs. Also, an executor accepts no more work
once the interpreter shuts down, and an attempt leaves an executor that ``asyncio.run`` then fails
to end.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """The result of blocking work; if the caller is cancelled, the work ends by itself.

    At the interpreter's exit, when Python 3.12 and later start no thread, the caller does it.

    Args:
        work: What to do.
        name: The thread's name.
    """
    return await asyncio.wrap_future(begun(work, name))


def begun(work: Callable[[], T], name: str) -> Future[T]:
    """Begins blocking work as `in_thread` does; cancelling it before its thread runs prevents it.

    Args:
        work: What to do.
        name: The thread's name.

    Returns:
        Its result to come; at the interpreter's exit it may be there already.
    """
    done: Future[T] = Future()

    def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  (passed on to the caller)
            done.set_exception(error)
        else:
            done.set_result(result)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:
        run()
    return done


class Lookups:
    """The two calls with which an event loop looks up names, each in its own thread.

    An HTTP client accepts it in place of the event loop that it would look up names with.
    """

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> list[Any]:  # noqa: ANN401
        """As `asyncio.loop.getaddrinfo`."""
        return await in_thread(
            partial(socket.getaddrinfo, host, port, **options), "statebucket-dns"
        )

    async def getnameinfo(self, address: Any, flags: int = 0) -> tuple[str, str]:  # noqa: ANN401
        """As `asyncio.loop.getnameinfo`."""
        return await in_thread(partial(socket.getnameinfo, address, flags), "statebucket-dns")

"""Waiting without an event loop: a thread waits by itself, for one connection at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from statebucket_http.waiting import lookup, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from statebucket_http.connection import Connection
    from statebucket_http.pool import Pool
    from statebucket_http.steps import Step
    from statebucket_http.waiting import Address

T = TypeVar("T")


class Blocking:
    """The one way to wait in all threads; see `statebucket_http.waiting.Waits`.

    Args:
        _pool: The unused connections, which nothing watches.
        limit: Seconds after which what does not move has stalled.
    """

    def __init__(self, _pool: Pool, limit: float) -> None:
        self.limit = limit

    def current(self) -> Blocking:
        """This one."""
        return self

    async def run(self, connection: Connection, step: Step, limit: float | None = None) -> None:
        """See `statebucket_http.waiting.Waits.run`."""
        if not step.start():
            wait(connection, step, limit or self.limit)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """See `statebucket_http.waiting.Waits.resolve`; takes as long as the name service does."""
        return lookup(host, port)

    def release(self, connection: Connection) -> None:
        """See `statebucket_http.waiting.Waits.release`."""
        connection.owner = None

    def ended(self) -> bool:
        """Never."""
        return False

    def later(self, function: Callable[[], None]) -> None:
        """Calls it."""
        function()


def finish(call: Coroutine[Any, Any, T]) -> T:
    """Runs a call of a transport that waits like this to its end."""
    try:
        call.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waits for an event loop")

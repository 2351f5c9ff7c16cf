"""The unused connections to one peer, kept for the next requests of the process."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket_http.connection import Connection
    from statebucket_http.waiting import Waits

_SETTLED = 0.1  # seconds after which a loop stops watching an unused connection


class Pool:
    """Unused connections, the most recently used first.

    A connection that an event loop watches is used by that loop only; any caller may use the
    others. There is no lock, which a fork could leave locked: each operation on a list is atomic in
    the interpreter.

    Args:
        most: How many unused connections are kept, for each loop.

    Attributes:
        generation: The generation of the connections that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: list[Connection] = []  # those that no loop watches
        self._watched: dict[Waits, list[Connection]] = {}
        self.generation = 0

    def take(self, waits: Waits) -> Connection | None:
        """An open connection; None if there is none.

        Connections that the peer has closed are not used, nor those that were unused for too long,
        which is all of them after the process was frozen.
        """
        watched = self._watched.get(waits)
        for kept in (watched, self._free):
            while kept:
                try:
                    connection = kept.pop()
                except IndexError:  # another thread was quicker
                    break
                if connection.fresh() and connection.open():
                    connection.unused = False
                    return connection
                connection.close()
        return None

    def put(self, waits: Waits, connection: Connection) -> None:
        """Keeps a connection after its request, unless there is no room or use for it."""
        if connection.generation != self.generation:
            connection.close()
            return
        connection.rest()
        if connection.owner is None:
            kept = self._free
        else:
            kept = self._watched.get(waits) or self._watched.setdefault(waits, [])
        kept.append(connection)
        if connection.generation != self.generation:  # closed by another thread meanwhile
            _close(kept)
            return
        if len(kept) > self._most:
            with suppress(IndexError):  # another thread was quicker
                kept.pop(0).close()
        while self._free:
            try:
                oldest = self._free[0]
                if oldest is connection or oldest.fresh():
                    break
                self._free.remove(oldest)
            except (IndexError, ValueError):  # another thread was quicker
                break
            oldest.close()

    def drop(self, waits: Waits, connection: Connection) -> None:
        """Closes an unused connection that the peer has closed."""
        kept = self._watched.get(waits, [])
        if connection in kept:
            kept.remove(connection)
            connection.close()

    def let_go(self, waits: Waits) -> None:
        """Makes a loop stop watching connections unused for a moment; others may use them."""
        kept = self._watched.get(waits, [])
        now = time.monotonic()
        for connection in [one for one in kept if now - one.unused_since[0] > _SETTLED]:
            kept.remove(connection)
            waits.release(connection)
            self._free.append(connection)

    def adopt(self) -> None:
        """Frees the connections of loops that are closed by now."""
        for waits in list(self._watched):
            if waits.ended():
                for connection in self._watched.pop(waits, []):
                    connection.owner = None
                    self._free.append(connection)

    def close(self, waits: Waits | None) -> None:
        """Closes unused connections now, and those in use after their request.

        Args:
            waits: The way to wait of the caller.
        """
        self.generation += 1
        _close(self._free)
        for owner in list(self._watched):  # a list of pairs could be interrupted while it is made
            kept = self._watched.get(owner, [])
            if owner is waits or owner.ended():
                _close(kept)
            else:
                owner.later(partial(_close, kept))

    def abandon(self) -> None:
        """In a child process, closes its copies of the parent's connections."""
        for kept in (self._free, *self._watched.values()):
            for connection in kept:
                connection.owner = None  # the parent's selector must not be touched
            _close(kept)


def _close(kept: list[Connection]) -> None:
    while kept:
        try:
            connection = kept.pop()
        except IndexError:  # another thread was quicker
            return
        connection.close()

"""What a store has done so far, in numbers."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, Protocol

import msgspec

from statebucket.forks import new_lock

Kind = Literal[
    "calls",
    "requests",
    "retries",
    "throttles",
    "conflicts",
    "expired_reads",
    "bytes_sent",
    "bytes_received",
]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What a store and its views have done since it was opened.

    Attributes:
        calls: Calls of the store's methods.
        requests: Requests that were sent to the service, retries included. A batch delete counts
            as one.
        retries: Those of them that repeated a failed one.
        throttles: Those that the service refused because of their rate.
        conflicts: Calls that lost a race: `VersionConflict` or `StaleSnapshot`.
        expired_reads: Objects that were read and had expired.
        bytes_sent: Bodies sent, retries included.
        bytes_received: Bodies received.
    """

    calls: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0
    conflicts: int = 0
    expired_reads: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Observer(Protocol):
    """Whoever wants to know what one call under way does."""

    def add(self, kind: Kind, amount: int, name: str | None) -> None:
        """Is told what `Counter.add` is told."""
        ...


under_way: ContextVar[Observer | None] = ContextVar("statebucket_call", default=None)
"""The observer of the call under way; tasks that the call starts inherit it."""


class Counter:
    """Counts for one store and its views, from any thread."""

    __slots__ = ("__weakref__", "_counts", "_lock")

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = dict.fromkeys(Kind.__args__, 0)  # type: ignore[attr-defined]
        self._lock = new_lock(self)

    def add(self, kind: Kind, amount: int = 1, name: str | None = None) -> None:
        """Adds to a count.

        Args:
            kind: Which.
            amount: How much.
            name: The object that it is about, where there is one.
        """
        with self._lock:
            self._counts[kind] += amount
        observer = under_way.get()
        if observer is not None:
            observer.add(kind, amount, name)

    def stats(self) -> Stats:
        """The counts so far."""
        with self._lock:
            return Stats(**self._counts)

"""Counts what a store does, and reports it to the observer of the current call."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Protocol

from statebucket.port.forks import new_lock

if TYPE_CHECKING:
    from statebucket.contract.stats import Stats

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


class Observer(Protocol):
    """Observes one call."""

    def add(self, kind: Kind, amount: int, name: str | None) -> None:
        """Receives what `Counter.add` receives."""
        ...


under_way: ContextVar[Observer | None] = ContextVar("statebucket_call", default=None)
"""The observer of the current call; tasks that the call starts inherit it."""


class Counter:
    """Counts for one store and its views, from any thread."""

    __slots__ = ("__weakref__", "_counts", "_lock")

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = dict.fromkeys(Kind.__args__, 0)  # type: ignore[attr-defined]
        self._lock = new_lock(self)

    def renew_lock(self) -> None:
        """See `statebucket.port.forks.LockOwner`."""
        self._lock = threading.Lock()

    def add(self, kind: Kind, amount: int = 1, name: str | None = None) -> None:
        """Adds to a count.

        Args:
            kind: Which count.
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
        from statebucket.contract.stats import Stats  # noqa: PLC0415  (off the cold-start path)

        with self._lock:
            return Stats(**self._counts)

"""Counts what a store does, and reports it to the observer of the current call."""

from __future__ import annotations

from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Literal, Protocol

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
    """Counts for one store and its views, from any thread.

    Each thread has its own counts, so there is no lock. A fork could leave a lock locked, and a
    signal handler would wait forever for one that the interrupted call holds.
    """

    __slots__ = ("_by_thread",)

    def __init__(self) -> None:
        self._by_thread: dict[int, dict[Kind, int]] = {}

    def add(self, kind: Kind, amount: int = 1, name: str | None = None) -> None:
        """Adds to a count.

        Args:
            kind: Which count.
            amount: How much.
            name: The object that it is about, where there is one.
        """
        thread = get_ident()
        counts = self._by_thread.get(thread)
        if counts is None:
            counts = self._by_thread.setdefault(thread, _zeros())
        counts[kind] += amount
        observer = under_way.get()
        if observer is not None:
            observer.add(kind, amount, name)

    def stats(self) -> Stats:
        """The counts so far."""
        from statebucket.contract.stats import Stats  # noqa: PLC0415  (off the cold-start path)

        total = _zeros()
        for counts in list(self._by_thread.values()):
            for kind, count in counts.items():
                total[kind] += count
        return Stats(**total)


def _zeros() -> dict[Kind, int]:
    return dict.fromkeys(Kind.__args__, 0)  # type: ignore[attr-defined]

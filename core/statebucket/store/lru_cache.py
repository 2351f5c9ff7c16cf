"""What a process remembers of the objects it has seen, within bounds."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import Generic, TypeVar

MAX_KNOWN = 10_000

K = TypeVar("K")
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """A dictionary that forgets what was used longest ago. Safe to use from several threads.

    It has no lock, which a fork could leave locked: each step is one of the interpreter's, and what
    another thread has removed between two of them is no loss.
    """

    def __init__(self, size: int = MAX_KNOWN) -> None:
        self._size = size
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        value = self._items.get(key)
        if value is not None:
            self._touch(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keeps a value."""
        self._items[key] = value
        self._touch(key)
        if len(self._items) > self._size:
            with contextlib.suppress(KeyError):
                self._items.popitem(last=False)

    def pop(self, key: K) -> None:
        """Forgets a value."""
        self._items.pop(key, None)

    def _touch(self, key: K) -> None:
        try:  # noqa: SIM105  (in each call of a store: `contextlib.suppress` costs three times that)
            self._items.move_to_end(key)
        except KeyError:
            pass

"""A cache of limited size that drops the least recently used entry."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import Generic, TypeVar

MAX_KNOWN = 10_000

K = TypeVar("K")
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """A least-recently-used cache. Safe to use from several threads.

    It has no lock, which a fork could leave locked: each step is atomic in the interpreter, and an
    entry that another thread has removed between two steps is only a miss.

    Args:
        size: The most entries.
    """

    def __init__(self, size: int = MAX_KNOWN) -> None:
        self._size = size
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Returns the value of a key, which becomes the most recently used, or None."""
        items = self._items
        value = items.get(key)
        if value is not None:
            try:  # noqa: SIM105  (on every call of a store, and `contextlib.suppress` is several times slower)
                items.move_to_end(key)
            except KeyError:
                pass
        return value

    def put(self, key: K, value: V) -> None:
        """Stores a value; over the size, the least recently used entry is dropped."""
        items = self._items
        items[key] = value
        try:  # noqa: SIM105  (as above)
            items.move_to_end(key)
        except KeyError:
            pass
        if len(items) > self._size:
            with contextlib.suppress(KeyError):
                items.popitem(last=False)

    def pop(self, key: K) -> None:
        """Removes a key, if it is there."""
        self._items.pop(key, None)

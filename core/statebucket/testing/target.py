"""What the contract suite needs from an adapter under test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.testing.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from statebucket.contract.state_store import StateStore


class RawObject(msgspec.Struct, frozen=True):
    """An object as the service's own client shows it."""

    body: bytes
    metadata: Mapping[str, str]


class Target(ABC):
    """One place to store objects: a bucket and a prefix that no other test uses.

    An author writes four methods: `open`, `raw_names`, `raw_get` and `raw_put`. The raw ones bypass
    the store and use the service's own client, so that the adapter's reader cannot hide a bug of
    its writer.

    Attributes:
        clock: The clock of the stores that `open` returns.
        prefix: The part of each object name that comes before those of the store, with its closing
            slash; empty if there is none.
        lists_metadata: Whether listings show expiry, so that expired entries are left out; the
            same as the adapter's ``Limits.lists_metadata``.
    """

    prefix: str = ""
    lists_metadata: bool = True

    def __init__(self) -> None:
        self.clock = Clock()

    @abstractmethod
    def open(self, **options: Any) -> StateStore:  # noqa: ANN401  (those of open_store)
        """Opens a store on this place, with this target's clock and any options given.

        A given option takes precedence. The suite calls ``open(clock=None)`` for a store in real
        time, where leases are renewed; ``open(owner_index=False)`` and others are ``open_store``'s.
        """

    @abstractmethod
    def raw_names(self) -> list[str]:
        """The names of all objects of this place, sorted, without `prefix`."""

    @abstractmethod
    def raw_get(self, name: str) -> RawObject | None:
        """An object, by its name without `prefix`."""

    @abstractmethod
    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Stores an object, by its name without `prefix`."""

    def raw_put_many(self, names: Iterable[str], body: bytes = b"v") -> None:
        """Stores an object under each name; override it if there is a faster way."""
        for name in names:
            self.raw_put(name, body)

    def requests(self) -> int | None:
        """How many requests the store has sent since the last call; None if uncounted."""
        return None

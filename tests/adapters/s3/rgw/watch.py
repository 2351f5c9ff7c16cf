"""Inspects buckets repeatedly while their rules remove objects."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

_EVERY_S = 1.0


@dataclass
class Seen:
    """What was seen of a bucket.

    Attributes:
        names: The names of its objects at the last look.
        gone: When each name was first missing, that had been there before.
        looks: The names at each look that differs from the one before.
    """

    names: set[str] = field(default_factory=set)
    gone: dict[str, float] = field(default_factory=dict)
    looks: list[frozenset[str]] = field(default_factory=list)

    def look(self, names: set[str]) -> None:
        """Take down what is there."""
        for name in self.names - names:
            self.gone[name] = time.time()
        for name in names - self.names:
            self.gone.pop(name, None)
        if names != self.names:
            self.looks.append(frozenset(names))
        self.names = names


class Watch:
    """Looks at buckets in a thread, once a second.

    Args:
        client: The service's own client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seen: dict[str, Seen] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def at(self, bucket: str) -> Seen:
        """Look at a bucket from now on.

        Args:
            bucket: The bucket, which holds all that it is going to hold.

        Returns:
            What is seen of it; it changes with each look.
        """
        seen = Seen()
        seen.look(self._names(bucket))
        self._seen[bucket] = seen
        return seen

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            for bucket, seen in list(self._seen.items()):
                seen.look(self._names(bucket))

    def _names(self, bucket: str) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {entry["Key"] for page in pages for entry in page.get("Contents", ())}

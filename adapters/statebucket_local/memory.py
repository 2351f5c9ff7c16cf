"""A bucket in this process's memory, for tests and experiments."""

from __future__ import annotations

import bisect
import itertools
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed
from statebucket.port.bucket import Deletion, Limits, Object, ObjectInfo, Page, PrefixPage, Write
from statebucket.port.forks import new_lock

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of an adapter that has none."""


class MemoryBucket:
    """A dictionary of objects, safe to use from several loops and threads.

    Each call is one step under a lock, without an ``await`` in between.
    """

    name = "memory"
    requires_network = False
    limits = Limits(needs_loop=False)

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}
        self._names: list[str] = []  # in order, so that a listing need not sort
        self._lock = new_lock(self)
        self._writes = itertools.count(1)

    def renew_lock(self) -> None:
        """See `statebucket.port.forks.LockOwner`."""
        self._lock = threading.RLock()

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        with self._lock:
            self._check(write.name, condition)
            version = Version(str(next(self._writes)))
            if write.name not in self._objects:
                bisect.insort(self._names, write.name)
            info = ObjectInfo(
                write.name, version, len(write.body), dict(write.metadata), datetime.now(UTC)
            )
            self._objects[write.name] = Object(info, write.body)
            return version

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        return self._objects.get(name)

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        found = self._objects.get(name)
        return None if found is None else found.info

    async def delete(self, name: str, condition: Version | None = None) -> ObjectInfo | bool:
        """See `statebucket.port.bucket.Bucket.delete`."""
        with self._lock:
            if name not in self._objects:
                return False
            self._check(name, condition)
            del self._names[bisect.bisect_left(self._names, name)]
            return self._objects.pop(name).info

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        return [Deletion(name, await self.delete(name)) for name in names]

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        with self._lock:
            start = _start(self._names, prefix, after or start_after)
            chosen = list(
                itertools.takewhile(
                    lambda name: name.startswith(prefix),
                    itertools.islice(self._names, start, start + limit),
                )
            )
            infos = [self._objects[name].info for name in chosen]
        return Page(infos, chosen[-1] if len(chosen) == limit else None)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        from statebucket.port.beginnings import behind_folder  # noqa: PLC0415  (rarely needed)

        found: list[str] = []
        with self._lock:
            start = None if start_after is None else behind_folder(start_after)
            at = _start(self._names, prefix, after or start)
            while len(found) < limit and at < len(self._names):
                name = self._names[at]
                if not name.startswith(prefix):
                    break
                head, slash, _ = name[len(prefix) :].partition("/")
                if slash:
                    found.append(f"{prefix}{head}/")
                    at = bisect.bisect_left(self._names, behind_folder(found[-1]), at)
                else:
                    at += 1
        return PrefixPage(found, behind_folder(found[-1]) if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        """Does nothing: a dictionary can always be reached."""

    async def close(self) -> None:
        """Keeps the objects: another event loop may use them."""

    def _check(self, name: str, condition: Version | None) -> None:
        if condition is None:
            return
        found = self._objects.get(name)
        if condition == Version.ABSENT:
            if found is not None:
                raise PreconditionFailed("the object exists")
        elif found is None or found.info.version != condition:
            raise PreconditionFailed("the object is at a different version")


def _start(names: list[str], prefix: str, after: str | None) -> int:
    """The index in the sorted names at which the page after ``after`` begins."""
    if after is None:
        return bisect.bisect_left(names, prefix)
    return bisect.bisect_right(names, after)

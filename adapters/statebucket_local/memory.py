"""A bucket in this process's memory, for tests and experiments."""

from __future__ import annotations

import bisect
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed
from statebucket.port.bucket import Deletion, Limits, Object, ObjectInfo, Page, PrefixPage, Write
from statebucket.port.complete_types import complete_at_once

if TYPE_CHECKING:
    from collections.abc import Sequence


@complete_at_once
class NoOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of an adapter that has none."""


class MemoryBucket:
    """A dictionary of objects, safe to use from several loops and threads.

    There is no lock: a signal handler would wait in vain for one that the interrupted call holds,
    and so would another thread that the handler waits for. Instead each write begins a turn, and
    begins again if another has begun one meanwhile. Python lets handlers and other threads run
    after a call, and before it repeats a loop: none runs between a look at the turn and the change
    that follows it, up to the end of the first call in it.
    """

    name = "memory"
    requires_network = False
    limits = Limits(needs_loop=False)

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}
        self._names: list[str] = []  # in order, so that a listing need not sort
        self._writes = itertools.count(1)
        self._turn = object()  # that of the call which began last

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        name, size, metadata = write.name, len(write.body), dict(write.metadata)
        while True:
            turn = self._turn = object()
            self._check(name, condition)
            version = Version(str(next(self._writes)))
            info = ObjectInfo(name, version, size, metadata, datetime.now(UTC))
            written = Object(info, write.body)
            at, new = bisect.bisect_left(self._names, name), name not in self._objects
            if self._turn is turn:
                self._objects[name] = written
                if new:
                    self._names.insert(at, name)
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
        while True:
            turn = self._turn = object()
            found = self._objects.get(name)
            if found is None:
                return False
            self._check(name, condition)
            at = bisect.bisect_left(self._names, name)
            if self._turn is turn:
                del self._objects[name]
                del self._names[at]
                return found.info

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        return [Deletion(name, await self.delete(name)) for name in names]

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        bound = prefix if (behind := after or start_after) is None else behind + "\0"
        names = self._names_from(bound, limit)
        chosen = list(itertools.takewhile(lambda name: name.startswith(prefix), names))
        found = map(self._objects.get, chosen)  # None for one that was deleted meanwhile
        infos = [one.info for one in found if one is not None]
        return Page(infos, chosen[-1] if len(chosen) == limit else None)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        from statebucket.port.beginnings import behind_folder  # noqa: PLC0415  (rarely needed)

        start = after or (None if start_after is None else behind_folder(start_after))
        bound = prefix if start is None else start + "\0"
        found: list[str] = []
        while len(found) < limit:
            names = self._names_from(bound, 1)
            if not names or not names[0].startswith(prefix):
                break
            head, slash, _ = names[0][len(prefix) :].partition("/")
            if slash:
                found.append(f"{prefix}{head}/")
                bound = behind_folder(found[-1])
            else:
                bound = names[0] + "\0"
        return PrefixPage(found, behind_folder(found[-1]) if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        """Does nothing: a dictionary can always be reached."""

    async def close(self) -> None:
        """Keeps the objects: another event loop may use them."""

    def _names_from(self, bound: str, count: int) -> Sequence[str]:
        """So many names in order, from the first that is not before a bound."""
        while True:
            at = bisect.bisect_left(self._names, bound)
            names = self._names[max(at - 1, 0) : at + count]
            before, names = (names[:1], names[1:]) if at else ([], names)
            # Others may have changed the order between the two steps: then the place is wrong.
            if all(name < bound for name in before) and all(name >= bound for name in names[:1]):
                return names

    def _check(self, name: str, condition: Version | None) -> None:
        if condition is None:
            return
        found = self._objects.get(name)
        if condition == Version.ABSENT:
            if found is not None:
                raise PreconditionFailed("the object exists")
        elif found is None or found.info.version != condition:
            raise PreconditionFailed("the object is at a different version")

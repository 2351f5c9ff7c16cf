"""What the three services store alike: containers of objects in order of their names."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count

from sortedcontainers import SortedSet

_END = "\U0010ffff"
_generation = count(1_700_000_000_000_001)

MODIFIED = "2026-11-20T10:00:00.000Z"
"""When everything was written, as XML has it."""

MODIFIED_HTTP = "Fri, 20 Nov 2026 10:00:00 GMT"
"""The same, as headers have it."""


@dataclass(slots=True)
class Entry:
    """An object: its body, and what was said of it."""

    body: bytes
    content_type: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """Headers that are returned as they were given."""
    generation: int = field(default_factory=lambda: next(_generation))

    @property
    def hash_tag(self) -> str:
        """An ETag as S3's: the same for the same body."""
        return f'"{zlib.crc32(self.body):08x}{len(self.body):024x}"'

    @property
    def write_tag(self) -> str:
        """An ETag as Azure's: another for each write."""
        return f'"0x{self.generation:X}"'


@dataclass(slots=True)
class Listed:
    """A page of a listing."""

    names: list[str]
    prefixes: list[str]
    following: str | None


class Container:
    """A bucket or container."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._names: SortedSet[str] = SortedSet()

    def put(self, name: str, entry: Entry) -> None:
        self._names.add(name)
        self.entries[name] = entry

    def put_many(self, names: list[str], entry: Entry) -> None:
        """Stores the same body under many names."""
        self._names.update(names)
        self.entries.update(dict.fromkeys(names, entry))

    def delete(self, name: str) -> bool:
        self._names.discard(name)
        return self.entries.pop(name, None) is not None

    def list(self, prefix: str, after: str, limit: int, delimiter: str) -> Listed:
        """The names below a prefix, from behind ``after`` on."""
        found: list[str] = []
        prefixes: list[str] = []
        last = ""
        start: str | None = max(prefix, after)
        while start is not None:
            names, start = self._names.irange(start), None
            for name in names:
                if name == after:
                    continue
                if not name.startswith(prefix):
                    break
                if len(found) + len(prefixes) == limit:
                    return Listed(found, prefixes, last)
                cut = name.find(delimiter, len(prefix)) if delimiter else -1
                if cut < 0:
                    found.append(name)
                    last = name
                else:
                    prefixes.append(name[: cut + 1])
                    last = start = prefixes[-1] + _END
                    break
        return Listed(found, prefixes, None)


class Storage(defaultdict[str, Container]):
    """The containers, each made when it is first named."""

    def __init__(self) -> None:
        super().__init__(Container)


def ranged(entry: Entry, text: str | None) -> tuple[bytes, str | None]:
    """The part of a body that a range header asks for, and the reply's Content-Range."""
    if not text:
        return entry.body, None
    size = len(entry.body)
    first, _, last = text.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    part = entry.body if (start, end) == (0, size - 1) else entry.body[start : end + 1]
    return part, f"bytes {start}-{end}/{size}"

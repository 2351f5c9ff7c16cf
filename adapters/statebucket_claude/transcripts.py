"""A transcript in an execution's keys: parts that are written once, and packs of them.

``main/p{when}`` is a part of the session's own transcript, ``sub/{subpath}/p{when}`` one of a
subagent's: the entries of one append, as a JSON list. Parts are read in the order of their names.
``…/k{when}`` is a pack: parts by their names, in one object. A part that is in a pack and also
still stored by itself counts once, so packing may stop at any moment, or run twice at the same
time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from statebucket import Version, errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from claude_agent_sdk import SessionStoreEntry

    from statebucket import ExecutionStore, KeyEntry

T = TypeVar("T")
R = TypeVar("R")

MAIN = "main/"
SUB = "sub/"
_PART = "p"
_PACK = "k"
_AT_ONCE = 32  # as many as a store has in flight: more would wait while their deadlines run
_PACK_BYTES = 8 * 1024 * 1024
_LOOKS = 4  # the most listings of a transcript that other processes pack meanwhile

Entries = list["SessionStoreEntry"]


def root_of(subpath: str | None) -> str:
    """How the keys of a transcript begin; without a subpath, those of the session's own."""
    if not subpath:
        return MAIN
    return f"{SUB}{subpath.replace('%', '%25').replace('/', '%2F')}/"


def subpath_of(key: str) -> str:
    """The subpath in a key that begins with `SUB`."""
    escaped = key[len(SUB) :].partition("/")[0]
    return escaped.replace("%2F", "/").replace("%25", "%")


def new_name(last: str) -> str:
    """A name for a part: the current time, but always after the last known name.

    The clocks of two machines differ: a process that has read a transcript must append after what
    is in it.
    """
    now = time.time_ns() // 1000
    if last:
        now = max(now, int(last.partition("-")[0]) + 1)
    return f"{now:017d}-{secrets.token_hex(4)}"


class Transcript(NamedTuple):
    """A transcript, or the end of one.

    Attributes:
        parts: The entries of each part, by its name, in order.
        loose: How many of them are not in a pack.
    """

    parts: dict[str, Entries]
    loose: int


async def append(execution: ExecutionStore, root: str, name: str, body: bytes) -> None:
    """Writes a part: 1 request.

    A name belongs to one part only: if it exists already, an earlier attempt stored this part.
    """
    with suppress(errors.VersionConflict):
        await execution.set(f"{root}{_PART}{name}", body, if_version=Version.ABSENT)


async def read(execution: ExecutionStore, root: str, after: str = "") -> Transcript:
    """A transcript: 1 list per 1,000 parts and packs, and 1 request for each.

    Args:
        execution: The session.
        root: The transcript.
        after: Only parts after this name that are not in packs yet.
    """
    parts: dict[str, Entries] = {}
    loose = 0
    gone: set[str] = set()
    for _ in range(_LOOKS):
        behind = f"{root}{_PART}{after}" if after else None
        keys = [key async for key in execution.iter_keys(prefix=root, after=behind)]
        bodies = await execution.get_many(keys)
        parts = _all_parts(root, bodies)
        loose = sum(key.startswith(root + _PART) for key in keys)
        missing = {key for key, body in bodies.items() if body is None}
        if missing <= gone:  # nothing was removed since the last listing: these have expired
            break
        gone |= missing
    return Transcript(dict(sorted(parts.items())), loose)


def _all_parts(root: str, bodies: dict[str, bytes | None]) -> dict[str, Entries]:
    """The contents of parts and packs; None for one that is gone."""
    parts: dict[str, Entries] = {}
    for key, body in bodies.items():
        name = key[len(root) :]
        if body is None:
            continue
        if name.startswith(_PACK):
            parts.update(cast("dict[str, Entries]", json.loads(body)))
        else:
            parts[name[len(_PART) :]] = cast("Entries", json.loads(body))
    return parts


def entries_of(parts: Iterable[Entries]) -> Entries:
    """The entries of parts in order; one with a ``uuid`` that came before is left out."""
    seen: set[object] = set()
    entries: Entries = []
    for part in parts:
        for entry in part:
            uuid = entry.get("uuid")
            if uuid is not None:
                if uuid in seen:
                    continue
                seen.add(uuid)
            entries.append(entry)
    return entries


async def pack(execution: ExecutionStore, root: str) -> int:
    """Packs a transcript's parts: a list, 1 request a part, and 1 list and 3 requests a pack.

    Returns:
        How many parts were packed.
    """
    loose = [entry async for entry in execution.scan_keys(prefix=f"{root}{_PART}")]
    packed = 0
    for group in _groups(loose):
        keys = [entry.key for entry in group]
        parts = _all_parts(root, await execution.get_many(keys))
        if not parts:
            continue
        key = f"{root}{_PACK}{max(parts)}-{secrets.token_hex(4)}"
        await execution.set(key, json.dumps(parts).encode(), if_version=Version.ABSENT)
        # The session may have been deleted meanwhile, or packed by another process; then this pack
        # is not wanted. It is kept only if its parts still exist, and only then are they removed.
        there = {part async for part in execution.iter_keys(prefix=f"{root}{_PART}")}
        if there.isdisjoint(keys):
            await execution.delete(key)
            continue
        await execution.delete_many(keys)
        packed += len(parts)
    return packed


def _groups(loose: Sequence[KeyEntry]) -> Iterable[list[KeyEntry]]:
    """Groups of parts, one for each pack, in order; a pack of fewer than two would save nothing."""
    group: list[KeyEntry] = []
    size = 0
    for entry in loose:
        if group and size + entry.size > _PACK_BYTES:
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(entry)
        size += entry.size
    if len(group) > 1:
        yield group


async def each(items: Iterable[T], call: Callable[[T], Awaitable[R]]) -> list[R]:
    """The results of a call for each item, in order, with some calls at the same time."""
    results: list[R] = []
    rest = iter(items)
    while some := tuple(islice(rest, _AT_ONCE)):
        results += await asyncio.gather(*map(call, some))
    return results

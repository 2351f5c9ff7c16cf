"""A transcript in an execution's keys: parts that are written once, and packs of them.

``main/p{when}`` is a part of the session's own transcript, ``sub/{subpath}/p{when}`` one of a
subagent's: the entries of one append, as a JSON list. Parts are read in the order of their names.
``…/k{when}`` is a pack: parts by their names, in one object. A part that is in a pack and still
there on its own counts once, so that packing may end at any moment, or happen twice at a time.
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
_AT_ONCE = 32  # as many requests as a store has in flight: more would wait on their deadlines
_PACK_BYTES = 8 * 1024 * 1024
_LOOKS = 4  # at a transcript that others pack meanwhile

Entries = list["SessionStoreEntry"]


def root_of(subpath: str | None) -> str:
    """What the keys of a transcript begin with; of the session's own where there is no subpath."""
    if not subpath:
        return MAIN
    return f"{SUB}{subpath.replace('%', '%25').replace('/', '%2F')}/"


def subpath_of(key: str) -> str:
    """The subpath of a key that begins with `SUB`."""
    escaped = key[len(SUB) :].partition("/")[0]
    return escaped.replace("%2F", "/").replace("%25", "%")


def new_name(last: str) -> str:
    """A name for a part: that of now, but behind another name in any case.

    The clocks of two machines differ. Whoever has read a transcript appends behind what is in it.
    """
    now = time.time_ns() // 1000
    if last:
        now = max(now, int(last.partition("-")[0]) + 1)
    return f"{now:017d}-{secrets.token_hex(4)}"


class Transcript(NamedTuple):
    """A transcript, or the end of one.

    Attributes:
        parts: The entries of each part, by its name, in order.
        loose: How many of them are in no pack.
    """

    parts: dict[str, Entries]
    loose: int


async def append(execution: ExecutionStore, root: str, name: str, body: bytes) -> None:
    """Writes a part: 1 request.

    A name is of one part alone, so that the part is there if this was tried before.
    """
    with suppress(errors.VersionConflict):
        await execution.set(f"{root}{_PART}{name}", body, if_version=Version.ABSENT)


async def read(execution: ExecutionStore, root: str, after: str = "") -> Transcript:
    """A transcript: 1 list per 1,000 parts and packs, and 1 request for each.

    Args:
        execution: The session.
        root: The transcript.
        after: Only parts behind this name, and not those that are in packs by now.
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
        if missing <= gone:  # nothing has gone since the last look: what is missing has expired
            break
        gone |= missing
    return Transcript(dict(sorted(parts.items())), loose)


def _all_parts(root: str, bodies: dict[str, bytes | None]) -> dict[str, Entries]:
    """What is in parts and packs; None is one that is gone."""
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
    """The entries of parts in order; one whose ``uuid`` came before is that entry again."""
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
        How many parts are in packs that were not before.
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
        # The session may have been deleted meanwhile, or packed by another: then this pack is not
        # wanted. Whoever still finds parts here keeps its pack, and only then are they removed.
        there = {part async for part in execution.iter_keys(prefix=f"{root}{_PART}")}
        if there.isdisjoint(keys):
            await execution.delete(key)
            continue
        await execution.delete_many(keys)
        packed += len(parts)
    return packed


def _groups(loose: Sequence[KeyEntry]) -> Iterable[list[KeyEntry]]:
    """Parts that go into a pack each, in order: two at least, or it would save nothing."""
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
    """What a call returns for each item, some at a time, in order."""
    results: list[R] = []
    rest = iter(items)
    while some := tuple(islice(rest, _AT_ONCE)):
        results += await asyncio.gather(*map(call, some))
    return results

"""Deleting threads, runs and earlier checkpoints, and copying a thread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from statebucket_langgraph import delta, names, reading
from statebucket_langgraph.memory import Head
from statebucket_langgraph.records import decode_checkpoint
from statebucket_langgraph.requests import ask, ask_all, request

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from langgraph.checkpoint.serde.base import SerializerProtocol

    from statebucket import KeyEntry
    from statebucket_langgraph.memory import Memory
    from statebucket_langgraph.records import CheckpointRecord
    from statebucket_langgraph.requests import Steps

_COPIES = 16
"""The most objects of a thread that are copied at once."""

_ORPHANED = timedelta(hours=1)
"""The age at which writes without a stored checkpoint are deleted.

LangGraph saves what tasks write before the checkpoint itself is saved, or at the same time.
"""


def delete_thread(memory: Memory, thread: str) -> Steps[None]:
    """Deletes all of a thread."""
    yield from ask(thread, "delete")
    memory.forget(thread)


def delete_runs(
    memory: Memory, thread: str, run_ids: Collection[str], ttl: timedelta | float | None
) -> Steps[None]:
    """Deletes the checkpoints of a thread that these runs saved, and the writes on them.

    Heads are replaced last, so that after an interruption another call finds the rest.
    """
    runs = {names.part(run) for run in run_ids}
    found = names.read((yield from ask(thread, "iter_keys")))
    earlier = [name for name in found if name.kind == names.CHECKPOINT]
    heads = [name.key for name in found if name.kind == names.HEAD]
    stored = yield from ask_all([request(thread, "get_stored", key) for key in heads])
    doomed_heads = [
        head
        for head in map(reading.head_of, stored)
        if head.record is not None and names.part(head.record.run) in runs
    ]
    gone = {_place(head) for head in doomed_heads}
    gone |= {(name.namespace, name.checkpoint_id) for name in earlier if name.last in runs}
    doomed = [name.key for name in found if (name.namespace, name.checkpoint_id) in gone]
    if doomed:
        yield from ask(thread, "delete_many", doomed)
    for head in doomed_heads:
        namespace = _place(head)[0]
        left = [
            name
            for name in earlier
            if name.namespace == namespace and (namespace, name.checkpoint_id) not in gone
        ]
        yield from _replace_head(memory, thread, head, left, ttl)


def _place(head: Head) -> tuple[str, str]:
    record = head.record
    return ("", "") if record is None else (names.part(record.namespace), record.id)


def _replace_head(
    memory: Memory,
    thread: str,
    head: Head,
    left: Sequence[names.Name],
    ttl: timedelta | float | None,
) -> Steps[None]:
    """Makes the newest remaining checkpoint the head; deletes the head if none is left."""
    key = f"{names.HEAD}/{_place(head)[0]}"
    body = None
    if left:
        newest = max(left, key=lambda name: name.checkpoint_id)
        body = yield from ask(thread, "get", newest.key)
    if body is None:
        yield from ask(thread, "delete", key, if_version=head.version)
        memory.forget(thread)
    else:
        version = yield from ask(thread, "set", key, body, ttl, if_version=head.version)
        record = decode_checkpoint(body)
        memory.note(thread, record.namespace, Head(version, record))


def copy_thread(
    memory: Memory, source: str, target: str, ttl: timedelta | float | None
) -> Steps[None]:
    """Copies all of a thread to another, its heads last, as they were when the copy began."""
    heads = yield from ask(source, "iter_keys", prefix=f"{names.HEAD}/")
    bodies = yield from ask_all([request(source, "get", key) for key in heads])
    keys: list[str] = []
    for kind in (names.CHECKPOINT, names.WRITES):
        keys += yield from ask(source, "iter_keys", prefix=f"{kind}/")
    for start in range(0, len(keys), _COPIES):
        some = keys[start : start + _COPIES]
        copied = yield from ask_all([request(source, "get", key) for key in some])
        yield from _set_all(target, some, copied, ttl)
    yield from _set_all(target, heads, bodies, ttl)
    memory.forget(target)


def _set_all(
    thread: str, keys: Sequence[str], bodies: Sequence[bytes | None], ttl: timedelta | float | None
) -> Steps[None]:
    pairs = zip(keys, bodies, strict=True)
    yield from ask_all(
        [request(thread, "set", key, body, ttl) for key, body in pairs if body is not None]
    )


def prune(memory: Memory, thread: str, strategy: str, serde: SerializerProtocol) -> Steps[None]:
    """Deletes a thread's earlier checkpoints, or all of it.

    The listing comes before the heads are read, so it contains nothing that a run saves meanwhile:
    that becomes a head first.
    """
    if strategy == "delete":
        yield from delete_thread(memory, thread)
        return
    entries: list[KeyEntry] = yield from ask(thread, "scan_keys")
    found = names.read(entry.key for entry in entries)
    old = datetime.now(UTC) - _ORPHANED
    orphans = {entry.key for entry in entries if entry.modified_at and entry.modified_at < old}
    kept = yield from _kept(thread, found, serde)
    stored = {
        (name.namespace, name.checkpoint_id) for name in found if name.kind == names.CHECKPOINT
    }
    doomed: list[str] = []
    for name in found:
        place = (name.namespace, name.checkpoint_id)
        if name.kind == names.HEAD or place in kept:
            continue
        # The checkpoint that a run is about to save is not stored yet.
        if place in stored or name.key in orphans:
            doomed.append(name.key)
    if doomed:
        yield from ask(thread, "delete_many", doomed)


def _kept(
    thread: str, found: Sequence[names.Name], serde: SerializerProtocol
) -> Steps[set[tuple[str, str]]]:
    """The checkpoints that stay: each head, and those from which its delta channels are rebuilt."""
    keys = [name.key for name in found if name.kind == names.HEAD]
    bodies = yield from ask_all([request(thread, "get", key) for key in keys])
    heads: list[CheckpointRecord] = [decode_checkpoint(body) for body in bodies if body is not None]
    kept: set[tuple[str, str]] = set()
    for head in heads:
        namespace = names.part(head.namespace)
        kept.add((namespace, head.id))
        chain = yield from delta.needed(serde, thread, head)
        kept |= {(namespace, one) for one in chain}
    return kept

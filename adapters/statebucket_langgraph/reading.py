"""Reading a thread: its newest checkpoint, one of its others, and all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from statebucket_langgraph import names
from statebucket_langgraph.memory import NO_HEAD, Head
from statebucket_langgraph.records import decode_checkpoint, decode_writes
from statebucket_langgraph.requests import ask, ask_all, get_all, request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from statebucket import Stored
    from statebucket_langgraph.records import CheckpointRecord, WritesRecord
    from statebucket_langgraph.requests import Steps


class Reference(NamedTuple):
    """A checkpoint of a thread, and where it is stored.

    Attributes:
        thread: The thread.
        id: The checkpoint's id.
        key: Its key; None if ``record`` is set.
        record: The checkpoint itself, if it was read already, as a head was.
        writes: The keys of the writes of tasks on it.
    """

    thread: str
    id: str
    key: str | None
    record: CheckpointRecord | None
    writes: tuple[str, ...]


def read_head(thread: str, namespace: str) -> Steps[Head]:
    """The newest checkpoint: 1 request."""
    stored = yield from ask(thread, "get_stored", names.head_key(namespace))
    return head_of(stored)


def head_of(stored: Stored[bytes] | None) -> Head:
    """A head from its stored value."""
    return NO_HEAD if stored is None else Head(stored.version, decode_checkpoint(stored.value))


def read_earlier(thread: str, namespace: str, checkpoint_id: str) -> Steps[CheckpointRecord | None]:
    """A checkpoint that is not the newest: 2 requests, 1 of them lists; 1 if there is none."""
    prefix = names.checkpoints_prefix(namespace, checkpoint_id)
    for key in (yield from ask(thread, "iter_keys", prefix=prefix, limit=1)):
        body = yield from ask(thread, "get", key)
        return None if body is None else decode_checkpoint(body)
    return None


def read_writes(thread: str, namespace: str, checkpoint_id: str) -> Steps[list[WritesRecord]]:
    """The writes of tasks on a checkpoint: 1 request, and 1 for each task, these at once."""
    prefix = names.writes_prefix(namespace, checkpoint_id)
    keys = yield from ask(thread, "iter_keys", prefix=prefix)
    bodies = yield from get_all((thread, key) for key in keys)
    return [decode_writes(body) for body in bodies.values() if body is not None]


def list_checkpoints(
    thread: str, namespace: str | None, checkpoint_id: str | None = None
) -> Steps[list[Reference]]:
    """A thread's checkpoints, the newest first of each namespace.

    1 request for the head and 2 or more that list, 1 per 1,000 objects; for all namespaces, 1 more
    list and 1 request for each namespace's head.

    Args:
        thread: The thread.
        namespace: Only this namespace; None for all, one after the other.
        checkpoint_id: Only this one.
    """
    if namespace is None:
        heads = yield from ask(thread, "iter_keys", prefix=f"{names.HEAD}/")
        prefixes = [f"{names.CHECKPOINT}/", f"{names.WRITES}/"]
    else:
        heads = [names.head_key(namespace)]
        prefixes = [
            names.checkpoints_prefix(namespace, checkpoint_id),
            names.writes_prefix(namespace, checkpoint_id),
        ]
    # Read before the listing: a head that becomes an earlier checkpoint meanwhile is then found
    # twice, and not missed.
    bodies = yield from get_all((thread, key) for key in heads)
    listed = yield from ask_all(
        [request(thread, "iter_keys", prefix=prefix) for prefix in prefixes]
    )
    return _in_order(
        thread,
        [name for keys in listed for name in names.read(keys)],
        [decode_checkpoint(body) for body in bodies.values() if body is not None],
        checkpoint_id,
    )


def _in_order(
    thread: str,
    found: Sequence[names.Name],
    heads: Iterable[CheckpointRecord],
    checkpoint_id: str | None,
) -> list[Reference]:
    newest = {names.part(record.namespace): record for record in heads}
    writes: dict[tuple[str, str], list[str]] = {}
    places: dict[str, dict[str, str | None]] = {
        namespace: {record.id: None} for namespace, record in newest.items()
    }
    for name in found:
        if name.kind == names.WRITES:
            writes.setdefault((name.namespace, name.checkpoint_id), []).append(name.key)
        elif name.kind == names.CHECKPOINT:
            places.setdefault(name.namespace, {}).setdefault(name.checkpoint_id, name.key)
    return [
        Reference(
            thread,
            one,
            places[namespace][one],
            newest[namespace] if places[namespace][one] is None else None,
            tuple(writes.get((namespace, one), ())),
        )
        for namespace in sorted(places)
        # The head is the newest, whatever the clocks said that made the ids.
        for one in sorted(
            places[namespace], key=lambda id_: (places[namespace][id_] is None, id_), reverse=True
        )
        if checkpoint_id is None or one == checkpoint_id
    ]


def load(references: Sequence[Reference]) -> Steps[list[CheckpointRecord | None]]:
    """The checkpoints of these references: 1 request for each that is not a head, many at once."""
    bodies = yield from get_all((one.thread, one.key) for one in references if one.key is not None)
    loaded: list[CheckpointRecord | None] = []
    for one in references:
        body = None if one.key is None else bodies[one.thread, one.key]
        loaded.append(one.record if body is None else decode_checkpoint(body))
    return loaded


def load_writes(references: Sequence[Reference]) -> Steps[list[list[WritesRecord]]]:
    """The writes on these: 1 request for each task's, many at once."""
    bodies = yield from get_all((one.thread, key) for one in references for key in one.writes)
    return [
        [decode_writes(body) for key in one.writes if (body := bodies[one.thread, key]) is not None]
        for one in references
    ]

"""The stored form of a checkpoint and of a task's writes, and their form in LangGraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.base import writes_sort_key as sort_key

from statebucket.errors import CorruptObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

Typed = tuple[str, bytes]
"""A serialized value: the kind of its bytes, and the bytes."""


class CheckpointRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored checkpoint.

    Attributes:
        id: Its id.
        namespace: Its namespace.
        checkpoint: The checkpoint, serialized.
        metadata: Its metadata, serialized.
        parent: The id of the checkpoint that it continues; None for a root.
        run: The ``run_id`` of its metadata; empty if there is none.
        format: The version of this layout.
    """

    id: str
    namespace: str
    checkpoint: Typed
    metadata: Typed
    parent: str | None = None
    run: str = ""
    format: int = 1


class Write(msgspec.Struct, frozen=True, array_like=True):
    """One write of a task: its index, its channel, its value and the task's path."""

    index: int
    channel: str
    value: Typed
    path: str


class WritesRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stored writes of a task on a checkpoint."""

    task: str
    writes: tuple[Write, ...]
    format: int = 1


_encode = msgspec.msgpack.Encoder().encode
_decode_checkpoint = msgspec.msgpack.Decoder(CheckpointRecord).decode
_decode_writes = msgspec.msgpack.Decoder(WritesRecord).decode


def encode(record: CheckpointRecord | WritesRecord) -> bytes:
    """The body of an object."""
    return _encode(record)


def decode_checkpoint(body: bytes) -> CheckpointRecord:
    """Parses a checkpoint from an object's body.

    Raises:
        CorruptObject: The body is not that of a checkpoint.
    """
    try:
        return _decode_checkpoint(body)
    except msgspec.DecodeError as error:
        raise CorruptObject(f"an object of a thread is not a checkpoint: {error}") from error


def decode_writes(body: bytes) -> WritesRecord:
    """Parses a task's writes from an object's body.

    Raises:
        CorruptObject: The body is not that of a task's writes.
    """
    try:
        return _decode_writes(body)
    except msgspec.DecodeError as error:
        raise CorruptObject(f"an object of a thread is not a task's writes: {error}") from error


def make_checkpoint(
    serde: SerializerProtocol,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
) -> CheckpointRecord:
    """Serializes a checkpoint that ``put`` was called with."""
    place = config["configurable"]
    whole = get_checkpoint_metadata(config, metadata)
    return CheckpointRecord(
        checkpoint["id"],
        place.get("checkpoint_ns") or "",
        serde.dumps_typed(checkpoint),
        serde.dumps_typed(whole),
        place.get("checkpoint_id") or None,
        str(whole.get("run_id") or ""),
    )


def load_metadata(serde: SerializerProtocol, record: CheckpointRecord) -> CheckpointMetadata:
    """The metadata of a checkpoint."""
    return cast("CheckpointMetadata", serde.loads_typed(record.metadata))


def load_checkpoint(serde: SerializerProtocol, record: CheckpointRecord) -> Checkpoint:
    """The checkpoint itself."""
    return cast("Checkpoint", serde.loads_typed(record.checkpoint))


def make_writes(
    serde: SerializerProtocol, writes: Sequence[tuple[str, Any]], path: str
) -> dict[int, Write]:
    """Serializes the writes that ``put_writes`` was called with, by their index."""
    made: dict[int, Write] = {}
    for place, (channel, value) in enumerate(writes):
        index = WRITES_IDX_MAP.get(channel, place)
        made[index] = Write(index, channel, serde.dumps_typed(value), path)
    return made


def merge_writes(stored: Iterable[Write], new: dict[int, Write]) -> dict[int, Write]:
    """A task's writes after another call: special channels are replaced, others keep the first."""
    merged = {write.index: write for write in stored}
    return merged | {index: new[index] for index in new if index < 0 or index not in merged}


def load_writes(serde: SerializerProtocol, records: Iterable[WritesRecord]) -> list[PendingWrite]:
    """The pending writes of a checkpoint, in the order in which a run applies them."""
    found = [(record.task, write) for record in records for write in record.writes]
    found.sort(key=lambda one: sort_key(one[1].path, one[0], one[1].index))
    return [(task, write.channel, serde.loads_typed(write.value)) for task, write in found]


def place_of(thread: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    """The config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def make_tuple(
    serde: SerializerProtocol,
    thread: str,
    record: CheckpointRecord,
    writes: Iterable[WritesRecord],
) -> CheckpointTuple:
    """A checkpoint in the form that LangGraph takes."""
    return CheckpointTuple(
        place_of(thread, record.namespace, record.id),
        load_checkpoint(serde, record),
        load_metadata(serde, record),
        place_of(str(thread), record.namespace, record.parent) if record.parent else None,
        load_writes(serde, writes),
    )

"""What rebuilds a `DeltaChannel`: its writes on a checkpoint's ancestors, and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket_langgraph import reading
from statebucket_langgraph.records import load_checkpoint, load_metadata, load_writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from statebucket_langgraph.arguments import Place
    from statebucket_langgraph.reading import Reference
    from statebucket_langgraph.records import CheckpointRecord
    from statebucket_langgraph.requests import Steps


def history(
    serde: SerializerProtocol, place: Place, channels: Sequence[str]
) -> Steps[dict[str, DeltaChannelHistory]]:
    """For each channel its writes on the ancestors, oldest first, up to the nearest stored value.

    That value is the channel's ``seed``. Writes on the checkpoint itself are pending, and not part
    of it.

    Args:
        serde: Deserializes values.
        place: The checkpoint.
        channels: The channels.
    """
    found: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
    if not channels:
        return found
    listed = yield from reading.list_checkpoints(place.thread, place.namespace)
    known = {reference.id: reference for reference in listed}
    newest = listed[0].id if listed else ""
    parent = yield from _parent(known.get(place.checkpoint_id or newest))
    remaining = set(channels)
    while remaining and (reference := known.get(parent or "")) is not None:
        (record,) = yield from reading.load([reference])
        if record is None:
            break
        (written,) = yield from reading.load_writes([reference])
        writes = load_writes(serde, written)
        for channel in remaining:
            found[channel]["writes"][:0] = _of(channel, writes)
        values = load_checkpoint(serde, record)["channel_values"]
        for channel in remaining & values.keys():
            found[channel]["seed"] = values[channel]
        remaining -= values.keys()
        parent = record.parent
    return found


def _of(channel: str, writes: Sequence[PendingWrite]) -> list[PendingWrite]:
    return [write for write in writes if write[1] == channel]


def _parent(reference: Reference | None) -> Steps[str | None]:
    if reference is None:
        return None
    (record,) = yield from reading.load([reference])
    return None if record is None else record.parent


def needed(serde: SerializerProtocol, thread: str, head: CheckpointRecord) -> Steps[set[str]]:
    """The ids of the ancestors from which the delta channels of a thread's head are rebuilt.

    2 requests for each; none for a graph without such channels.
    """
    counters = load_metadata(serde, head).get("counters_since_delta_snapshot") or {}
    if not counters:
        return set()
    remaining = set(counters) - load_checkpoint(serde, head)["channel_values"].keys()
    chain: set[str] = set()
    parent = head.parent
    while remaining and parent is not None:
        record = yield from reading.read_earlier(thread, head.namespace, parent)
        if record is None:
            break
        chain.add(parent)
        remaining -= load_checkpoint(serde, record)["channel_values"].keys()
        parent = record.parent
    return chain

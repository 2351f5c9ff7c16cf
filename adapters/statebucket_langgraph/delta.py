"""What rebuilds a `DeltaChannel`: its writes on a checkpoint's ancestors, and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from statebucket.errors import CorruptObject
from statebucket_langgraph import reading
from statebucket_langgraph.records import load_checkpoint, load_metadata, load_writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.base import ChannelVersions, DeltaChannelHistory, PendingWrite
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from statebucket_langgraph.arguments import Place
    from statebucket_langgraph.reading import Reference
    from statebucket_langgraph.records import CheckpointRecord, WritesRecord
    from statebucket_langgraph.requests import Steps

_AT_ONCE = 16
"""The most ancestors that are loaded at once."""


class _Ancestor(NamedTuple):
    """A checkpoint on the way back from one that is rebuilt.

    Attributes:
        parent: The id of the checkpoint that it continues; None for a root.
        versions: The version of each channel in it.
        values: The channels' values that are stored in it.
        writes: The writes on it.
    """

    parent: str | None
    versions: ChannelVersions
    values: dict[str, Any]
    writes: Sequence[PendingWrite]


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
    order = {reference.id: index for index, reference in enumerate(listed)}
    target = [one._replace(writes=()) for one in listed if place.checkpoint_id in {None, one.id}]
    loaded = yield from _load(target[:1])
    path = [_decoded(serde, *one) for one in loaded.values()]
    remaining = set(channels)
    at_once = 1
    while path and remaining and (parent := path[-1].parent) in order:
        if parent not in loaded:
            # Ancestors are mostly listed one after the other: more are loaded with this one.
            ahead = listed[order[parent] :][:at_once]
            try:
                loaded = yield from _load(ahead)
                at_once = min(2 * at_once, _AT_ONCE)
            except CorruptObject:  # maybe one that is not needed
                loaded = yield from _load(ahead[:1])
                at_once = 1
        if parent not in loaded:
            break
        ancestor = _decoded(serde, *loaded[parent])  # only now: those too many may not be readable
        values = ancestor.values
        path.append(ancestor._replace(values={}))
        for channel in remaining & values.keys():
            version = path[-1].versions.get(channel)
            writes = _writes(path, channel, version)
            found[channel] = {"writes": writes, "seed": values[channel]}
        remaining -= values.keys()
    for channel in remaining:
        found[channel] = {"writes": _writes(path, channel)}
    return found


def _writes(
    path: Sequence[_Ancestor], channel: str, version: str | float | None = None
) -> list[PendingWrite]:
    """The writes to a channel on a way back, oldest first.

    Args:
        path: The checkpoint and its ancestors.
        channel: The channel.
        version: The version of the value that is stored in the last of them. As in LangGraph's own
            savers, a checkpoint with this version has this value, whatever another branch has
            written since on those before it.
    """
    writes: list[PendingWrite] = []
    for one in path:
        writes[:0] = [write for write in one.writes if write[1] == channel]
        if version is not None and one.versions.get(channel) == version:
            break
    return writes


def _load(
    references: Sequence[Reference],
) -> Steps[dict[str, tuple[CheckpointRecord, Sequence[WritesRecord]]]]:
    """Loads checkpoints and the writes on them, many at once; without those that are gone."""
    records = yield from reading.load(references)
    written = yield from reading.load_writes(references)
    return {
        record.id: (record, writes)
        for record, writes in zip(records, written, strict=True)
        if record is not None
    }


def _decoded(
    serde: SerializerProtocol, record: CheckpointRecord, writes: Sequence[WritesRecord]
) -> _Ancestor:
    checkpoint = load_checkpoint(serde, record)
    return _Ancestor(
        record.parent,
        checkpoint["channel_versions"],
        checkpoint["channel_values"],
        load_writes(serde, writes),
    )


def needed(serde: SerializerProtocol, thread: str, head: CheckpointRecord) -> Steps[set[str]]:
    """The ids of the ancestors from which the delta channels of a thread's head are rebuilt.

    2 requests for each; none for a graph without such channels.
    """
    counters = load_metadata(serde, head).get("counters_since_delta_snapshot") or {}
    if not counters:
        return set()
    newest = load_checkpoint(serde, head)
    # LangGraph also counts the steps of channels that were never written and have no version.
    written = set(counters) & newest["channel_versions"].keys()
    remaining = written - newest["channel_values"].keys()
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

"""The base of both savers: each call as a series of requests, without the way to wait for them."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from statebucket.errors import UnsupportedOperation
from statebucket.given import check_flags, duration
from statebucket_langgraph import names, reading, records
from statebucket_langgraph.arguments import (
    check_saved,
    check_serde,
    check_writes,
    checkpoint_in,
    namespace_in,
    place_in,
    thread_of,
)
from statebucket_langgraph.memory import Memory, ReadThread
from statebucket_langgraph.putting import Put, put_writes
from statebucket_langgraph.removal import copy_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from statebucket_langgraph.reading import Reference
    from statebucket_langgraph.requests import Steps

TENANT = "langgraph"
"""The tenant of a saver whose store is not bound to one."""

BATCH = 16
"""The most checkpoints that a listing loads at once."""

_chance = SystemRandom()  # neither a fork nor a program's random.seed repeats what it gives


class Saver(BaseCheckpointSaver[str]):
    """The calls that both savers have.

    Args:
        ttl: How long a checkpoint and its writes can be read after it was saved.
        history: Whether earlier checkpoints are kept.
        serde: Serializes values; LangGraph's own by default.
    """

    def __init__(
        self,
        *,
        ttl: timedelta | float | None = None,
        history: bool = True,
        serde: SerializerProtocol | None = None,
    ) -> None:
        check_serde(serde)
        check_flags(history=history)
        super().__init__(serde=serde)
        self._ttl = None if ttl is None else duration(ttl, "ttl")
        self._history = history
        self._memory = Memory()

    def get_next_version(self, current: str | int | None, channel: None) -> str:  # noqa: ARG002
        """The next version of a channel: greater than this one, and unique to the run."""
        before = 0 if current is None else int(str(current).split(".", 1)[0])
        return f"{before + 1:032}.{_chance.random():016}"

    def _get_tuple(self, config: RunnableConfig) -> Steps[CheckpointTuple | None]:
        thread, namespace, wanted = place_in(config)
        head = yield from reading.read_head(thread, namespace)
        self._memory.note(thread, namespace, head)
        found, forks_from = head.record, None
        if wanted is None:
            if found is None:
                self._memory.note_start(thread, namespace)
        elif found is None or found.id != wanted:
            found = yield from reading.read_earlier(thread, namespace, wanted)
            forks_from = wanted
        if found is None:
            return None
        writes = yield from reading.read_writes(thread, namespace, found.id)
        return records.make_tuple(self.serde, ReadThread(thread, forks_from), found, writes)

    def _put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> Steps[RunnableConfig]:
        check_saved(checkpoint, metadata)
        if not self._history and metadata.get("counters_since_delta_snapshot"):
            raise UnsupportedOperation(
                "the graph has a DeltaChannel, which is rebuilt from earlier checkpoints: its "
                "saver needs history=True"
            )
        thread, namespace, _ = place_in(config)
        new = records.make_checkpoint(self.serde, config, checkpoint, metadata)
        put = Put(
            self._memory,
            thread,
            new,
            copy=metadata.get("source") == "fork",
            ttl=self._ttl,
            history=self._history,
        )
        yield from put.steps()
        return records.place_of(str(thread), namespace, new.id)

    def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, path: str
    ) -> Steps[None]:
        thread, namespace, checkpoint_id = place_in(config)
        check_writes(writes, task_id, path)
        key = names.writes_key(namespace, checkpoint_id or "", task_id)
        made = records.make_writes(self.serde, writes, path)
        yield from put_writes(thread, key, task_id, made, self._ttl)

    def _copy(self, source: str, target: str) -> Steps[None]:
        return copy_thread(self._memory, thread_of(source), thread_of(target), self._ttl)

    def _list(
        self, thread: str, config: RunnableConfig | None, before: RunnableConfig | None
    ) -> Steps[list[Reference]]:
        """The checkpoints of a thread that a listing selects, without loading them."""
        namespace = None if config is None else namespace_in(config)
        wanted = None if config is None else checkpoint_in(config)
        # The plain id: a run that begins at a listed checkpoint is a fork. LangGraph lists to find
        # where a subgraph was when its parent is replayed.
        thread = str(thread)
        listed = yield from reading.list_checkpoints(thread, namespace, wanted)
        bound = None if before is None else checkpoint_in(before, "before")
        chosen = [one for one in listed if not bound or one.id < bound]
        if listed and not chosen:  # such a subgraph starts again beside what is there
            self._memory.forget_starts(thread, namespace or "")
        return chosen

    def _load(
        self, references: Sequence[Reference], filter_: dict[str, Any] | None, most: int | None
    ) -> Steps[list[CheckpointTuple]]:
        """Up to ``most`` of these checkpoints, those whose metadata match the filter."""
        loaded = yield from reading.load(references)
        chosen = [
            (reference, record)
            for reference, record in zip(references, loaded, strict=True)
            if record is not None and self._fits(record, filter_)
        ][:most]
        writes = yield from reading.load_writes([reference for reference, _ in chosen])
        return [
            records.make_tuple(self.serde, reference.thread, record, written)
            for (reference, record), written in zip(chosen, writes, strict=True)
        ]

    def _fits(self, record: records.CheckpointRecord, filter_: dict[str, Any] | None) -> bool:
        if not filter_:
            return True
        metadata: dict[str, Any] = dict(records.load_metadata(self.serde, record))
        return all(metadata.get(key) == value for key, value in filter_.items())

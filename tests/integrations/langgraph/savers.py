"""Helpers that the tests of the savers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import empty_checkpoint

from statebucket.sync import open_store
from statebucket_langgraph import StatebucketSaver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple

    from statebucket.sync import BlockingStateStore
    from support.targets.deployments import Deployment


def open_blocking(deployment: Deployment) -> BlockingStateStore:
    """The blocking store of a deployment."""
    return open_store(deployment.url, **deployment.options)


def thread(
    thread_id: str = "t", checkpoint_id: str | None = None, namespace: str = ""
) -> RunnableConfig:
    """The config of a thread, or of a checkpoint of it."""
    place = {"thread_id": thread_id, "checkpoint_ns": namespace}
    return {"configurable": place | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def checkpoint(**values: Any) -> Checkpoint:
    """A new checkpoint with these values."""
    made = empty_checkpoint()
    made["channel_values"] = values
    made["channel_versions"] = dict.fromkeys(values, 1)
    return made


def metadata(step: int = 0, **more: Any) -> CheckpointMetadata:
    """A checkpoint's metadata."""
    return {"source": "loop", "step": step, "parents": {}, **more}  # type: ignore[typeddict-item]


class InTheLoop(StatebucketSaver):
    """The blocking saver, called from coroutines: what is written for those then tests it."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for found in self.list(config, **options):
            yield found

    async def aput(self, *args: Any) -> RunnableConfig:
        return self.put(*args)

    async def aput_writes(self, *args: Any, **options: Any) -> None:
        self.put_writes(*args, **options)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Any) -> None:
        self.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Any, **options: Any) -> None:
        self.prune(thread_ids, **options)

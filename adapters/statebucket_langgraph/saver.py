"""The asynchronous saver."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket import open_store
from statebucket.given import asynchronous_store
from statebucket_langgraph.arguments import (
    check_channels,
    check_listing,
    check_strategy,
    ids_of,
    place_in,
    thread_of,
)
from statebucket_langgraph.base import BATCH, TENANT, Saver
from statebucket_langgraph.delta import history
from statebucket_langgraph.other_kind import NoBlockingCalls
from statebucket_langgraph.removal import delete_runs, delete_thread, prune
from statebucket_langgraph.requests import answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import timedelta
    from typing import Self

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
        DeltaChannelHistory,
    )
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from statebucket import StateStore
    from statebucket_langgraph.requests import Steps

T = TypeVar("T")


class AsyncStatebucketSaver(NoBlockingCalls, Saver):
    """A LangGraph checkpointer over a store, for graphs that run in an event loop.

    Args:
        store: A store, or a tenant's view of one; without a view, the tenant is "langgraph". It is
            never closed here.
        ttl: How long a checkpoint and its writes can be read after it was saved, a `timedelta` or
            seconds; by default the store's ``retention``, else forever.
        history: Whether earlier checkpoints are kept. Without them a thread takes the space of one
            checkpoint, but cannot be forked from an earlier one.
        serde: Serializes values; LangGraph's own by default.

    Raises:
        InvalidArgument: The store is not of this kind, or the TTL is not positive. Calls raise it,
            too, such as for a config that names no thread.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        ttl: timedelta | float | None = None,
        history: bool = True,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(ttl=ttl, history=history, serde=serde)
        given = asynchronous_store(store, type(self).__name__)
        self._store = given if given.tenant_id is not None else given.tenant(TENANT)

    @classmethod
    @asynccontextmanager
    async def from_conn_string(
        cls,
        url: str,
        *,
        tenant: str = TENANT,
        ttl: timedelta | float | None = None,
        history: bool = True,
        serde: SerializerProtocol | None = None,
        **options: Any,  # noqa: ANN401
    ) -> AsyncIterator[Self]:
        """Opens a store, and closes it at the end of ``async with``.

        Args:
            url: The store's URL.
            tenant: The tenant that the threads belong to; by default the URL's, if it has one.
            ttl: As for the class.
            history: As for the class.
            serde: As for the class.
            options: Those of `statebucket.open_store`.
        """
        async with open_store(url, **options) as store:
            view = store if tenant == TENANT else store.tenant(tenant)
            yield cls(view, ttl=ttl, history=history, serde=serde)

    async def setup(self) -> None:
        """Checks that the bucket can be reached: 1 request. There is nothing to set up."""
        await self._store.health_check()

    async def _answer(self, steps: Steps[T]) -> T:
        return await answer(self._store, steps)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """A thread's newest checkpoint, or the one that the config names.

        2 requests, 1 of them lists, and 1 for each task with pending writes; 2 more, 1 of them
        lists, for a checkpoint that is not the newest. 1 if there is no thread.
        """
        return await self._answer(self._get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  (LangGraph's name)
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """A thread's checkpoints, the newest first; without a config those of all threads.

        3 requests a thread, 2 of them list 1,000 objects each, then 1 for each checkpoint but the
        newest and 1 for each task that has written on one.
        """
        check_listing(config, filter, before, limit)
        if config is not None:
            threads = [place_in(config).thread]
        else:
            threads = [thread async for thread in self.alist_threads()]
        for thread in threads:
            found = await self._answer(self._list(thread, config, before))
            while found and (limit is None or limit > 0):
                most = BATCH if limit is None or filter else min(BATCH, limit)
                batch, found = found[:most], found[most:]
                for one in await self._answer(self._load(batch, filter, limit)):
                    yield one
                    limit = None if limit is None else limit - 1

    async def alist_threads(self) -> AsyncIterator[str]:
        """The ids of all threads: 2 lists, of 1,000 objects each."""
        async for thread in self._store.iter_executions():
            yield str(thread)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  (all values are in the checkpoint)
    ) -> RunnableConfig:
        """Saves a checkpoint: 2 requests; 1 for a thread's first; 1 more if it was not read before.

        Raises:
            CheckpointConflict: Another run has continued the thread meanwhile; nothing was stored.
        """
        return await self._answer(self._put(config, checkpoint, metadata))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Saves a task's writes: 1 request, 3 if it has written on this checkpoint before.

        If an index is written twice, the first write stays, except for LangGraph's special
        channels.
        """
        await self._answer(self._put_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes a thread: 1 list and 1 batch per 1,000 objects, and 2 more requests.

        A run in progress on it is refused at its next save.
        """
        await self._answer(delete_thread(self._memory, thread_of(thread_id)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints that runs have saved, in all threads.

        All threads are searched, with 1 list and 1 request for each namespace of each, and the
        requests to delete what is found. The newest remaining checkpoint of a thread becomes its
        newest. Do not delete a run that a `DeltaChannel` of a later checkpoint needs.

        Raises:
            VersionConflict: Another run has continued such a thread meanwhile: call it again.
        """
        runs = ids_of("run_ids", run_ids)
        threads = [thread async for thread in self.alist_threads()]
        for thread in threads:
            await self._answer(delete_runs(self._memory, thread, runs, self._ttl))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies a thread, all of its checkpoints and writes: 3 lists and 2 an object.

        The newest checkpoint is copied last: until then, and if the copy is interrupted, the target
        loads as before.
        """
        await self._answer(self._copy(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes the earlier checkpoints of threads, even while graphs run on them.

        For each thread 1 list, 1 request for each namespace and 1 batch per 1,000 objects; with a
        `DeltaChannel` 2 for each ancestor that it needs. The checkpoints that a `DeltaChannel` of
        the newest one needs stay.

        Args:
            thread_ids: The threads.
            strategy: "keep_latest" keeps the newest checkpoint of each namespace, "delete" none.

        Raises:
            InvalidArgument: There is no such strategy, or ``thread_ids`` is not a list.
        """
        check_strategy(strategy)
        for thread in ids_of("thread_ids", thread_ids):
            await self._answer(prune(self._memory, thread, strategy, self.serde))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes to channels on a checkpoint's ancestors.

        3 requests, 2 of them list 1,000 objects each, then for each ancestor 1 and 1 for each task
        that has written on it: for up to 16 ancestors at once, and for up to 15 too many.
        """
        check_channels(channels)
        return await self._answer(history(self.serde, place_in(config), channels))

"""The blocking saver."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.given import blocking_store
from statebucket.sync import open_store
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
from statebucket_langgraph.other_kind import NoAsynchronousCalls
from statebucket_langgraph.removal import delete_runs, delete_thread, prune
from statebucket_langgraph.requests import answer_blocking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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

    from statebucket.sync import BlockingStateStore
    from statebucket_langgraph.requests import Steps

T = TypeVar("T")


class StatebucketSaver(NoAsynchronousCalls, Saver):
    """A LangGraph checkpointer over a store, for graphs that are run without an event loop.

    It is `AsyncStatebucketSaver` with blocking calls and a store of `statebucket.sync`: the same
    arguments, objects, requests and errors, which are described there.

    Raises:
        InvalidArgument: The store is not of this kind, or the TTL is not positive.
    """

    def __init__(
        self,
        store: BlockingStateStore,
        *,
        ttl: timedelta | float | None = None,
        history: bool = True,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(ttl=ttl, history=history, serde=serde)
        given = blocking_store(store, type(self).__name__)
        self._store = given if given.tenant_id is not None else given.tenant(TENANT)

    @classmethod
    @contextmanager
    def from_conn_string(
        cls,
        url: str,
        *,
        tenant: str = TENANT,
        ttl: timedelta | float | None = None,
        history: bool = True,
        serde: SerializerProtocol | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Iterator[Self]:
        """Opens a store, and closes it at the end of ``with``.

        Takes what `AsyncStatebucketSaver.from_conn_string` takes.
        """
        with open_store(url, **options) as store:
            view = store if tenant == TENANT else store.tenant(tenant)
            yield cls(view, ttl=ttl, history=history, serde=serde)

    def setup(self) -> None:
        """As `AsyncStatebucketSaver.setup`."""
        self._store.health_check()

    def _answer(self, steps: Steps[T]) -> T:
        return answer_blocking(self._store, steps)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `AsyncStatebucketSaver.aget_tuple`."""
        return self._answer(self._get_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  (LangGraph's name)
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """As `AsyncStatebucketSaver.alist`."""
        check_listing(config, filter, before, limit)
        threads = list(self.list_threads()) if config is None else [place_in(config).thread]
        for thread in threads:
            found = self._answer(self._list(thread, config, before))
            while found and (limit is None or limit > 0):
                most = BATCH if limit is None or filter else min(BATCH, limit)
                batch, found = found[:most], found[most:]
                for one in self._answer(self._load(batch, filter, limit)):
                    yield one
                    limit = None if limit is None else limit - 1

    def list_threads(self) -> Iterator[str]:
        """As `AsyncStatebucketSaver.alist_threads`."""
        for thread in self._store.iter_executions():
            yield str(thread)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  (all values are in the checkpoint)
    ) -> RunnableConfig:
        """As `AsyncStatebucketSaver.aput`."""
        return self._answer(self._put(config, checkpoint, metadata))

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As `AsyncStatebucketSaver.aput_writes`."""
        self._answer(self._put_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """As `AsyncStatebucketSaver.adelete_thread`."""
        self._answer(delete_thread(self._memory, thread_of(thread_id)))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `AsyncStatebucketSaver.adelete_for_runs`."""
        runs = ids_of("run_ids", run_ids)
        threads = list(self.list_threads())
        for thread in threads:
            self._answer(delete_runs(self._memory, thread, runs, self._ttl))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `AsyncStatebucketSaver.acopy_thread`."""
        self._answer(self._copy(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `AsyncStatebucketSaver.aprune`."""
        check_strategy(strategy)
        for thread in ids_of("thread_ids", thread_ids):
            self._answer(prune(self._memory, thread, strategy, self.serde))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `AsyncStatebucketSaver.aget_delta_channel_history`."""
        check_channels(channels)
        return self._answer(history(self.serde, place_in(config), channels))

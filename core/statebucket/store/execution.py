"""A store bound to one execution; see `statebucket.contract.execution`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebucket.contract.execution import ExecutionStore
from statebucket.contract.ids import ExecutionId
from statebucket.errors import InvalidArgument, InvalidSnapshot, shown
from statebucket.store.store import ObjectStateStore
from statebucket.telemetry.observe import observing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from statebucket.contract.entries import KeyEntry
    from statebucket.contract.ids import TenantId
    from statebucket.contract.lease import Lease
    from statebucket.contract.reports import DeletionReport
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Stored, Version
    from statebucket.contract.writer import SnapshotWriter
    from statebucket.store.context import StoreContext
    from statebucket.store.layout import Place
    from statebucket.store.listings import Listed
    from statebucket.store.selection import Selection


@observing(ExecutionStore, "delete_keys")
class _Inside(ObjectStateStore):
    """A store whose keys are those of one execution; its id may contain a ``:``."""

    def __init__(self, context: StoreContext, execution_id: str) -> None:
        super().__init__(context)
        self.execution_id = execution_id

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.context, self.execution_id)

    def _key(self, operation: str, key: str) -> str:
        self.context.check_scope(operation)
        return self._layout.key_of(self._tenant, self.execution_id, key)

    def _keys(
        self, operation: str, _execution_id: str | None, chosen: Selection
    ) -> AsyncGenerator[Listed, None]:
        self.context.check_scope(operation)
        folder = self._layout.execution(self._tenant, self.execution_id)
        return self._selected(operation, folder, chosen)

    async def delete_keys(
        self, progress: Callable[[DeletionReport], None] | None
    ) -> DeletionReport:
        """Removes every key of the execution in this scope."""
        self.context.check_scope("delete_keys")
        remover = self._remover("delete_keys", progress)
        return await remover.execution(self.execution_id, None, [self._tenant])

    def _key_text(self, place: Place) -> str:
        assert place.key is not None  # noqa: S101  (only keys are listed here)
        return place.key


class StoreExecution(ExecutionStore):
    """An execution of a store.

    Args:
        context: The store's.
        execution_id: The execution.
    """

    def __init__(self, context: StoreContext, execution_id: str) -> None:
        self._store = _Inside(context, execution_id)
        self._id = ExecutionId(execution_id)

    def __repr__(self) -> str:
        return f"<ExecutionStore {self._id!r} of {self._store!r}>"

    @property
    def context(self) -> StoreContext:
        """As of the store."""
        return self._store.context

    @property
    def needs_loop(self) -> bool:
        """As of the store."""
        return self._store.needs_loop

    @property
    def execution_id(self) -> ExecutionId:
        return self._id

    @property
    def tenant_id(self) -> TenantId | None:
        return self._store.tenant_id

    def snapshot(self, **fields: Any) -> ExecutionSnapshot:  # noqa: ANN401  (any field's value)
        return self._store.snapshot(self._id, **fields)

    async def save(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
        want_current: bool = False,
    ) -> Version:
        theirs = getattr(snapshot, "execution_id", self._id)  # without one it is refused below
        if theirs != self._id:
            raise InvalidSnapshot(
                f"save: the store is bound to execution {self._id!r}, the snapshot is of "
                f"{shown(theirs)}"
            )
        return await self._store.save_snapshot(
            snapshot,
            if_version=if_version,
            ttl=ttl,
            only_newer=only_newer,
            lease=lease,
            want_current=want_current,
        )

    async def load(self) -> ExecutionSnapshot | None:
        return await self._store.load_snapshot(self._id)

    async def load_stored(self) -> Stored[ExecutionSnapshot] | None:
        return await self._store.load_stored(self._id)

    async def update_snapshot(
        self, function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None]
    ) -> ExecutionSnapshot | None:
        return await self._store.update_snapshot(self._id, function)

    async def delete_snapshot(
        self, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        return await self._store.delete_snapshot(
            self._id, if_version=if_version, want_current=want_current
        )

    def lease(
        self, *, ttl: timedelta | float, wait: timedelta | float | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        return self._store.lease(self._id, ttl=ttl, wait=wait)

    def writer(
        self,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        return self._store.writer(self._id, ttl=ttl, only_newer=only_newer, lease=lease)

    async def set(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        return await self._store.set(
            key, value, ttl, if_version=if_version, want_current=want_current
        )

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(key)

    async def get_stored(self, key: str) -> Stored[bytes] | None:
        return await self._store.get_stored(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        return await self._store.get_many(keys)

    async def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        return await self._store.get_many_stored(keys)

    async def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        return await self._store.update(key, function, ttl)

    async def set_json(
        self,
        key: str,
        value: Any,  # noqa: ANN401  (any JSON value)
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        return await self._store.set_json(
            key, value, ttl, if_version=if_version, want_current=want_current
        )

    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002, ANN401
        return await self._store.get_json(key, type)

    async def get_json_stored(self, key: str, type: Any = Any) -> Any:  # noqa: A002, ANN401
        return await self._store.get_json_stored(key, type)

    async def update_json(
        self,
        key: str,
        function: Callable[[Any], Any],
        type: Any = Any,  # noqa: A002, ANN401
        ttl: timedelta | float | None = None,
    ) -> Any:  # noqa: ANN401
        return await self._store.update_json(key, function, type, ttl)

    async def exists(self, key: str) -> bool:
        return await self._store.exists(key)

    async def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        return await self._store.delete_many(keys)

    async def delete_keys(
        self, *, progress: Callable[[DeletionReport], None] | None = None
    ) -> DeletionReport:
        return await self._store.delete_keys(progress)

    def iter_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[str]:
        return self._store.iter_keys(self._id, prefix=prefix, after=after, limit=limit)

    def scan_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[KeyEntry]:
        return self._store.scan_keys(self._id, prefix=prefix, after=after, limit=limit)

    async def delete(
        self,
        key: Any = ...,  # noqa: ANN401  (the contract's overloads say what)
        *,
        if_version: Version | None = None,
        want_current: bool = False,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> Any:  # noqa: ANN401
        if key is not ...:
            if progress is not None:
                raise InvalidArgument("delete: progress is for delete() without a key")
            return await self._store.delete(key, if_version=if_version, want_current=want_current)
        if if_version is not None or want_current is not False:
            # A caller who left the key out by mistake must not lose the execution.
            raise InvalidArgument(
                "delete: if_version and want_current are for delete(key); delete() without a key "
                "removes the whole execution"
            )
        return await self._store.delete_execution_state(self._id, progress=progress)

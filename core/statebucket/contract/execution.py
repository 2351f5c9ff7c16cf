"""A store bound to one execution: its snapshot and its keys, without writing its id again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar, overload

from statebucket.contract.calls import Kind, declare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from statebucket.contract.entries import KeyEntry
    from statebucket.contract.ids import ExecutionId, TenantId
    from statebucket.contract.lease import Lease
    from statebucket.contract.reports import DeletionReport
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Stored, Version
    from statebucket.contract.writer import SnapshotWriter

T = TypeVar("T")


class ExecutionStore(ABC):
    """A `StateStore` bound to one execution; made by ``store.execution(execution_id)``.

    Its calls are the store's, with the same arguments, requests and errors. They take keys as they
    are: ``set("k", …)`` stores what the store itself calls ``exec:{execution_id}:k``. The keys of
    an execution whose id holds a ``:``, which ends the id in that form, are reached here only.
    Without a tenant bound, its snapshot is that of the tenant that has the execution, and its keys
    are those that were set without a tenant.

    ``delete("k")`` deletes one key. ``delete()``, without any argument, removes the execution.
    """

    @property
    @abstractmethod
    def execution_id(self) -> ExecutionId:
        """The execution."""

    @property
    @abstractmethod
    def tenant_id(self) -> TenantId | None:
        """The tenant that the store is bound to; None where it is bound to none."""

    # The snapshot.

    @abstractmethod
    @declare(Kind.PLAIN)
    def snapshot(self, **fields: Any) -> ExecutionSnapshot:  # noqa: ANN401  (any field's value)
        """Builds a snapshot of this execution and tenant, without saving it: 0 requests.

        Args:
            fields: The other fields of `ExecutionSnapshot`, each with a default.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
            UnsupportedOperation: The store is bound to no tenant.
        """

    @abstractmethod
    @declare(Kind.CALL)
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
        """Keeps the latest snapshot of this execution; see `StateStore.save_snapshot`.

        Raises:
            InvalidSnapshot: It is that of another execution, or is not valid any more.
            VersionConflict: The condition does not hold.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def load(self) -> ExecutionSnapshot | None:
        """The latest snapshot, or None; see `StateStore.load_snapshot`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def load_stored(self) -> Stored[ExecutionSnapshot] | None:
        """As `load`, with the version, expiry and size."""

    @abstractmethod
    @declare(Kind.CALL)
    async def update_snapshot(
        self, function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None]
    ) -> ExecutionSnapshot | None:
        """Loads, calls, and saves on that version; see `StateStore.update_snapshot`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_snapshot(
        self, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        """Deletes the snapshot, and no key; see `StateStore.delete_snapshot`."""

    @abstractmethod
    @declare(Kind.CONTEXT)
    def lease(
        self, *, ttl: timedelta | float, wait: timedelta | float | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """Holds the execution for one worker at a time; see `StateStore.lease`."""

    @abstractmethod
    @declare(Kind.VIEW)
    def writer(
        self,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        """A writer that coalesces many saves; see `StateStore.writer`."""

    # Its keys.

    @abstractmethod
    @declare(Kind.CALL)
    async def set(
        self,
        key: str,
        value: bytes | bytearray | memoryview,
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        """Stores a value under a key of this execution; see `StateStore.set`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def get(self, key: str) -> bytes | None:
        """A value, or None if it does not exist or has expired; see `StateStore.get`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def get_stored(self, key: str) -> Stored[bytes] | None:
        """As `get`, with the version, expiry and size."""

    @abstractmethod
    @declare(Kind.CALL, concurrent=True)
    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """Many values: 1 request for each key, up to 32 of them at one time.

        Args:
            keys: Keys of this execution, as they are; one that comes twice is read once.

        Returns:
            The value of each key, in the order given; None for one that does not exist or has
            expired. See `StateStore.get_many`.

        Raises:
            InvalidArgument: ``keys`` is no list of keys.
            InvalidKey: One of them cannot name an object; nothing was read.
        """

    @abstractmethod
    @declare(Kind.CALL, concurrent=True)
    async def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        """As `get_many`, with the version, expiry and size of each: 1 request for each key."""

    @abstractmethod
    @declare(Kind.CALL)
    async def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        """Loads, calls, and writes on that version; see `StateStore.update`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def set_json(
        self,
        key: str,
        value: Any,  # noqa: ANN401  (any JSON value)
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        """As `set`, for a value that JSON carries; see `StateStore.set_json`."""

    @overload
    async def get_json(self, key: str) -> Any: ...  # noqa: ANN401

    @overload
    async def get_json(self, key: str, type: type[T]) -> T | None: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get`, decoded and checked against a type; see `StateStore.get_json`."""

    @overload
    async def get_json_stored(self, key: str) -> Stored[Any] | None: ...

    @overload
    async def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def get_json_stored(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get_json`, with the version, expiry and size."""

    @overload
    async def update_json(
        self,
        key: str,
        function: Callable[[Any], Any],
        *,
        ttl: timedelta | float | None = None,
    ) -> Any: ...  # noqa: ANN401

    @overload
    async def update_json(
        self,
        key: str,
        function: Callable[[T | None], T | None],
        type: type[T],
        ttl: timedelta | float | None = None,
    ) -> T | None: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def update_json(
        self,
        key: str,
        function: Callable[[Any], Any],
        type: Any = Any,  # noqa: A002
        ttl: timedelta | float | None = None,
    ) -> Any:
        """As `update`, for a JSON value; see `StateStore.update_json`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def exists(self, key: str) -> bool:
        """Whether a key exists; an expired one does not; see `StateStore.exists`."""

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        """Deletes keys by the batch, and no keys where there are none in ``keys``.

        See `StateStore.delete_many`.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_keys(
        self, *, progress: Callable[[DeletionReport], None] | None = None
    ) -> DeletionReport:
        """Removes every key of this execution, and neither its snapshot nor its owner record.

        1 list and 1 batch for up to a page. Without a tenant bound, the keys that were set without
        a tenant go, whoever has the execution: this is the way to remove them where several tenants
        have it, and `delete` raises `AmbiguousExecution`. After an interruption, running it again
        finishes the job.

        Args:
            progress: Called with what was removed so far, after each batch.

        Returns:
            What was removed.

        Raises:
            DeleteIncomplete: Some keys could not be removed.
            UnsupportedOperation: No tenant is bound, on a store with ``owner_index=false``.
        """

    @abstractmethod
    @declare(Kind.ITERATOR)
    def iter_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[str]:
        """The keys, as they were given to `set`: 1 request per 1,000.

        Args:
            prefix: Only keys that begin with this text.
            after: Only those behind this key, in the order of `StateStore.iter_keys`.
            limit: At most so many.
        """

    @abstractmethod
    @declare(Kind.ITERATOR)
    def scan_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[KeyEntry]:
        """As `iter_keys`, with the size and times that the listing shows.

        Args:
            prefix: As for `iter_keys`; likewise the other arguments.
            after: See there.
            limit: See there.
        """

    @overload
    async def delete(
        self, key: str, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None: ...

    @overload
    async def delete(
        self, *, progress: Callable[[DeletionReport], None] | None = None
    ) -> DeletionReport: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def delete(
        self,
        key: Any = ...,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> Any:
        """With a key, deletes that key; without any, removes the execution.

        ``delete("k")`` is `StateStore.delete`, and returns whether there was something.
        ``delete()`` is `StateStore.delete_execution_state`: the snapshot, every key and the owner
        record go, and a report of what went is returned. Only the argument's absence means that: a
        key that is None or empty is refused.

        Args:
            key: The key.
            if_version: Delete only this version of the key.
            want_current: Have what won in the error's ``current``.
            progress: Of the removal of the execution: called with what was removed so far.

        Raises:
            InvalidKey: The key is None, empty, or no text.
            InvalidArgument: ``if_version`` without a key, or ``progress`` with one.
            VersionConflict: Another version of the key is stored, and stays.
            AmbiguousExecution: No tenant is bound, and several have the execution.
            DeleteIncomplete: Some of the execution's objects could not be removed.
        """

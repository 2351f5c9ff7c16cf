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
    are: ``set("k", …)`` stores what the store itself calls ``exec:{execution_id}:k``. In that form
    a ``:`` ends the id, so the keys of an execution whose id contains one can only be reached here.
    On a store without a tenant, its snapshot is that of the tenant that has the execution, and its
    keys are those that were set without a tenant.

    ``delete("k")`` deletes one key. ``delete()``, without any argument, removes the execution.
    """

    @property
    @abstractmethod
    def execution_id(self) -> ExecutionId:
        """The execution."""

    @property
    @abstractmethod
    def tenant_id(self) -> TenantId | None:
        """The tenant that the store is bound to; None if it is not bound."""

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
        """Keeps the latest snapshot of this execution.

        Best effort, and not the source of truth. 1 request; 2 if this process has not loaded or
        saved the execution in the last minute; 1 more when a condition fails.

        Args:
            snapshot: What to keep. It is validated again before the first request.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired snapshot too. A version, as a load or save returned it, replaces only that
                one.
            ttl: How long it can be loaded, a `timedelta` or seconds; by default the store's
                ``finished_ttl`` for a finished execution, else its ``retention``, else forever.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only over what was there when this lease was taken, or was loaded or saved
                under it since. Not with ``if_version``.
            want_current: Put the snapshot that won into the error's ``current``.

        Returns:
            The version that was written.

        Raises:
            InvalidSnapshot: It is of another execution, or is no longer valid.
            InvalidArgument: ``lease`` and ``if_version``, or a lease on another execution.
            VersionConflict: The condition does not hold; what is stored is left as it is.
            StaleSnapshot: ``only_newer``, and a newer snapshot is stored.
            LeaseLost: The lease ran out, or its next holder has saved.
            TenantMismatch: It belongs to another tenant than the store's.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def load(self) -> ExecutionSnapshot | None:
        """The latest snapshot, or None if there is none or it has expired.

        1 request; 2 where no tenant is bound and this process has not seen the execution in the
        last minute. The caller checks its ``sequence_number`` against the event log.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            CorruptObject: What is stored is not a snapshot of this execution.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def load_stored(self) -> Stored[ExecutionSnapshot] | None:
        """As `load`, with the version, expiry and size.

        The ``version`` is what ``save(…, if_version=)`` and ``delete_snapshot(if_version=)`` take,
        to replace or delete just this snapshot.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def update_snapshot(
        self, function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None]
    ) -> ExecutionSnapshot | None:
        """Loads the snapshot, lets a function change it, and saves that over the loaded version.

        If another worker was quicker, it starts again, until the deadline. 2 requests if no other
        worker interferes; 1 more if there is no snapshot yet, and 1 more without a tenant bound.

        Args:
            function: Takes the latest snapshot, or None if there is none or it has expired, and
                returns what to save: mostly ``snapshot.advance(…)``. None changes nothing. A plain
                function; it may be called several times.

        Returns:
            The snapshot now stored, or None.

        Raises:
            InvalidSnapshot: ``function`` returned something else, or another execution's snapshot.
            VersionConflict: Others were quicker until the deadline.
            AmbiguousExecution: No tenant is bound, and several have the execution.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_snapshot(
        self, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        """Deletes the snapshot; the keys and the owner record stay.

        1 request, 2 without a tenant bound; 1 more when the condition fails.

        Args:
            if_version: Delete only this version, as a load or save returned it.
            want_current: Put what won into the error's ``current``; with ``if_version``.

        Returns:
            Whether there was one; None if the service does not say.

        Raises:
            VersionConflict: A snapshot of another version is stored, and stays.
            AmbiguousExecution: No tenant is bound, and several have the execution.
        """

    @abstractmethod
    @declare(Kind.CONTEXT)
    def lease(
        self, *, ttl: timedelta | float, wait: timedelta | float | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """Holds the execution for one worker at a time, for ``async with``.

        3 requests to take it (4 without a tenant bound), 1 every third of ``ttl``, 1 to release it.
        A lease avoids double work; ``save(…, lease=lease)`` makes sure that a successor's save
        is never overwritten.

        Args:
            ttl: How long after the last renewal another process may take the lease over, at most a
                day.
            wait: How long to wait for another holder, checking with 1 request per second, more
                often at first; not at all by default.

        Raises:
            LeaseHeld: Another holder has it.
            InvalidTTL: ``ttl`` is not a positive duration, or over a day.
            AmbiguousExecution: No tenant is bound, and several have the execution.
            UnsupportedOperation: No tenant is bound, and none has the execution.
        """

    @abstractmethod
    @declare(Kind.VIEW)
    def writer(
        self,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        """A writer that coalesces many saves of this execution, for ``async with``.

        At most one save is in flight; of the snapshots handed over meanwhile only the latest is
        written. Leaving the block writes the last one.

        Args:
            ttl: As for `save`.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only what this lease allows, as for `save`.

        Raises:
            InvalidTTL: ``ttl`` is not a positive duration.
        """

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
        """Stores a value under a key of this execution: 1 request, 2 when a condition fails.

        Args:
            key: The key as it is, without ``exec:``.
            value: The bytes. A bytearray or memoryview is copied before the first request.
            ttl: How long it can be read, a `timedelta` or seconds; by default the store's
                ``retention``, else forever.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Put what won into the error's ``current``; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidValue: ``value`` is not bytes.
            VersionConflict: The condition does not hold; what is stored is left as it is.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def get(self, key: str) -> bytes | None:
        """A value of this execution, or None if it does not exist or has expired: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def get_stored(self, key: str) -> Stored[bytes] | None:
        """As `get`, with the version, expiry and size: 1 request.

        The ``version`` is what ``if_version=`` takes to replace or delete just this value.
        """

    @abstractmethod
    @declare(Kind.CALL, concurrent=True)
    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """Many values: 1 request for each key, up to 32 of them at one time.

        Args:
            keys: Keys of this execution, as they are; a repeated one is read once.

        Returns:
            The value of each key, in the order given; None for one that does not exist or has
            expired. See `StateStore.get_many`.

        Raises:
            InvalidArgument: ``keys`` is not a list of keys.
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
        """Loads a value, lets a function change it, and writes that over the loaded version.

        If another writer was quicker, it starts again, until the deadline: no update is lost and
        none is done twice. 2 requests where no one else writes, 2 or 3 more for each lost race.

        Args:
            key: The key as it is, without ``exec:``.
            function: Takes the value, or None if it does not exist or has expired, and returns what
                to store. None changes nothing. A plain function that returns soon; it may be called
                several times.
            ttl: How long the value can be read from now on; by default the time of expiry does not
                change.

        Returns:
            The value now stored, or None.

        Raises:
            InvalidValue: ``function`` returned something other than bytes.
            VersionConflict: Others were quicker until the deadline.
        """

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
        """As `set`, for a JSON value: plain, a Struct, a dataclass, a pydantic model.

        1 request, 2 when a condition fails.

        Args:
            key: The key as it is, without ``exec:``.
            value: The value; `StateStore.set_json` says how each kind is stored and read.
            ttl: As for `set`.
            if_version: As for `set`.
            want_current: Put what won into the error's ``current``, decoded; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidValue: JSON cannot represent it unchanged; the message says where and what to do.
            VersionConflict: The condition does not hold; what is stored is left as it is.
        """

    @overload
    async def get_json(self, key: str) -> Any: ...  # noqa: ANN401

    @overload
    async def get_json(self, key: str, type: type[T]) -> T | None: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: What to decode to, as `msgspec.json.decode` takes it; by default plain values.

        Raises:
            InvalidArgument: msgspec cannot decode to ``type``.
            CorruptObject: What is stored is not JSON, or is of another type.
        """

    @overload
    async def get_json_stored(self, key: str) -> Stored[Any] | None: ...

    @overload
    async def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None: ...

    @abstractmethod
    @declare(Kind.CALL)
    async def get_json_stored(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: As for `get_json`.
        """

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
        """As `update`, for a JSON value: ``update_json("n", lambda n: (n or 0) + 1)`` counts.

        Args:
            key: The key as it is, without ``exec:``.
            function: Takes the value and returns what to store.
            type: What to decode the value to; what ``function`` returns must fit it.
            ttl: As for `update`.

        Returns:
            The value now stored, as `get_json` returns it.

        Raises:
            InvalidValue: ``function`` returned what JSON cannot represent, or a value of another
                type.
            VersionConflict: Others were quicker until the deadline.
            CorruptObject: What is stored is not JSON, or is of another type.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def exists(self, key: str) -> bool:
        """Whether a key exists; an expired one does not: 1 request.

        On S3 this call cannot distinguish a missing bucket from a missing key.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        """Deletes keys in batches: 1 request for up to 1,000 on S3, 100 on GCS, 256 on Azure.

        All are checked before the first request. If ``keys`` is empty, nothing is deleted.

        Args:
            keys: Keys of this execution, as they are; a repeated one counts once.

        Returns:
            ``keys`` is how many existed; ``unreported`` is how many are gone but may not have
            existed.

        Raises:
            InvalidKey: One of them cannot name an object; nothing was deleted.
            DeleteIncomplete: Some could not be deleted: its ``failures`` has the error of each.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def delete_keys(
        self, *, progress: Callable[[DeletionReport], None] | None = None
    ) -> DeletionReport:
        """Removes every key of this execution; its snapshot and its owner record stay.

        1 list and 1 batch for up to a page. On a store without a tenant, it removes the keys that
        were set without one, whichever tenant has the execution. Use it where several tenants have
        the execution, so that `delete` raises `AmbiguousExecution`. After an interruption, running
        it again finishes the job.

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
            after: Only those after this key, in the order of `StateStore.iter_keys`.
            limit: At most this many.
        """

    @abstractmethod
    @declare(Kind.ITERATOR)
    def scan_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[KeyEntry]:
        """As `iter_keys`, with the size and times that the listing shows: no extra requests.

        Args:
            prefix: Only keys that begin with this text.
            after: Only those after this key, in the order of `StateStore.iter_keys`.
            limit: At most this many.

        Returns:
            For each key its `KeyEntry`: ``key``, ``size``, ``modified_at`` and, where the listing
            shows it, ``expires_at``.
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
        """With a key, deletes that key; without one, removes the whole execution.

        ``delete("k")`` is `StateStore.delete`, and returns whether there was something.
        ``delete()`` is `StateStore.delete_execution_state`: it removes the snapshot, every key and
        the owner record, and returns a report. Only leaving out the argument does this: a key that
        is None or empty is refused.

        Args:
            key: The key.
            if_version: Delete only this version of the key.
            want_current: Put what won into the error's ``current``.
            progress: For the removal of the execution: called with what was removed so far.

        Raises:
            InvalidKey: The key is None, empty, or not a string.
            InvalidArgument: ``if_version`` without a key, or ``progress`` with one.
            VersionConflict: Another version of the key is stored, and stays.
            AmbiguousExecution: No tenant is bound, and several have the execution.
            DeleteIncomplete: Some of the execution's objects could not be removed.
        """

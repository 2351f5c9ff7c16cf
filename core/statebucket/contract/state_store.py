"""The contract: what every store promises, on every cloud.

`StorageBackend` is what any storage offers; `StateStore` adds execution state and key-values. Both
are Protocols; `statebucket.open_store` returns an implementation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, overload, runtime_checkable

from statebucket.contract.calls import Kind, declare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from statebucket.contract.entries import KeyEntry, SnapshotEntry
    from statebucket.contract.execution import ExecutionStore
    from statebucket.contract.ids import ExecutionId, TenantId
    from statebucket.contract.lease import Lease
    from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
    from statebucket.contract.offboarding import OffboardingReport
    from statebucket.contract.partition import Partition
    from statebucket.contract.reports import DeletionReport, SweepReport
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.stats import Stats
    from statebucket.contract.versions import Stored, Version
    from statebucket.contract.writer import SnapshotWriter

T = TypeVar("T")

MARGIN = timedelta(seconds=60)
"""How long an object must have been expired before ``sweep`` removes it."""


@runtime_checkable
class StorageBackend(Protocol):
    """A storage that can be named, checked and closed."""

    @property
    def name(self) -> str:
        """The service: "s3", "gcs", "azure", "sqlite", "memory", or a third party's own."""
        ...

    @property
    def requires_network(self) -> bool:
        """Whether calls leave this machine."""
        ...

    @property
    def supports_air_gapped(self) -> bool:
        """Whether it works without a network: the opposite of `requires_network`."""
        ...

    @declare(Kind.CALL)
    async def health_check(self) -> None:
        """Returns if the storage can be reached and listed: 1 request.

        Raises:
            StateBucketError: What is wrong, as a typed error: `BucketNotFound`, `AccessDenied`,
                `InvalidCredentials`, `Unavailable`, `DeadlineExceeded`.
        """
        ...

    @declare(Kind.CALL, counted=False)
    async def shutdown(self) -> None:
        """Closes the running event loop's connections. Doing it twice is not an error.

        A later call opens new ones. The caller's own client or session stays open.
        """
        ...


@runtime_checkable
class StateStore(StorageBackend, Protocol):
    """Execution snapshots and key-values with a TTL, for many tenants in one bucket.

    Every call answers within the store's deadline, retries included, and may raise `Throttled`,
    `Unavailable`, `DeadlineExceeded`, `AccessDenied`, `InvalidCredentials`, `BucketNotFound` and,
    before any request, a subclass of `InvalidInput`. Iterators and clean-ups have the deadline
    again for each request. ``error.outcome`` of a failed write says whether it may have happened.

    ``if_version=None`` writes always; `Version.ABSENT` only creates; a version from an earlier load
    or save replaces only that one. A lost race is `VersionConflict` and costs one request more.
    Creating over an expired object succeeds; so does replacing it at its version, until it is
    removed.

    Durations (``ttl``, ``wait``, ``margin``, deadlines) are a `timedelta` or seconds everywhere.

    A store that is bound to a tenant (see `tenant`) refuses what belongs to another. Two tenants
    may use the same execution id; a store without a tenant finds the execution by its owner
    records, and raises `AmbiguousExecution` where several tenants have it. A load relies on a
    record for a minute after it was seen; a removal or an update looks it up each time. The keys of
    a store without a tenant, ``exec:`` ones too, are its own: it does not see those that a view
    sets, nor does a view see its keys.
    """

    @declare(Kind.VIEW)
    def tenant(self, tenant_id: TenantId | str) -> StateStore:
        """The same contract, bound to one tenant: 0 requests.

        Keys then live in the tenant's prefix, snapshots are found without an owner record, and a
        snapshot or listing of another tenant is refused. Ids are the tenant's own: two tenants may
        have an execution or a key of the same name, and neither can see the other's.

        Raises:
            InvalidKey: The id cannot name a tenant.
            TenantMismatch: This store is bound to another tenant already.
        """
        ...

    @property
    def tenant_id(self) -> TenantId | None:
        """The tenant that this store is bound to; None if it is not bound."""
        ...

    @declare(Kind.VIEW)
    def execution(self, execution_id: ExecutionId | str, *, keep: bool = False) -> ExecutionStore:
        """The same store bound to one execution: 0 requests.

        Its calls do not take the execution's id, and take its keys without
        ``exec:{execution_id}:``. Call it on a tenant's view, unless you want the keys that no
        tenant owns.

        Args:
            execution_id: The execution. Its id may contain a ``:``; its keys can then be reached in
                this way only.
            keep: For an execution that has keys and never a snapshot, such as a framework's thread.
                What is set through it is marked in the object's metadata, at no extra request. As
                long as one marked key exists, ``sweep(orphans=True)`` keeps the whole execution and
                does not count it as an orphan.

        Raises:
            InvalidKey: The id cannot name an execution.
        """
        ...

    @declare(Kind.PLAIN)
    def snapshot(
        self,
        execution_id: ExecutionId | str,
        **fields: Any,  # noqa: ANN401  (any field's value)
    ) -> ExecutionSnapshot:
        """Builds a snapshot of this store's tenant, without saving it: 0 requests.

        Args:
            execution_id: The execution.
            fields: The other fields of `ExecutionSnapshot`, each with a default.

        Returns:
            The snapshot, with this store's `tenant_id`.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
            TenantMismatch: ``tenant_id`` is given, and is another tenant's.
            UnsupportedOperation: This store is bound to no tenant.
        """
        ...

    @declare(Kind.PLAIN)
    def stats(self) -> Stats:
        """What this store and its views have done since it was opened: 0 requests."""
        ...

    @declare(Kind.VIEW)
    def with_deadline(self, deadline: timedelta | float) -> StateStore:
        """The same store with another deadline for its calls: 0 requests.

        Args:
            deadline: The time, a `timedelta` or seconds, at most a day.

        Raises:
            InvalidArgument: ``deadline`` is not a positive duration, or over a day.
        """
        ...

    @declare(Kind.CALL, tenant_of="snapshot")
    async def save_snapshot(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
        want_current: bool = False,
    ) -> Version:
        """Keeps the latest snapshot of an execution.

        Best effort, and not the source of truth: it may be overwritten by a later save and lost
        with the bucket. 1 request; 2 where this process has not seen the execution's owner record
        (or first loaded its snapshot) in the last minute; 1 more when a condition fails. With a
        TTL, up to 2 more where another process has saved it, or where its owner record must live
        longer.

        Args:
            snapshot: What to keep. It is validated again, and copied, before the first request.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired snapshot too. A version, as a load or save returned it, replaces only that
                one.
            ttl: How long the snapshot can be loaded, a `timedelta` or seconds; by default the
                store's ``finished_ttl`` for a finished execution, else its ``retention``, else
                forever.
            only_newer: Never replace a snapshot with a higher ``sequence_number``; an equal one is
                a redelivery, and is written. 1 more request where the stored version is not known
                from a load or save.
            lease: Write only over the version that was there when this lease was taken, or that
                was loaded or saved under it since; see `lease`. Not with ``if_version``.
            want_current: Put the snapshot that won into the error's ``current``, at no extra
                request; with ``if_version``, ``only_newer`` or ``lease``.

        Returns:
            The version that was written.

        Raises:
            InvalidSnapshot: It was changed in place to what JSON cannot represent; the message has
                the path.
            InvalidArgument: ``lease`` and ``if_version``, or a lease on another execution.
            VersionConflict: The condition does not hold: a snapshot exists already, is at another
                version, or no longer exists. It is left as it is.
            StaleSnapshot: ``only_newer``, and a newer snapshot is stored.
            LeaseLost: The lease ran out, or its next holder has saved.
            TenantMismatch: The snapshot belongs to another tenant than this store's.
        """
        ...

    @declare(Kind.CALL)
    async def load_snapshot(self, execution_id: ExecutionId | str) -> ExecutionSnapshot | None:
        """The latest snapshot of an execution, or None if there is none or it has expired.

        The caller checks its ``sequence_number`` against the event log. 1 request; 2 where no
        tenant is bound and this process has not seen the execution in the last minute.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            CorruptObject: What is stored is not a snapshot of this execution.
        """
        ...

    @declare(Kind.CALL)
    async def load_stored(
        self, execution_id: ExecutionId | str
    ) -> Stored[ExecutionSnapshot] | None:
        """As `load_snapshot`, with the version, expiry and size.

        The ``version`` is what ``if_version=`` takes to replace or delete just this snapshot.
        """
        ...

    @declare(Kind.CALL)
    async def delete_snapshot(
        self,
        execution_id: ExecutionId | str,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> bool | None:
        """Deletes an execution's snapshot; deleting a missing one is not an error.

        Its keys and its owner record stay. 1 request on a tenant's view, else 2: the tenant is
        always looked up, since it decides whose snapshot is deleted. 1 more when a condition fails.

        Args:
            execution_id: The execution.
            if_version: Delete only this version, as a load or save returned it; by default
                whatever is there. `Version.ABSENT` is refused.
            want_current: Put what won into the error's ``current``, at no extra request; with
                ``if_version``.

        Returns:
            Whether there was one; see `delete`.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            VersionConflict: A snapshot of another version is stored, and stays.
        """
        ...

    @declare(Kind.CALL)
    async def update_snapshot(
        self,
        execution_id: ExecutionId | str,
        function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None],
    ) -> ExecutionSnapshot | None:
        """Loads a snapshot, lets a function change it, and saves that over the loaded version.

        As `update` does for a key, it starts again if another worker was quicker. 2 requests if no
        other worker interferes; 1 more for an execution that has no snapshot yet, and 1 more
        without a tenant bound, since the tenant is always looked up.

        Args:
            execution_id: The execution.
            function: Takes the latest snapshot, or None if there is none or it has expired, and
                returns what to save: mostly ``snapshot.advance(…)``. None changes nothing. It may
                be called several times. The time of expiry does not change, unless the store has a
                ``finished_ttl`` (for a finished execution) or a ``retention``: these count from
                now.

        Returns:
            The snapshot now stored, or None.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            InvalidArgument: ``function`` is not a plain function.
            InvalidSnapshot: ``function`` returned something else, or the snapshot of another
                execution.
            TenantMismatch: ``function`` returned another tenant's snapshot.
            VersionConflict: As for `update`.
            CorruptObject: What is stored is not a snapshot of this execution.
        """
        ...

    @declare(Kind.CONTEXT)
    def lease(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float,
        wait: timedelta | float | None = None,
    ) -> AbstractAsyncContextManager[Lease]:
        """Holds an execution for one worker at a time, for ``async with``.

        3 requests to take it (4 without a tenant bound), 1 every third of ``ttl`` to renew it, 1 to
        release it. `statebucket.contract.lease` says what it guarantees and what it does not. In
        short: a lease avoids double work, and ``save_snapshot(…, lease=lease)`` never overwrites a
        successor's save, however long this process was paused.

        Args:
            execution_id: The execution. Without a tenant bound, one that a tenant owns already.
            ttl: How long after the last renewal another process may take the lease over (plus 2 s,
                since clocks differ). Make it longer than the longest pause that you expect of a
                process; at most a day.
            wait: How long to wait for another holder, as a `timedelta` or in seconds; not at all by
                default. A waiting call checks with 1 request per second, more often at first;
                waiting calls do not get the lease in the order of their arrival.

        Raises:
            LeaseHeld: Another holder has it.
            InvalidTTL: ``ttl`` is not a positive duration, or over a day.
            AmbiguousExecution: No tenant is bound, and several have the execution.
            UnsupportedOperation: No tenant is bound, and none has the execution.
        """
        ...

    @declare(Kind.VIEW)
    def writer(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        """A writer that coalesces many saves of one execution, for ``async with``.

        At most one save is in flight, with the interval between them that the service asks for
        (GCS: one second an object); of the snapshots handed over meanwhile only the latest is
        written. Leaving the block writes the last one. Two writers of one execution do not know of
        each other.

        Args:
            execution_id: The execution.
            ttl: As for `save_snapshot`.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only what this lease allows, as for `save_snapshot`.

        Raises:
            InvalidTTL: ``ttl`` is not a positive duration.
        """
        ...

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
        """Stores a value: 1 request, 2 when a condition fails.

        Args:
            key: ``exec:{execution_id}:{rest}`` belongs to that execution and goes with it; any
                other key belongs to the tenant. Without a tenant bound, both are shared ones,
                which no view sees.
            value: The bytes. A bytearray or memoryview is copied before the first request.
            ttl: How long it can be read, a `timedelta` or seconds; by default the store's
                ``retention``, else forever.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Put what won into the error's ``current``, as bytes, at no extra request;
                with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidValue: ``value`` is not bytes.
            VersionConflict: The condition does not hold: a value exists already, is at another
                version, or no longer exists. It is left as it is.
        """
        ...

    @declare(Kind.CALL)
    async def get(self, key: str) -> bytes | None:
        """A value, or None if it does not exist or has expired: 1 request.

        A view sees its tenant's keys; a store without a tenant sees the shared ones, those that
        were set through such a store, ``exec:`` keys too.

        Args:
            key: As for `set`.
        """
        ...

    @declare(Kind.CALL)
    async def get_stored(self, key: str) -> Stored[bytes] | None:
        """As `get`, with the version, expiry and size: 1 request.

        The ``version`` is what ``if_version=`` takes to replace or delete just this value.
        """
        ...

    @declare(Kind.CALL, concurrent=True)
    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """Many values: 1 request for each key, up to 32 of them at one time.

        The services have no call that reads several objects, so this saves time, not requests. Each
        key has a deadline of its own. All keys are checked before the first request, and all values
        are held in memory at once.

        Args:
            keys: Any keys that `get` can read, with or without ``exec:``; a repeated one is read
                once.

        Returns:
            The value of each key, in the order given; None for one that does not exist or has
            expired. They are not a consistent snapshot: each is read by itself.

        Raises:
            InvalidArgument: ``keys`` is not a list of keys.
            InvalidKey: One of them cannot name an object; nothing was read.
        """
        ...

    @declare(Kind.CALL, concurrent=True)
    async def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        """As `get_many`, with the version, expiry and size of each: 1 request for each key."""
        ...

    @declare(Kind.CALL)
    async def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        """Loads a value, lets a function change it, and writes that over the loaded version.

        If another writer was quicker, it starts again, first at once and then with full jitter,
        until the deadline: no update is lost and none is done twice. 2 requests where no one else
        writes, 2 or 3 more for each lost race. Writers of one value take turns, so split a value
        that many workers update all the time into several. Cloud Storage takes one write a second
        to an object: more than about one update a second ends in `Throttled` or `DeadlineExceeded`,
        unless the deadline is long enough for all writers to have their turn.

        Args:
            key: As for `set`.
            function: Takes the value, or None if it does not exist or has expired, and returns what
                to store. None changes nothing. A plain function that returns soon, without calls of
                this store: it may be called several times, with what others have written since.
            ttl: How long the value can be read from now on, a `timedelta` or seconds. By default
                the time of expiry does not change; on a store with ``retention``, that counts from
                now.

        Returns:
            The value now stored, or None.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidArgument: ``function`` is not a plain function.
            InvalidValue: ``function`` returned something else.
            VersionConflict: Others were quicker until the deadline (``outcome`` is "none"); or a
                reply was lost and another writer has written since, so that this update may be part
                of what is stored (``outcome`` is "unknown").
        """
        ...

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
            key: As for `set`.
            function: Takes the value and returns what to store, any value that `set_json` takes and
                that can be decoded to ``type``.
            type: What to decode the value to, as `msgspec.json.decode` takes it.
            ttl: As for `update`.

        Returns:
            The value now stored, as `get_json` returns it.

        Raises:
            InvalidArgument: ``function`` is not a plain function, or msgspec cannot decode to
                ``type``.
            InvalidValue: ``function`` returned what JSON cannot represent unchanged, or what cannot
                be decoded to ``type``.
            VersionConflict: As for `update`.
            CorruptObject: What is stored is not JSON, or is of another type.
        """
        ...

    @declare(Kind.CALL)
    async def delete(
        self, key: str, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        """Deletes a key; deleting a missing one is not an error: 1 request, 2 when it loses.

        Args:
            key: As for `set`: a view deletes its tenant's key, a store without a tenant a shared
                one.
            if_version: Delete only this version, as a load or save returned it; by default
                whatever is there. `Version.ABSENT` is refused.
            want_current: Put what won into the error's ``current``, at no extra request; with
                ``if_version``.

        Returns:
            Whether it existed. None if that is not known: S3 does not say, and after a lost reply
            it cannot be known. An expired value counts as missing on SQLite and in memory, and as
            existing where the service does not show what it deletes.

        Raises:
            VersionConflict: Another version is stored, and stays. A key that is gone or has
                expired is no conflict.
        """
        ...

    @declare(Kind.CALL)
    async def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        """Deletes many keys, in batches as large as the service takes: 1 request for each batch.

        A batch holds 1,000 keys on S3, 100 on Cloud Storage, 256 on Azure. Each has a deadline of
        its own. All keys are checked before the first request. After an interruption, running it
        again finishes the job: deleting a key that does not exist is no error.

        Args:
            keys: Any keys, with or without ``exec:``; a repeated one counts once. As for `set`: a
                view deletes its tenant's keys, a store without a tenant shared ones.

        Returns:
            ``keys`` is how many existed; ``unreported`` is how many are gone but may not have
            existed (on S3, all).

        Raises:
            InvalidKey: One of them cannot name an object; nothing was deleted.
            DeleteIncomplete: Some could not be deleted: its ``failures`` has the error of each,
                by key, and its ``report`` what was deleted.
        """
        ...

    @declare(Kind.CALL)
    async def exists(self, key: str) -> bool:
        """Whether a key exists; an expired one does not: 1 request.

        It sees the same keys as `get`. On S3 this call cannot distinguish a missing bucket from a
        missing key.
        """
        ...

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

        The fields of a msgspec Struct or a dataclass may be datetimes, sets, enums and the like,
        which `get_json` restores if it is given that type. A pydantic model is stored as a dict of
        its fields, which must be plain; if they are not, store ``model.model_dump(mode="json")``.
        Read it back with ``Model.model_validate(await store.get_json(key))``. 1 request, 2 when it
        loses.

        Args:
            key: As for `set`.
            value: The value.
            ttl: As for `set`.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Put what won into the error's ``current``, decoded from JSON, at no extra
                request; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            VersionConflict: The condition does not hold, as for `set`.
            InvalidValue: JSON cannot represent it unchanged (NaN, keys that are not strings, a set,
                a datetime, …); the message names the type, its path, and what to pass instead.
        """
        ...

    @overload
    async def get_json(self, key: str) -> Any: ...  # noqa: ANN401

    @overload
    async def get_json(self, key: str, type: type[T]) -> T | None: ...

    @declare(Kind.CALL)
    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Raises:
            InvalidArgument: msgspec cannot decode to ``type``.
            CorruptObject: What is stored is not JSON, or is of another type.
        """
        ...

    @overload
    async def get_json_stored(self, key: str) -> Stored[Any] | None: ...

    @overload
    async def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None: ...

    @declare(Kind.CALL)
    async def get_json_stored(self, key: str, type: Any = Any) -> Any:  # noqa: A002
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Returns:
            The value with its version, expiry and size, or None if it does not exist or has
            expired. Its ``version`` is what ``set_json(…, if_version=)`` takes to replace just this
            one.

        Raises:
            InvalidArgument: msgspec cannot decode to ``type``.
            CorruptObject: What is stored is not JSON, or is of another type.
        """
        ...

    @declare(Kind.CALL, tenant="tenant_id")
    async def list_snapshots(
        self, tenant_id: TenantId | str | None = None, limit: int = 1000
    ) -> list[ExecutionId]:
        """Up to ``limit`` executions of a tenant that have a snapshot: 1 request per 1,000.

        In the order of their encoded ids, each page with its own deadline. On S3, whose listings
        have no metadata, one that has expired may show until it is removed; see `iter_snapshots`.

        Args:
            tenant_id: The tenant; by default, the one that this store is bound to.
            limit: At most this many.

        Raises:
            InvalidArgument: ``limit`` is negative.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is not bound to one.
        """
        ...

    @declare(Kind.ITERATOR, tenant="tenant_id", concurrent="live")
    def iter_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> AsyncIterator[ExecutionId]:
        """The executions of a tenant that have a snapshot: 1 request per 1,000.

        In the order of their names in the bucket, where all but letters, digits, ``-``, ``_`` and
        inner ``.`` is escaped as ``~`` and hex digits, and ``~`` comes last. Where the service
        lists in no order (S3 directory buckets, Azure accounts with a hierarchical namespace), the
        whole listing is read and sorted if ``after`` or ``limit`` is given.

        Args:
            tenant_id: The tenant; by default, the one that this store is bound to.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 1
                more request.
            after: Only those after this id in the order above. The id need not exist. To continue a
                listing, pass the last id it returned.
            limit: At most this many.
            live: Leave out expired ones on S3 too, for one more request for each execution.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: No id can begin with ``prefix``, or ``after`` cannot be an id.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is not bound to one.
        """
        ...

    @declare(Kind.ITERATOR, tenant="tenant_id", concurrent="live")
    def scan_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> AsyncIterator[SnapshotEntry]:
        """As `iter_snapshots`, with the size and times that the listing shows: no extra requests.

        Args:
            tenant_id: The tenant; by default, the one that this store is bound to.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 1
                more request.
            after: Only those after this id, in the order of `iter_snapshots`. The id need not
                exist. To continue a listing, pass the last id it returned.
            limit: At most this many.
            live: Leave out expired ones on S3 too, for one more request for each execution.

        Returns:
            For each execution its `SnapshotEntry`: ``id``, ``size``, ``modified_at`` and, where the
            listing shows it, ``expires_at``.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: No id can begin with ``prefix``, or ``after`` cannot be an id.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is not bound to one.
        """
        ...

    @declare(Kind.ITERATOR)
    def iter_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[str]:
        """The keys of an execution, or those that belong to none, as they were given to `set`.

        1 request per 1,000, in the order of their names as for `iter_snapshots`. On S3 an expired
        one may show until it is removed. On a store without a tenant, these are the keys that were
        set without one.

        Args:
            execution_id: The execution; if its id contains a ``:``, use
                ``execution(execution_id).iter_keys()``.
            prefix: Only keys that begin with this text. For an execution's keys, that text begins
                with ``exec:{execution_id}:``. One that ends in ``.`` takes 1 more request.
            after: Only those after this key in that order. The key need not exist. To continue a
                listing, pass the last key it returned.
            limit: At most this many.

        Raises:
            InvalidArgument: ``limit`` is negative, or ``prefix`` or ``after`` cannot match the keys
                that are listed.
            InvalidKey: No key can begin with ``prefix``, or ``after`` cannot be a key; or the id
                contains a ``:``, so that its keys have no text form.
        """
        ...

    @declare(Kind.ITERATOR)
    def scan_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[KeyEntry]:
        """As `iter_keys`, with the size and times that the listing shows: no extra requests.

        Args:
            execution_id: The execution.
            prefix: As for `iter_keys`.
            after: As for `iter_keys`.
            limit: As for `iter_keys`.

        Returns:
            For each key its `KeyEntry`: ``key``, ``size``, ``modified_at`` and, where the listing
            shows it, ``expires_at``.

        Raises:
            InvalidArgument: As for `iter_keys`.
            InvalidKey: As for `iter_keys`.
        """
        ...

    @declare(Kind.ITERATOR, tenant="tenant_id")
    def iter_executions(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ExecutionId]:
        """The executions of a tenant that have keys or a snapshot, each once.

        1 request per 1,000 with keys and 1 per 1,000 snapshots that come behind ``after``. They
        come in the order of their names with a ``/`` appended. Expired keys count until they are
        removed, and so do expired snapshots on S3.

        Args:
            tenant_id: The tenant; by default, the one that this store is bound to. With neither,
                the executions whose keys were set without a tenant.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 2
                more requests.
            after: Only those after this id in the order above. The id need not exist. To continue a
                listing, pass the last id it returned. An id that this one continues with a ``-`` or
                ``.`` comes behind it, and costs 1 request more when its turn comes.
            limit: At most this many.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: No id can begin with ``prefix``, or ``after`` cannot be an id.
            TenantMismatch: This store is bound to another tenant.
        """
        ...

    @declare(Kind.CALL)
    async def delete_execution_state(
        self,
        execution_id: ExecutionId | str,
        *,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport:
        """Removes an execution: its snapshot, every key, and last its owner record.

        1 list and 1 batch for up to a page, 1 for the owner record, and 1 to look that up if it was
        not seen before. On a store without a tenant, the keys set without one are removed too, for
        2 more lists: the tenant is always looked up, since it decides whose state is removed. After
        an interruption, running it again finishes the job.

        Args:
            execution_id: The execution.
            progress: Called with what was removed so far, after each batch.

        Returns:
            What was removed.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution. Each view
                removes its own tenant's; ``execution(execution_id).delete_keys()`` removes the keys
                set without a tenant.
            DeleteIncomplete: Some objects could not be removed.
        """
        ...

    @declare(Kind.ITERATOR)
    def iter_tenants(self) -> AsyncIterator[TenantId]:
        """The tenants that have any object, in the order of their encoded ids.

        1 request per 1,000 tenants. A store bound to a tenant yields that one, if it has any.
        """
        ...

    @overload
    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["requests"] = "requests",
        partition: Partition | None = None,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport: ...

    @overload
    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["lifecycle"],
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> OffboardingReport: ...

    @declare(Kind.CALL, tenant="tenant_id", concurrent=True)
    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["requests", "lifecycle"] = "requests",
        partition: Partition | None = None,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport | OffboardingReport:
        """Removes everything that belongs to a tenant: offboarding.

        2 requests an execution for the owner records, then 1 list and 1 batch per 1,000 objects.
        After an interruption, running it again finishes the job. Noncurrent versions of a versioned
        bucket stay until its lifecycle rules remove them. The owner record of an execution that has
        neither snapshot nor keys is not found in this way; `sweep` removes it.

        With ``by="lifecycle"``, for a tenant too large for that, the bucket removes it: a temporary
        lifecycle rule deletes everything below the tenant's prefix a day after it was written,
        including foreign objects. The call returns at once, and its report says when to repeat it.
        Once nothing is left, it removes the tenant's owner records and then the rule, and reports
        ``done``. Until then everything can still be read, and **anything written to the tenant is
        lost a day later**, even if the tenant has come back: views give no warning of the rule, but
        `check_lifecycle` and the doctor report it. 2 reads, and 2 requests to write the rule; at
        the end 1 list per 1,000 owner records of the store, 1 batch for as many of the tenant's,
        and 3 requests to remove the rule. It needs the rights of `apply_lifecycle`.

        Args:
            tenant_id: The tenant.
            by: "requests" removes it now, object by object; "lifecycle" uses a rule of the bucket.
            partition: Remove only what lies in this part; see `partitions`. By requests only.
            progress: Called with what was removed so far, after each owner record and each batch.

        Raises:
            DeleteIncomplete: Some objects could not be removed.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No rule can be written: the service has none, this store is a
                tenant's view, or Terraform owns the rules; then the message has the input for its
                module. Or the tenant's rule was changed since it was written; the message names it.
                Nothing was done.
        """
        ...

    @declare(Kind.CALL, tenant="tenant", concurrent=True)
    async def partitions(
        self, n: int, *, tenant: TenantId | str | None = None, report: str | None = None
    ) -> list[Partition]:
        """Divides what is stored into parts of about the same number of objects.

        `sweep`, `delete_tenant` and the copies and inventories of `statebucket.admin` take
        ``partition=``, so that several of them can run at the same time, on one machine or on many;
        their reports add up. Together the parts leave nothing out, not even what is written later
        (but see `statebucket.admin.copy`). A call may be repeated for a part, or made for two that
        overlap. All workers must take their parts from the same division: two made at different
        times divide at different places.

        The numbers of objects are estimated from samples of the names, so the parts differ in size.
        An execution is never divided. A service that does not list in order is not divided.

        About 30 requests for each of the larger tenants, 1 for each of up to 1,000 others, 1 per
        1,000 tenants, and up to 10 for each part.

        Args:
            n: How many parts to make; there may be fewer.
            tenant: Divide only what this tenant has.
            report: The address of an inventory report (see `sweep`): its files are shared out, for
                `sweep` and inventories; 1 request.

        Returns:
            The parts, in order; owner records come last.

        Raises:
            InvalidArgument: ``n`` is not from 1 to 100,000.
            InvalidReport: The report is not about this store.
            TenantMismatch: This store is bound to another tenant.
        """
        ...

    @declare(Kind.CALL, tenant="tenant", concurrent=True)
    async def sweep(
        self,
        *,
        tenant: TenantId | str | None = None,
        dry_run: bool = False,
        orphans: bool = False,
        margin: timedelta | float = MARGIN,
        partition: Partition | None = None,
        report: str | None = None,
        progress: Callable[[SweepReport], None] | None = None,
    ) -> SweepReport:
        """Removes expired objects now, each only at the version that was seen expired.

        For TTLs below a day, and for services without lifecycle rules. It also removes owner
        records of executions that have nothing left, and writes those that are missing for live
        snapshots. Where listings have metadata: 1 request per 1,000 objects, 1 for each expired
        one, 1 for each live snapshot (its owner record), 1 for each execution that has keys (its
        snapshot; for keys set without a tenant 1 more) and 2 or 3 for each owner record; on S3 1
        more for each object. It is always safe to run it again.

        An execution that has keys and no live snapshot is an orphan, and is counted. It may be one
        that has not saved yet, or state that never has a snapshot, so its keys stay unless
        ``orphans`` is set. Executions with ``keep=True`` (see `execution`), such as LangGraph's
        threads and the Claude Agent SDK's sessions, are not orphans.

        Args:
            tenant: Sweep this tenant only; missing owner records are then written, but none are
                removed.
            dry_run: Only report what would be done.
            orphans: Remove the keys of each orphan, if all of them were written longer ago than
                ``margin``, by the service's clock: make it longer than an execution works before
                its first save. Each key is removed only at the version that was listed; if one has
                been written again, the others stay. State that has keys and never a snapshot is
                removed unless it was written with ``keep=True``. 2 requests an orphan and 1 for
                each key. The keys of an execution that were set without a tenant are removed only
                by a sweep of the whole store, which writes missing owner records first; a sweep of
                a part only counts them.
            margin: How long an object must have been expired, since clocks differ, as a `timedelta`
                or in seconds.
            partition: Sweep only what lies in this part; see `partitions`.
            report: The address of the manifest of an inventory report of S3, Cloud Storage or Azure
                Blob, such as ``s3://inventories/bucket/daily/2026-11-27T01-00Z/manifest.json``,
                which is read with this store's options; or the path of a downloaded one. The sweep
                covers the objects that it names, without a listing. It is old: objects written
                since are not checked, and each object is checked with 1 request before it is
                removed. If the report has the objects' metadata (on Azure), those that had not
                expired by then take no request; otherwise each object takes 1. A report does not
                show orphans.
            progress: Called with what was done so far, after each page of a listing.

        Raises:
            InvalidReport: The report is of another bucket, without a column that is needed, or
                altered.
            SweepIncomplete: Some objects could not be removed; the error has a report of what was
                done.
            TenantMismatch: This store is bound to another tenant.
        """
        ...

    @declare(Kind.CALL)
    async def check_lifecycle(self) -> LifecycleReport:
        """Compares the bucket's lifecycle rules with what TTLs need: 1 request.

        Reads rules on S3 and Cloud Storage; on Azure, where they cannot be read, the report lists
        the rules that are needed. Needs ``s3:GetLifecycleConfiguration`` or
        ``storage.buckets.get``.

        Returns:
            What is missing, wrong, or would delete state too early; ``ok`` is true if nothing is.
        """
        ...

    @declare(Kind.CALL)
    async def apply_lifecycle(self, *, dry_run: bool = True) -> LifecyclePlan:
        """Writes the lifecycle rules that are missing or wrong: 1 request to look, 1 to write.

        Other rules stay as they are. On a bucket whose rules Terraform owns nothing is written,
        since Terraform would undo the change; the plan has the module's input instead. On S3, a
        change that someone else makes between the two requests is lost; Cloud Storage detects it
        and keeps it.

        Args:
            dry_run: Only say what would be written.

        Raises:
            UnsupportedOperation: ``dry_run`` is false, and this store is bound to a tenant.
        """
        ...

    async def __aenter__(self) -> Self:
        """Returns the store; no request is sent."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Shuts the store down."""
        ...

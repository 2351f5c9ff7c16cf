"""The blocking store; made by `make stubs` from the asynchronous one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from statebucket.contract.entries import KeyEntry, SnapshotEntry
from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
from statebucket.contract.offboarding import OffboardingReport
from statebucket.contract.partition import Partition
from statebucket.contract.reports import DeletionReport, SweepReport
from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.state_store import MARGIN
from statebucket.contract.stats import Stats
from statebucket.contract.versions import Stored, Version

T = TypeVar("T")

class BlockingStateStore:
    @property
    def name(self) -> str:
        """The service: "s3", "gcs", "azure", "sqlite", "memory", or a third party's own."""

    @property
    def requires_network(self) -> bool:
        """Whether calls leave this machine."""

    @property
    def supports_air_gapped(self) -> bool:
        """Whether it works without a network: the opposite of `requires_network`."""

    def health_check(self) -> None:
        """Returns if the storage can be reached and listed: 1 request.

        Raises:
            StateBucketError: What is wrong, as a typed error: `BucketNotFound`, `AccessDenied`,
                `InvalidCredentials`, `Unavailable`, `DeadlineExceeded`.
        """

    def shutdown(self) -> None:
        """Closes the connections. Doing it twice is no error.

        A later call opens new ones. A client or session of the caller's stays open.
        """

    def tenant(self, tenant_id: TenantId | str) -> BlockingStateStore:
        """The same contract, bound to one tenant: 0 requests.

        Keys then live in the tenant's prefix, snapshots are found without an owner record, and a
        snapshot or listing of another tenant is refused. Ids are the tenant's own: another tenant
        may have an execution or a key of the same name, and neither learns of the other's.

        Raises:
            InvalidKey: The id cannot name a tenant.
            TenantMismatch: This store is bound to another tenant already.
        """

    @property
    def tenant_id(self) -> TenantId | None:
        """The tenant that this store is bound to; None where it is bound to none."""

    def execution(
        self, execution_id: ExecutionId | str, *, keep: bool = False
    ) -> BlockingExecutionStore:
        """The same store bound to one execution: 0 requests.

        Its calls need not name the execution, and take its keys without ``exec:{execution_id}:``.
        Call it on a tenant's view, unless the execution's keys are those that no tenant owns.

        Args:
            execution_id: The execution. It may hold a ``:``, whose keys are reached here only.
            keep: For an execution whose keys are all that there is, as a framework's thread. What
                is set through it is marked, in the object's metadata, at no request more; while one
                key that is marked lives, ``sweep(orphans=True)`` leaves the whole execution, and
                counts it as no orphan.

        Raises:
            InvalidKey: The id cannot name an execution.
        """

    def snapshot(self, execution_id: ExecutionId | str, **fields: Any) -> ExecutionSnapshot:
        """Builds a snapshot of this store's tenant, without saving it: 0 requests.

        Args:
            execution_id: The execution.
            fields: The other fields of `ExecutionSnapshot`, each with a default.

        Returns:
            The snapshot, with this store's `tenant_id`.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
            TenantMismatch: ``tenant_id`` is given, and is another's.
            UnsupportedOperation: This store is bound to no tenant.
        """

    def stats(self) -> Stats:
        """What this store and its views have done since it was opened: 0 requests."""

    def with_deadline(self, deadline: timedelta | float) -> BlockingStateStore:
        """The same store, whose calls answer within another time: 0 requests.

        Args:
            deadline: The time, a `timedelta` or seconds, at most a day.

        Raises:
            InvalidArgument: ``deadline`` is not a positive duration, or over a day.
        """

    def save_snapshot(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: BlockingLease | None = None,
        want_current: bool = False,
    ) -> Version:
        """Keeps the latest snapshot of an execution.

        Best effort, and not the source of truth: it may be overwritten by a later save and lost
        with the bucket. 1 request; 2 for an execution that this process has neither loaded nor
        saved, or has last seen over a minute ago; 1 more when a condition fails. With a TTL, up to
        2 more where another process has saved it, or where its owner record must live longer.

        Args:
            snapshot: What to keep. It is validated again, and copied, before the first request.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired snapshot too. A version, as a load or save returned it, replaces only that
                one.
            ttl: How long the snapshot can be loaded, a `timedelta` or seconds; by default the
                store's ``finished_ttl`` for a finished execution, else its ``retention``, else for
                ever.
            only_newer: Never replace a snapshot with a higher ``sequence_number``; an equal one is
                a redelivery, and is written. 1 request more where the stored version is not known
                from a load or save.
            lease: Write only over the version that was there when this lease was taken, or that
                was loaded or saved under it since; see `lease`.
            want_current: Have the snapshot that won in the error's ``current``, at no request more;
                with ``if_version``, ``only_newer`` or ``lease``.

        Returns:
            The version that was written.

        Raises:
            InvalidSnapshot: It was changed in place to what JSON cannot carry; the message has the
                path.
            VersionConflict: The condition does not hold: there is a snapshot already, or another
                version, or none any more. It is left as it is.
            StaleSnapshot: ``only_newer``, and a newer snapshot is stored.
            LeaseLost: The lease ran out, or its next holder has saved.
            TenantMismatch: This store is bound to another tenant than the snapshot's.
        """

    def load_snapshot(self, execution_id: ExecutionId | str) -> ExecutionSnapshot | None:
        """The latest snapshot of an execution, or None if there is none or it has expired.

        The caller checks its ``sequence_number`` against the event log. 1 request; 2 where no
        tenant is bound and this process has not seen the execution within a minute.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            CorruptObject: What is stored is no snapshot of this execution.
        """

    def load_stored(self, execution_id: ExecutionId | str) -> Stored[ExecutionSnapshot] | None:
        """As `load_snapshot`, with the version, expiry and size.

        The ``version`` is what ``if_version=`` takes to replace or delete just this snapshot.
        """

    def delete_snapshot(
        self,
        execution_id: ExecutionId | str,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> bool | None:
        """Deletes an execution's snapshot; deleting what is not there is no error.

        Its keys and its owner record stay. Bound to a tenant 1 request, else 2: its tenant is
        always looked up, since that decides whose snapshot goes. 1 more when a condition fails.

        Args:
            execution_id: The execution.
            if_version: Delete only this version, as a load or save returned it; by default
                whatever is there. `Version.ABSENT` is refused.
            want_current: Have what won in the error's ``current``, at no request more; with
                ``if_version``.

        Returns:
            Whether there was one; see `delete`.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            VersionConflict: A snapshot of another version is stored, and stays.
        """

    def update_snapshot(
        self,
        execution_id: ExecutionId | str,
        function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None],
    ) -> ExecutionSnapshot | None:
        """Loads a snapshot, has a function change it, and saves that on the version it loaded.

        As `update` for a key: it begins again where another worker was quicker. 2 requests where
        none is; 1 more for an execution that has no snapshot yet, and 1 without a tenant bound,
        since its tenant is always looked up.

        Args:
            execution_id: The execution.
            function: Takes the latest snapshot, or None if there is none or it has expired, and
                returns what to save: mostly ``snapshot.advance(…)``. None leaves all as it is. It
                may be called several times. The moment of expiry stays as it is; but
                ``finished_ttl``, for a finished execution, and else ``retention`` count from now.

        Returns:
            The snapshot that is stored then, or None.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            InvalidArgument: ``function`` is no plain function.
            InvalidSnapshot: It has returned something else, or the snapshot of another execution.
            TenantMismatch: It has returned another tenant's snapshot.
            VersionConflict: As of `update`.
            CorruptObject: What is stored is no snapshot of this execution.
        """

    def lease(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float,
        wait: timedelta | float | None = None,
    ) -> AbstractContextManager[BlockingLease]:
        """Holds an execution for one worker at a time, for ``with``.

        3 requests to take it (4 without a tenant bound), 1 at each third of ``ttl`` to renew it, 1
        to give it up. What it guarantees, and what it does not, is said in
        `statebucket.contract.lease`; in short: a lease saves double work, and
        ``save_snapshot(…, lease=lease)`` never overwrites a successor's save, however long this
        process was paused.

        Args:
            execution_id: The execution. Without a tenant bound, one that a tenant owns already.
            ttl: How long after the last renewal another process may take the lease over (with 2 s
                more for clocks that differ). Longer than the longest pause to expect of a process,
                and at most a day.
            wait: How long to wait for another holder, as a `timedelta` or in seconds; not at all by
                default.

        Raises:
            LeaseHeld: Another holder has it.
            InvalidTTL: ``ttl`` is not a positive duration, or over a day.
        """

    def writer(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: BlockingLease | None = None,
    ) -> BlockingSnapshotWriter:
        """A writer that coalesces many saves of one execution, for ``with``.

        At most one save is in flight, with the interval between them that the service asks for
        (GCS: one second an object); of the snapshots that come meanwhile the latest is written.
        Leaving the block writes the last one. Two writers of one execution do not know of each
        other.

        Args:
            execution_id: The execution.
            ttl: As for `save_snapshot`.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only what this lease allows, as for `save_snapshot`.
        """

    def set(
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
                ``retention``, else for ever.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Have what won in the error's ``current``, as bytes, at no request more;
                with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidValue: ``value`` is none of these.
            VersionConflict: The condition does not hold: there is a value already, or another
                version, or none any more. It is left as it is.
        """

    def get(self, key: str) -> bytes | None:
        """A value, or None if it does not exist or has expired: 1 request.

        A view sees its tenant's keys; a store without a tenant sees the shared ones, those that
        were set through such a store, ``exec:`` keys too.

        Args:
            key: As for `set`.
        """

    def get_stored(self, key: str) -> Stored[bytes] | None:
        """As `get`, with the version, expiry and size: 1 request.

        The ``version`` is what ``if_version=`` takes to replace or delete just this value.
        """

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """Many values: 1 request for each key, up to 32 of them at one time.

        The services have no call that reads several objects, so that this saves time and no
        request. Each key has a deadline of its own. All keys are checked before the first request,
        and all values are held in memory at once.

        Args:
            keys: The keys, of any executions and of none; one that comes twice is read once. They
                are those that `get` sees.

        Returns:
            The value of each key, in the order given; None for one that does not exist or has
            expired. They are not of one moment: each is read by itself.

        Raises:
            InvalidArgument: ``keys`` is no list of keys.
            InvalidKey: One of them cannot name an object; nothing was read.
        """

    def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        """As `get_many`, with the version, expiry and size of each: 1 request for each key."""

    def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        """Loads a value, has a function change it, and writes that on the version it loaded.

        Where another writer was quicker it begins again, at once and then with full jitter, until
        the deadline: no update is lost and none is done twice. 2 requests where no one else
        writes, 2 or 3 more for each lost race. Many writers of one value take turns, so that
        a value which many update at all times should be several. Cloud Storage takes one write a
        second to an object: there more than about one update a second ends in `Throttled` or
        `DeadlineExceeded`, unless the deadline is long enough for all to have their turn.

        Args:
            key: As for `set`.
            function: Takes the value, or None if it does not exist or has expired, and returns
                what to store. None leaves all as it is. A plain function that returns soon, without
                calls of this store: it may be called several times, with what others have
                written since.
            ttl: How long the value can be read from now on, a `timedelta` or seconds. By default
                the moment of expiry stays as it is, or on a store with ``retention`` that counts
                again.

        Returns:
            The value that is stored then, or None.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidArgument: ``function`` is no plain function.
            InvalidValue: It has returned something else.
            VersionConflict: Others were quicker until the deadline (``outcome`` is "none"); or a
                reply was lost and another has written since, so that this update may be part of
                what is stored (``outcome`` is "unknown").
        """

    @overload
    def update_json(
        self, key: str, function: Callable[[Any], Any], *, ttl: timedelta | float | None = None
    ) -> Any:
        """As `update`, for a JSON value: ``update_json("n", lambda n: (n or 0) + 1)`` counts.

        Args:
            key: As for `set`.
            function: Takes the value and returns what to store, any value that `set_json` takes and
                that can be decoded to ``type``.
            type: What to decode the value to, as `msgspec.json.decode` takes it.
            ttl: As for `update`.

        Returns:
            The value that is stored then, as `get_json` returns it.

        Raises:
            InvalidArgument: ``function`` is no plain function, or ``type`` is none that msgspec
                decodes to.
            InvalidValue: ``function`` has returned what JSON would not carry unchanged, or what
                cannot be decoded to ``type``.
            VersionConflict: As of `update`.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def update_json(
        self,
        key: str,
        function: Callable[[T | None], T | None],
        type: type[T],
        ttl: timedelta | float | None = None,
    ) -> T | None:
        """As `update`, for a JSON value: ``update_json("n", lambda n: (n or 0) + 1)`` counts.

        Args:
            key: As for `set`.
            function: Takes the value and returns what to store, any value that `set_json` takes and
                that can be decoded to ``type``.
            type: What to decode the value to, as `msgspec.json.decode` takes it.
            ttl: As for `update`.

        Returns:
            The value that is stored then, as `get_json` returns it.

        Raises:
            InvalidArgument: ``function`` is no plain function, or ``type`` is none that msgspec
                decodes to.
            InvalidValue: ``function`` has returned what JSON would not carry unchanged, or what
                cannot be decoded to ``type``.
            VersionConflict: As of `update`.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    def delete(
        self, key: str, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        """Deletes a key; deleting what is not there is no error: 1 request, 2 when it loses.

        Args:
            key: As for `set`: a view deletes its tenant's, a store without a tenant a shared one.
            if_version: Delete only this version, as a load or save returned it; by default
                whatever is there. `Version.ABSENT` is refused.
            want_current: Have what won in the error's ``current``, at no request more; with
                ``if_version``.

        Returns:
            Whether there was something. None if that is not known: S3 does not say, and after a
            lost reply no one can. An expired value counts as nothing on SQLite and in memory, and
            as something where the service does not show what it deletes.

        Raises:
            VersionConflict: Another version is stored, and stays. A key that is gone or has
                expired is no conflict.
        """

    def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        """Deletes many keys: 1 request for each batch, of what the service takes in one.

        A batch holds 1,000 keys on S3, 100 on Cloud Storage, 256 on Azure. Each has a deadline of
        its own. All keys are checked before the first request. After an interruption, running it
        again finishes the job: deleting what is not there is no error.

        Args:
            keys: The keys, of any executions and of none; one that comes twice counts once. As for
                `set`: a view deletes its tenant's, a store without a tenant shared ones.

        Returns:
            How many there were, as ``keys``, and as ``unreported`` how many are gone of which it is
            not known whether they were there (on S3 all).

        Raises:
            InvalidKey: One of them cannot name an object; nothing was deleted.
            DeleteIncomplete: Some could not be deleted: its ``failures`` has the error of each,
                by key, and its ``report`` what was deleted.
        """

    def exists(self, key: str) -> bool:
        """Whether a key exists; an expired one does not: 1 request.

        It sees the same keys as `get`. On S3 this call cannot distinguish a missing bucket from a
        missing key.
        """

    def set_json(
        self,
        key: str,
        value: Any,
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        """As `set`, for a value that JSON carries: plain, a Struct, a dataclass, a pydantic model.

        The fields of a msgspec Struct or a dataclass may be datetimes, sets, enums and the like,
        which `get_json` restores if it is given that type. A pydantic model is stored as a dict of
        its fields, which must be plain; of another, store ``model.model_dump(mode="json")``. It is
        read by ``Model.model_validate(store.get_json(key))``. 1 request, 2 when it loses.

        Args:
            key: As for `set`.
            value: The value.
            ttl: As for `set`.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Have what won in the error's ``current``, decoded from JSON, at no request
                more; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            VersionConflict: The condition does not hold, as for `set`.
            InvalidValue: JSON would not carry it unchanged (NaN, keys that are not strings, a set,
                a datetime, …); the message names the type, where it stands, and what to call.
        """

    @overload
    def get_json(self, key: str) -> Any:
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def get_json(self, key: str, type: type[T]) -> T | None:
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def get_json_stored(self, key: str) -> Stored[Any] | None:
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Returns:
            The value and what is known of it, or None if it does not exist or has expired. Its
            ``version`` is what ``set_json(…, if_version=)`` takes to replace just this one.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is no JSON, or of another type.
        """

    @overload
    def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None:
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key.
            type: What to decode to, as `msgspec.json.decode` takes it.

        Returns:
            The value and what is known of it, or None if it does not exist or has expired. Its
            ``version`` is what ``set_json(…, if_version=)`` takes to replace just this one.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is no JSON, or of another type.
        """

    def list_snapshots(
        self, tenant_id: TenantId | str | None = None, limit: int = 1000
    ) -> list[ExecutionId]:
        """Up to ``limit`` executions of a tenant that have a snapshot: 1 request per 1,000.

        In the order of their encoded ids, each page with its own deadline. On S3, whose listings
        have no metadata, one that has expired may show until it is removed; see `iter_snapshots`.

        Args:
            tenant_id: The tenant; on a store that is bound to one, that by default.
            limit: At most so many.

        Raises:
            InvalidArgument: ``limit`` is negative.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is bound to none.
        """

    def iter_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> Iterator[ExecutionId]:
        """The executions of a tenant that have a snapshot: 1 request per 1,000.

        In the order of their names in the bucket, where all but letters, digits, ``-``, ``_`` and
        inner ``.`` is escaped as ``~`` and hex digits, and ``~`` comes last. A service that lists
        in no order (S3 directory buckets, Azure accounts with a hierarchical namespace) is read to
        the end and sorted where ``after`` or ``limit`` is given.

        Args:
            tenant_id: The tenant; on a store that is bound to one, that by default.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 1
                request more.
            after: Only those behind this id in the order above, which need not exist: the last of
                a listing goes on where that ended.
            limit: At most so many.
            live: Leave out expired ones on S3 too, for one request more an execution there.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: ``prefix`` or ``after`` is no text that an id can begin with, or be.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is bound to none.
        """

    def scan_snapshots(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        live: bool = False,
    ) -> Iterator[SnapshotEntry]:
        """As `iter_snapshots`, with the size and times that the listing shows: no request more.

        Args:
            tenant_id: The tenant; on a store that is bound to one, that by default.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 1
                request more.
            after: Only those behind this id in the order above, which need not exist: the last of
                a listing goes on where that ended.
            limit: At most so many.
            live: Leave out expired ones on S3 too, for one request more an execution there.

        Returns:
            For each execution its `SnapshotEntry`: ``id``, ``size``, ``modified_at`` and, where the
            listing shows it, ``expires_at``.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: ``prefix`` or ``after`` is no text that an id can begin with, or be.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: No tenant is given, and this store is bound to none.
        """

    def iter_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[str]:
        """The keys of an execution, or those that belong to none, as they were given to `set`.

        1 request per 1,000, in the order of their names as for `iter_snapshots`. On S3 an expired
        one may show until it is removed. Not bound to a tenant, these are the keys that were set
        without one.

        Args:
            execution_id: The execution; for one whose id holds a ``:``, take
                ``execution(execution_id).iter_keys()``.
            prefix: Only keys that begin with this text: those of an execution as a whole, so that
                it is ``exec:{execution_id}:`` and more. One that ends in ``.`` takes 1 request
                more.
            after: Only those behind this key in that order, which need not exist: the last of a
                listing goes on where that ended.
            limit: At most so many.

        Raises:
            InvalidArgument: ``limit`` is negative, or ``prefix`` or ``after`` is of other keys than
                those that are listed.
            InvalidKey: ``prefix`` or ``after`` is no text that a key can begin with, or be; or the
                id holds a ``:``, and its keys have no text form.
        """

    def scan_keys(
        self,
        execution_id: ExecutionId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[KeyEntry]:
        """As `iter_keys`, with the size and times that the listing shows: no request more.

        Args:
            execution_id: The execution.
            prefix: As for `iter_keys`; likewise the other arguments.
            after: See there.
            limit: See there.

        Returns:
            For each key its `KeyEntry`: ``key``, ``size``, ``modified_at`` and, where the listing
            shows it, ``expires_at``.

        Raises:
            InvalidArgument: As for `iter_keys`.
            InvalidKey: As for `iter_keys`.
        """

    def iter_executions(
        self,
        tenant_id: TenantId | str | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ExecutionId]:
        """The executions of a tenant that have keys or a snapshot, each once.

        1 request per 1,000 with keys and 1 per 1,000 snapshots that come behind ``after``. In the
        order of their names, each with a ``/`` behind it. What has expired and is not removed yet
        counts where the listing does not show it: of keys anywhere, of snapshots on S3.

        Args:
            tenant_id: The tenant; by default that which this store is bound to. Without either,
                the executions whose keys were set without a tenant.
            prefix: Only executions whose id begins with this text. One that ends in ``.`` takes 2
                requests more.
            after: Only those behind this id in the order above, which need not exist: the last of
                a listing goes on where that ended. An id that this one continues with a ``-`` or
                ``.`` comes behind it, and costs 1 request more when its turn comes.
            limit: At most so many.

        Raises:
            InvalidArgument: ``limit`` is negative.
            InvalidKey: ``prefix`` or ``after`` is no text that an id can begin with, or be.
            TenantMismatch: This store is bound to another tenant.
        """

    def delete_execution_state(
        self,
        execution_id: ExecutionId | str,
        *,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport:
        """Removes an execution: its snapshot, every key, and last its owner record.

        1 list and 1 batch for up to a page, 1 for the owner record, and 1 to look that up if it was
        not seen before. Not bound to a tenant, the keys set without one go too, for 2 lists more:
        the tenant is always looked up, since that decides whose state goes. After an interruption,
        running it again finishes the job.

        Args:
            execution_id: The execution.
            progress: Called with what was removed so far, after each batch.

        Returns:
            What was removed.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution. Each view
                removes its own; ``execution(execution_id).delete_keys()`` removes the keys set
                without a tenant.
            DeleteIncomplete: Some objects could not be removed.
        """

    def iter_tenants(self) -> Iterator[TenantId]:
        """The tenants that have any object, in the order of their encoded ids.

        1 request per 1,000 tenants. A store bound to a tenant yields that one, if it has any.
        """

    @overload
    def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["requests"] = "requests",
        partition: Partition | None = None,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport:
        """Removes all that belongs to a tenant: off-boarding.

        2 requests an execution for the owner records, then 1 list and 1 batch per 1,000 objects.
        After an interruption, running it again finishes the job. Noncurrent versions of a versioned
        bucket stay until its lifecycle rules remove them. The owner record of an execution that has
        neither snapshot nor keys is not found by the tenant; `sweep` removes it.

        With ``by="lifecycle"``, for a tenant too large for that, the bucket does the removing: a
        temporary lifecycle rule deletes whatever lies below the tenant's prefix a day after its
        write, foreign objects too. The call returns at once, and its report says from when on to
        make it again. Once nothing is left, it removes the tenant's owner records and then the
        rule, and reports ``done``. Until then all can still be read, and **what is written to the
        tenant is lost a day later**, also if it has come back: no view knows of the rule, which
        `check_lifecycle` and the doctor report. 2 reads, and 2 requests to write the rule; at the
        end 1 list per 1,000 owner records of the store, 1 batch for as many of the tenant's, and 2
        requests to remove the rule. It needs the rights of `apply_lifecycle`.

        Args:
            tenant_id: The tenant.
            by: "requests" removes it now, object by object; "lifecycle" by a rule of the bucket.
            partition: Remove only what lies in this part; see `partitions`. By requests only.
            progress: Called with what was removed so far, after each owner record and each batch.

        Raises:
            DeleteIncomplete: Some objects could not be removed.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: By a rule where none can be written: the service has none, this
                store is a tenant's view, or Terraform owns the rules. Then the message has the
                input for its module, and nothing was written.
        """

    @overload
    def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["lifecycle"],
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> OffboardingReport:
        """Removes all that belongs to a tenant: off-boarding.

        2 requests an execution for the owner records, then 1 list and 1 batch per 1,000 objects.
        After an interruption, running it again finishes the job. Noncurrent versions of a versioned
        bucket stay until its lifecycle rules remove them. The owner record of an execution that has
        neither snapshot nor keys is not found by the tenant; `sweep` removes it.

        With ``by="lifecycle"``, for a tenant too large for that, the bucket does the removing: a
        temporary lifecycle rule deletes whatever lies below the tenant's prefix a day after its
        write, foreign objects too. The call returns at once, and its report says from when on to
        make it again. Once nothing is left, it removes the tenant's owner records and then the
        rule, and reports ``done``. Until then all can still be read, and **what is written to the
        tenant is lost a day later**, also if it has come back: no view knows of the rule, which
        `check_lifecycle` and the doctor report. 2 reads, and 2 requests to write the rule; at the
        end 1 list per 1,000 owner records of the store, 1 batch for as many of the tenant's, and 2
        requests to remove the rule. It needs the rights of `apply_lifecycle`.

        Args:
            tenant_id: The tenant.
            by: "requests" removes it now, object by object; "lifecycle" by a rule of the bucket.
            partition: Remove only what lies in this part; see `partitions`. By requests only.
            progress: Called with what was removed so far, after each owner record and each batch.

        Raises:
            DeleteIncomplete: Some objects could not be removed.
            TenantMismatch: This store is bound to another tenant.
            UnsupportedOperation: By a rule where none can be written: the service has none, this
                store is a tenant's view, or Terraform owns the rules. Then the message has the
                input for its module, and nothing was written.
        """

    def partitions(
        self, n: int, *, tenant: TenantId | str | None = None, report: str | None = None
    ) -> list[Partition]:
        """Divides what is stored into parts of about the same number of objects.

        For `sweep`, `delete_tenant` and the copies and inventories of `statebucket.admin`, several
        at a time, on one machine or on many: each takes ``partition=``, and the reports add up.
        Together the parts leave nothing out, also of what is written later (but see
        `statebucket.admin.copy`); a call may be made twice for one of them, or for two that
        overlap. Workers must take their parts from one division: two made at different times have
        their borders in different places.

        The numbers are estimated from samples of the names, so that parts differ in size. An
        execution is never divided. A service that does not list in order is not divided.

        Some 30 requests for each of the larger tenants, 1 for each other (of up to 1,000 of them),
        1 per 1,000 tenants, and up to 10 a part.

        Args:
            n: How many parts to make; there are fewer where fewer can be told apart.
            tenant: Divide what this tenant has.
            report: The address of an inventory report (see `sweep`): its files are shared out, for
                `sweep` and inventories; 1 request.

        Returns:
            The parts, in order; owner records come last.

        Raises:
            InvalidArgument: ``n`` is not from 1 to 100,000.
            InvalidReport: The report is none of this store.
            TenantMismatch: This store is bound to another tenant.
        """

    def sweep(
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
        records of executions that have nothing left, and writes those that live snapshots have
        lost. Where listings have metadata: 1 request per 1,000 objects, 1 for each expired one, 1
        for each live snapshot (its owner record), 1 for each execution that has keys (its snapshot;
        for keys set without a tenant 1 more) and 2 or 3 for each owner record; on S3 1 more for
        each object. Running it again is safe at any time.

        An execution that has keys and no live snapshot is an orphan, and is counted. It may be one
        that has not saved yet, or state that never has a snapshot, so that its keys stay unless
        ``orphans`` is set. One that is kept (``execution(…, keep=True)``), as LangGraph's threads
        and the Claude Agent SDK's sessions are, is no orphan.

        Args:
            tenant: Sweep this tenant only; owner records are then written where they were lost, but
                not removed.
            dry_run: Only report what would be done.
            orphans: Remove the keys of each orphan, if all of them were written longer ago than
                ``margin``, by the service's clock: make that longer than an execution works before
                it saves. Each key goes only at the version that was listed; once one has been
                written again the others stay. State that has keys and never a snapshot is removed
                unless it is kept. 2 requests an orphan and 1 for each key. The keys of an execution
                that were set without a tenant are removed only by a sweep of the whole store, which
                has first written the owner records that were lost; one of a part counts them.
            margin: How long an object must have been expired, for clocks that differ, as a
                `timedelta` or in seconds.
            partition: Sweep only what lies in this part; see `partitions`.
            report: The address of the manifest of an inventory report of S3, Cloud Storage or Azure
                Blob, as ``s3://inventories/bucket/daily/2026-11-27T01-00Z/manifest.json``, which is
                read by this store's options, or the path of one that was downloaded: what it names
                is swept, without a listing. It is old: what was written since is not looked at, and
                each object that is to be removed is looked at first, by 1 request. Where it has the
                objects' metadata (on Azure), those that had not expired by it take none; else each
                takes 1. A report cannot tell orphans.
            progress: Called with what was done so far, after each page of a listing.

        Raises:
            InvalidReport: The report is of another bucket, without a column that is needed, or
                altered.
            SweepIncomplete: Some objects could not be removed; it holds what was done.
            TenantMismatch: This store is bound to another tenant.
        """

    def check_lifecycle(self) -> LifecycleReport:
        """Compares the bucket's lifecycle rules with what TTLs need: 1 request.

        Reads rules on S3 and Cloud Storage; on Azure, where they are out of sight, the report lists
        what must be there. Needs ``s3:GetLifecycleConfiguration`` or ``storage.buckets.get``.

        Returns:
            What is missing, wrong, or would take state away early; ``ok`` where nothing is.
        """

    def apply_lifecycle(self, *, dry_run: bool = True) -> LifecyclePlan:
        """Writes the lifecycle rules that are missing or wrong: 1 request to look, 1 to write.

        Foreign rules stay as they are. On a bucket whose rules Terraform owns, which would undo the
        change, nothing is written and the plan has the module's input instead. On S3 a change that
        somebody else makes between the two requests is lost; Cloud Storage tells, and it survives.

        Args:
            dry_run: Only say what would be written.

        Raises:
            UnsupportedOperation: It is to write, and this store is bound to a tenant.
        """

    def __enter__(self) -> Self:
        """Returns the store; no request is sent."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Shuts the store down."""

class BlockingExecutionStore:
    @property
    def execution_id(self) -> ExecutionId:
        """The execution."""

    @property
    def tenant_id(self) -> TenantId | None:
        """The tenant that the store is bound to; None where it is bound to none."""

    def snapshot(self, **fields: Any) -> ExecutionSnapshot:
        """Builds a snapshot of this execution and tenant, without saving it: 0 requests.

        Args:
            fields: The other fields of `ExecutionSnapshot`, each with a default.

        Raises:
            InvalidSnapshot: A field breaks its rule, or there is no such field.
            UnsupportedOperation: The store is bound to no tenant.
        """

    def save(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: BlockingLease | None = None,
        want_current: bool = False,
    ) -> Version:
        """Keeps the latest snapshot of this execution.

        Best effort, and not the source of truth. 1 request; 2 where this process has neither loaded
        nor saved the execution, or last over a minute ago; 1 more when a condition fails.

        Args:
            snapshot: What to keep. It is validated again before the first request.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired snapshot too. A version, as a load or save returned it, replaces only that
                one.
            ttl: How long it can be loaded, a `timedelta` or seconds; by default the store's
                ``finished_ttl`` for a finished execution, else its ``retention``, else for ever.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only over what was there when this lease was taken, or was loaded or saved
                under it since.
            want_current: Have the snapshot that won in the error's ``current``.

        Returns:
            The version that was written.

        Raises:
            InvalidSnapshot: It is that of another execution, or is not valid any more.
            VersionConflict: The condition does not hold; what is stored is left as it is.
            StaleSnapshot: ``only_newer``, and a newer snapshot is stored.
            LeaseLost: The lease ran out, or its next holder has saved.
            TenantMismatch: It is of another tenant than the store is bound to.
        """

    def load(self) -> ExecutionSnapshot | None:
        """The latest snapshot, or None if there is none or it has expired.

        1 request; 2 where no tenant is bound and this process has not seen the execution within a
        minute. The caller checks its ``sequence_number`` against the event log.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have the execution.
            CorruptObject: What is stored is no snapshot of this execution.
        """

    def load_stored(self) -> Stored[ExecutionSnapshot] | None:
        """As `load`, with the version, expiry and size.

        The ``version`` is what ``save(…, if_version=)`` and ``delete_snapshot(if_version=)`` take,
        to replace or delete just this snapshot.
        """

    def update_snapshot(
        self, function: Callable[[ExecutionSnapshot | None], ExecutionSnapshot | None]
    ) -> ExecutionSnapshot | None:
        """Loads the snapshot, has a function change it, and saves that on the version it loaded.

        It begins again where another worker was quicker, until the deadline. 2 requests where none
        is; 1 more where there is no snapshot yet, and 1 without a tenant bound.

        Args:
            function: Takes the latest snapshot, or None if there is none or it has expired, and
                returns what to save: mostly ``snapshot.advance(…)``. None leaves all as it is. A
                plain function; it may be called several times.

        Returns:
            The snapshot that is stored then, or None.

        Raises:
            InvalidSnapshot: It has returned something else, or another execution's snapshot.
            VersionConflict: Others were quicker until the deadline.
            AmbiguousExecution: No tenant is bound, and several have the execution.
        """

    def delete_snapshot(
        self, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
        """Deletes the snapshot, and neither a key nor the owner record.

        1 request, 2 without a tenant bound; 1 more when the condition fails.

        Args:
            if_version: Delete only this version, as a load or save returned it.
            want_current: Have what won in the error's ``current``; with ``if_version``.

        Returns:
            Whether there was one; None where the service does not say.

        Raises:
            VersionConflict: A snapshot of another version is stored, and stays.
            AmbiguousExecution: No tenant is bound, and several have the execution.
        """

    def lease(
        self, *, ttl: timedelta | float, wait: timedelta | float | None = None
    ) -> AbstractContextManager[BlockingLease]:
        """Holds the execution for one worker at a time, for ``with``.

        3 requests to take it (4 without a tenant bound), 1 at each third of ``ttl``, 1 to give it
        up. A lease saves double work; ``save(…, lease=lease)`` is what never overwrites a
        successor's save.

        Args:
            ttl: How long after the last renewal another process may take the lease over, at most a
                day.
            wait: How long to wait for another holder; not at all by default.

        Raises:
            LeaseHeld: Another holder has it.
        """

    def writer(
        self,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: BlockingLease | None = None,
    ) -> BlockingSnapshotWriter:
        """A writer that coalesces many saves of this execution, for ``with``.

        At most one save is in flight; of the snapshots that come meanwhile the latest is written.
        Leaving the block writes the last one.

        Args:
            ttl: As for `save`.
            only_newer: Never replace a snapshot with a higher ``sequence_number``.
            lease: Write only what this lease allows, as for `save`.
        """

    def set(
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
                ``retention``, else for ever.
            if_version: None replaces whatever is there. `Version.ABSENT` only creates, over an
                expired value too. A version, as a load or save returned it, replaces only that
                one.
            want_current: Have what won in the error's ``current``; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidKey: The key cannot name an object.
            InvalidTTL: ``ttl`` is not a positive duration.
            InvalidValue: ``value`` is not bytes.
            VersionConflict: The condition does not hold; what is stored is left as it is.
        """

    def get(self, key: str) -> bytes | None:
        """A value of this execution, or None if it does not exist or has expired: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
        """

    def get_stored(self, key: str) -> Stored[bytes] | None:
        """As `get`, with the version, expiry and size: 1 request.

        The ``version`` is what ``if_version=`` takes to replace or delete just this value.
        """

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes | None]:
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

    def get_many_stored(self, keys: Iterable[str]) -> dict[str, Stored[bytes] | None]:
        """As `get_many`, with the version, expiry and size of each: 1 request for each key."""

    def update(
        self,
        key: str,
        function: Callable[[bytes | None], bytes | bytearray | memoryview | None],
        ttl: timedelta | float | None = None,
    ) -> bytes | None:
        """Loads a value, has a function change it, and writes that on the version it loaded.

        It begins again where another writer was quicker, until the deadline: no update is lost and
        none is done twice. 2 requests where no one else writes, 2 or 3 more for each lost race.

        Args:
            key: The key as it is, without ``exec:``.
            function: Takes the value, or None if it does not exist or has expired, and returns
                what to store. None leaves all as it is. A plain function that returns soon; it may
                be called several times.
            ttl: How long the value can be read from now on; by default the moment of expiry stays.

        Returns:
            The value that is stored then, or None.

        Raises:
            InvalidValue: ``function`` has returned something else than bytes.
            VersionConflict: Others were quicker until the deadline.
        """

    def set_json(
        self,
        key: str,
        value: Any,
        ttl: timedelta | float | None = None,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> Version:
        """As `set`, for a value that JSON carries: plain, a Struct, a dataclass, a pydantic model.

        1 request, 2 when a condition fails.

        Args:
            key: The key as it is, without ``exec:``.
            value: The value; `StateStore.set_json` says how each kind is stored and read.
            ttl: As for `set`.
            if_version: As for `set`.
            want_current: Have what won in the error's ``current``, decoded; with ``if_version``.

        Returns:
            The version that was written.

        Raises:
            InvalidValue: JSON would not carry it unchanged; the message says where and what to do.
            VersionConflict: The condition does not hold; what is stored is left as it is.
        """

    @overload
    def get_json(self, key: str) -> Any:
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: What to decode to, as `msgspec.json.decode` takes it; by default plain values.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def get_json(self, key: str, type: type[T]) -> T | None:
        """As `get`, decoded from JSON and checked against a type: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: What to decode to, as `msgspec.json.decode` takes it; by default plain values.

        Raises:
            InvalidArgument: ``type`` is none that msgspec decodes to.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def get_json_stored(self, key: str) -> Stored[Any] | None:
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: As for `get_json`.
        """

    @overload
    def get_json_stored(self, key: str, type: type[T]) -> Stored[T] | None:
        """As `get_json`, with the version, expiry and size: 1 request.

        Args:
            key: The key as it is, without ``exec:``.
            type: As for `get_json`.
        """

    @overload
    def update_json(
        self, key: str, function: Callable[[Any], Any], *, ttl: timedelta | float | None = None
    ) -> Any:
        """As `update`, for a JSON value: ``update_json("n", lambda n: (n or 0) + 1)`` counts.

        Args:
            key: The key as it is, without ``exec:``.
            function: Takes the value and returns what to store.
            type: What to decode the value to; what ``function`` returns must fit it.
            ttl: As for `update`.

        Returns:
            The value that is stored then, as `get_json` returns it.

        Raises:
            InvalidValue: ``function`` has returned what JSON would not carry, or of another type.
            VersionConflict: Others were quicker until the deadline.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    @overload
    def update_json(
        self,
        key: str,
        function: Callable[[T | None], T | None],
        type: type[T],
        ttl: timedelta | float | None = None,
    ) -> T | None:
        """As `update`, for a JSON value: ``update_json("n", lambda n: (n or 0) + 1)`` counts.

        Args:
            key: The key as it is, without ``exec:``.
            function: Takes the value and returns what to store.
            type: What to decode the value to; what ``function`` returns must fit it.
            ttl: As for `update`.

        Returns:
            The value that is stored then, as `get_json` returns it.

        Raises:
            InvalidValue: ``function`` has returned what JSON would not carry, or of another type.
            VersionConflict: Others were quicker until the deadline.
            CorruptObject: What is stored is not JSON, or of another type.
        """

    def exists(self, key: str) -> bool:
        """Whether a key exists; an expired one does not: 1 request.

        On S3 this call cannot distinguish a missing bucket from a missing key.
        """

    def delete_many(self, keys: Iterable[str]) -> DeletionReport:
        """Deletes keys by the batch: 1 request for up to 1,000 on S3, 100 on GCS, 256 on Azure.

        All are checked before the first request. Where ``keys`` is empty nothing is deleted.

        Args:
            keys: Keys of this execution, as they are; one that comes twice counts once.

        Returns:
            How many there were, as ``keys``, and as ``unreported`` how many are gone of which it is
            not known whether they were there.

        Raises:
            InvalidKey: One of them cannot name an object; nothing was deleted.
            DeleteIncomplete: Some could not be deleted: its ``failures`` has the error of each.
        """

    def delete_keys(
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

    def iter_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> Iterator[str]:
        """The keys, as they were given to `set`: 1 request per 1,000.

        Args:
            prefix: Only keys that begin with this text.
            after: Only those behind this key, in the order of `StateStore.iter_keys`.
            limit: At most so many.
        """

    def scan_keys(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """As `iter_keys`, with the size and times that the listing shows: no request more.

        Args:
            prefix: Only keys that begin with this text.
            after: Only those behind this key, in the order of `StateStore.iter_keys`.
            limit: At most so many.

        Returns:
            For each key its `KeyEntry`: ``key``, ``size``, ``modified_at`` and, where the listing
            shows it, ``expires_at``.
        """

    @overload
    def delete(
        self, key: str, *, if_version: Version | None = None, want_current: bool = False
    ) -> bool | None:
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

    @overload
    def delete(self, *, progress: Callable[[DeletionReport], None] | None = None) -> DeletionReport:
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

class BlockingLease:
    execution_id: str
    tenant_id: str
    fence: int

    @property
    def held(self) -> bool:
        """Whether the lease is held, as far as this process and its clock can tell: 0 requests."""

    def check(self) -> None:
        """Returns while the lease is held: 0 requests.

        Raises:
            LeaseLost: It ran out, or was taken over.
        """

    def __enter__(self) -> Self:
        """Takes the lease: 3 requests.

        Raises:
            LeaseHeld: Another holder has it, and did not give it up within ``wait``.
            UnsupportedOperation: It was taken before; call ``store.lease(…)`` again.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives the lease up: 1 request. A lease that was lost is not an error here."""

class BlockingSnapshotWriter:
    saved: int
    dropped: int
    failed: int
    version: Version | None

    def save(self, snapshot: ExecutionSnapshot) -> None:
        """Hands over a snapshot and returns at once; it is written unless a later one comes first.

        Raises:
            InvalidSnapshot: It is of another execution.
            UnsupportedOperation: The writer's block has not begun, has ended, or belongs to the
                process that this one is a fork of; no one would wait for it.
            StateBucketError: The snapshot before could not be written: its error, which is raised
                once. This one was not taken: hand it over again, or give up.
        """

    def flush(self) -> Version | None:
        """Waits until the latest snapshot is written, and returns the version.

        Raises:
            StateBucketError: It could not be written.
        """

    def __enter__(self) -> Self:
        """Returns the writer; no request is sent."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Writes what is left, also when the block failed or was cancelled.

        Raises:
            StateBucketError: The last snapshot could not be written.
        """

def open_store(
    url: str | None = None,
    *,
    deadline: timedelta | float | None = None,
    owner_index: bool | None = None,
    engine: str | None = None,
    tenant: str | None = None,
    max_in_flight: int | None = None,
    finished_ttl: timedelta | float | None = None,
    retention: timedelta | float | None = None,
    clock: Callable[[], float | datetime] | None = None,
    **options: Any,
) -> BlockingStateStore:
    """Opens a state store. No request is sent before the first call of the store.

    The store is a context manager; without ``with`` it works as well, and
    ``store.shutdown()`` closes it.

    Args:
        url: ``memory://``, ``sqlite:///relative.db``, ``sqlite:////absolute.db``,
            ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix?account=NAME``;
            by default the environment variable ``STATEBUCKET_URL``. A keyword here wins over the
            URL's parameter of the same name.
        deadline: The time within which each call answers, retries included, a `timedelta` or
            seconds, at most a day; 10 seconds by default.
        owner_index: False for a bucket whose tenants are kept apart by IAM: only tenant views,
            and nothing outside ``tenants/`` is touched.
        engine: Another implementation of the scheme, where one is registered; by default the
            environment variable ``STATEBUCKET_ENGINE``, for the schemes that have the engine it
            names, or else ``sdk``.
        tenant: Opens this tenant's view, as ``store.tenant(…)`` gives it.
        max_in_flight: The most requests at one time; 32 by default.
        finished_ttl: A TTL for snapshots in a terminal state that are saved without one, a
            `timedelta` or seconds.
        retention: The TTL of whatever is written without one, snapshots and keys, a `timedelta` or
            seconds; for ever by default. Each write counts it again, an update too. For finished
            snapshots ``finished_ttl`` comes first. Longer than the longest job, or what a job
            has written at its start is gone before its end.
        clock: The time now, for tests: in seconds since the epoch, or as a `datetime` with a time
            zone; `time.time` by default.
        options: The adapter's own: an SDK session or client of the caller's (never closed by
            statebucket), server-side encryption, ``ttl_tags``; see the adapter.

    Raises:
        InvalidURL: The URL cannot be read, carries a secret, or has an unknown parameter.
        InvalidKey: ``tenant`` cannot name one.
        InvalidArgument: An option is unknown or outside what it may be.
        InvalidTTL: ``finished_ttl`` or ``retention`` is not a positive duration.
        UnknownScheme: No adapter is registered for the scheme and engine.
        AdapterNotInstalled: The adapter's SDK is missing; the message has the pip command.
    """

"""The persistence layer: Powertools' four calls on `statebucket.sync`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)

from statebucket import Version, errors
from statebucket.given import blocking_store
from statebucket_aws import records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

    from statebucket.sync import BlockingStateStore

_REMEMBERED = 100  # records that a thread works on: one, and one more for each nested function


class _Thread(threading.local):
    """What a thread knows of the records that it works on.

    Attributes:
        versions: By idempotency key, the version that it wrote last.
    """

    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}


class StatebucketPersistenceLayer(BasePersistenceLayer):
    """Idempotency records of AWS Lambda Powertools in S3, Cloud Storage, Azure Blob or SQLite.

    A first call takes 2 requests and a repeated one 2. A record expires when Powertools says so,
    and its result may have any size. A record that an earlier holder left in progress is taken over
    at the version that was seen, so that only one of many callers runs. A holder that finishes
    after it has lost its record overwrites nothing, and its caller gets an error.

    It may be made at import time and used from several threads; the store is never closed here.

    Args:
        store: A store of `statebucket.sync.open_store`, or a tenant's view of one.

    Raises:
        InvalidArgument: It is a URL or another kind of store.
        IdempotencyPersistenceLayerError: Raised by a decorated function; its cause is the error of
            `statebucket.errors`.
    """

    def __init__(self, store: BlockingStateStore) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._store = blocking_store(store, "StatebucketPersistenceLayer")
        self._thread = _Thread()

    def _put_record(self, data_record: DataRecord) -> None:
        """Creates a record, or takes over one that was left in progress: 1 request, 2 if it lost.

        Raises:
            IdempotencyItemAlreadyExistsError: There is one; the error contains it.
            IdempotencyValidationError: The existing record is for another payload.
        """
        condition = Version.ABSENT
        while True:
            try:
                version = self._write(data_record, condition)
            except errors.VersionConflict as conflict:
                condition = self._must_take_over(data_record, conflict)
            else:
                self._remember(data_record.idempotency_key, version)
                return

    def _must_take_over(self, wanted: DataRecord, conflict: errors.VersionConflict) -> Version:
        """The version of a record that its holder abandoned; raises if a holder still has it."""
        current = conflict.current
        found = None if current is None else records.read(current.value)
        if current is None or found is None:
            # Gone meanwhile, or not a record: Powertools reads it next, and finds out.
            raise IdempotencyItemAlreadyExistsError from conflict
        if found.abandoned:
            return current.version
        record = records.data_record(wanted.idempotency_key, found)
        self._validate_payload(data_payload=wanted, stored_data_record=record)
        self._save_to_cache(data_record=record)
        if found.status == records.IN_PROGRESS:
            # A durable function that is replayed continues with its own record.
            self._remember(wanted.idempotency_key, current.version)
        raise IdempotencyItemAlreadyExistsError(old_data_record=record) from conflict

    def _get_record(self, idempotency_key: str) -> DataRecord:
        """Reads a record: 1 request.

        Raises:
            IdempotencyItemNotFoundError: There is none.
        """
        name = records.name_of(idempotency_key)
        stored = self._store.get_json_stored(name, records.Record)
        if stored is None:
            raise IdempotencyItemNotFoundError
        if stored.value.status == records.IN_PROGRESS:
            # As in `_must_take_over`: a replay goes on with a record that it has only read.
            self._remember(idempotency_key, stored.version)
        return records.data_record(idempotency_key, stored.value)

    def _update_record(self, data_record: DataRecord) -> None:
        """Writes a record over the one that this thread has put or read: 1 request.

        One that it has neither put nor read is written over whatever is there, as Powertools'
        layer for DynamoDB writes every record: code that saves results without a call expects it.

        Raises:
            VersionConflict: Another caller has taken it over; that caller's record stays.
        """
        condition = self._thread.versions.pop(data_record.idempotency_key, None)
        try:
            self._write(data_record, condition)
        except errors.VersionConflict as conflict:
            if conflict.current is not None:
                raise
            # It has expired and was removed: no other caller has it.
            self._write(data_record, Version.ABSENT)

    def _delete_record(self, data_record: DataRecord) -> None:
        """Removes the record that this thread has put or read: 1 request.

        A record that another caller has taken over stays. One that this thread has neither put nor
        read is removed whatever it is; see `_update_record`.
        """
        key = data_record.idempotency_key
        condition = self._thread.versions.pop(key, None)
        try:
            self._store.delete(records.name_of(key), if_version=condition)
        except errors.VersionConflict:
            return

    def _write(self, record: DataRecord, condition: Version | None) -> Version:
        return self._store.set_json(
            records.name_of(record.idempotency_key),
            records.stored_form(record),
            records.ttl_of(record),
            if_version=condition,
            want_current=condition is not None,
        )

    def _remember(self, idempotency_key: str, version: Version) -> None:
        versions = self._thread.versions
        versions.pop(idempotency_key, None)
        versions[idempotency_key] = version
        if len(versions) > _REMEMBERED:
            del versions[next(iter(versions))]

"""How an idempotency record is stored: as JSON, under ``idempotency/{key}``, until it expires."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

IN_PROGRESS = "INPROGRESS"

_SOONEST_S = 0.001  # a record that is already expired when written is stored, and gone at once


class Record(msgspec.Struct, omit_defaults=True):
    """A record as stored; the fields have the names that Powertools uses in DynamoDB.

    Attributes:
        status: As Powertools calls it.
        expiration: When it expires, in seconds since the epoch.
        in_progress_expiration: When its holder must have ended, in milliseconds since the epoch;
            None if that is not known, and once it has ended.
        data: The function's result, as JSON.
        validation: A hash of the part of the payload that must be the same.
    """

    status: str
    expiration: int | None = None
    in_progress_expiration: int | None = None
    data: str = ""
    validation: str = ""

    @property
    def abandoned(self) -> bool:
        """Whether its holder must have ended without finishing or removing it."""
        until = self.in_progress_expiration
        return until is not None and until < int(time.time() * 1000)


msgspec.json.Decoder(Record)  # msgspec completes the type now, not in two threads at a time


def name_of(idempotency_key: str) -> str:
    """The key under which statebucket stores a record."""
    return f"idempotency/{idempotency_key}"


def stored_form(record: DataRecord) -> Record:
    """Powertools' record in the form that is stored."""
    return Record(
        status=record.status,
        expiration=record.expiry_timestamp,
        in_progress_expiration=record.in_progress_expiry_timestamp,
        data=record.response_data,
        validation=record.payload_hash or "",
    )


def ttl_of(record: DataRecord) -> float | None:
    """For how many seconds it can be read; None if that is forever.

    Powertools counts in whole seconds, and a record is valid up to the end of the last one.
    """
    if record.expiry_timestamp is None:
        return None
    return max(record.expiry_timestamp + 1 - time.time(), _SOONEST_S)


def data_record(idempotency_key: str, record: Record) -> DataRecord:
    """A stored record in Powertools' form."""
    return DataRecord(
        idempotency_key=idempotency_key,
        status=record.status,
        expiry_timestamp=record.expiration,
        in_progress_expiry_timestamp=record.in_progress_expiration,
        response_data=record.data,
        payload_hash=record.validation,
    )


def read(value: Any) -> Record | None:  # noqa: ANN401  (any JSON value)
    """A record from its JSON; None if it is not one."""
    try:
        return msgspec.convert(value, Record)
    except msgspec.ValidationError:
        return None

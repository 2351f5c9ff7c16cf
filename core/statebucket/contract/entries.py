"""What a listing shows of a stored object without loading it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from statebucket.contract.ids import ExecutionId


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What ``scan_snapshots`` and ``scan_keys`` yield: `SnapshotEntry` or `KeyEntry`.

    Attributes:
        size: The size of the value in bytes. S3's listings show no metadata, so on S3 it is the
            stored size, with the 8 (for JSON 32) bytes that make versions unique.
        modified_at: When it was written last (UTC), by the service's clock; None if the service
            gives no time, as in an SQLite file for what was written before times were kept.
        expires_at: When it expires (UTC); None if it does not. S3's listings do not show it, so on
            S3 it is always None except with ``live=True``.
    """

    size: int
    modified_at: datetime | None = None
    expires_at: datetime | None = None


class SnapshotEntry(Entry, frozen=True, kw_only=True):
    """An execution's snapshot, as listed.

    Attributes:
        id: The execution.
    """

    id: ExecutionId


class KeyEntry(Entry, frozen=True, kw_only=True):
    """A key, as listed.

    Attributes:
        key: The key, as it was given to ``set``.
    """

    key: str

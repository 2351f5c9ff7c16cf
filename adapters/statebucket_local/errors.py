"""SQLite's errors as typed ones."""

from __future__ import annotations

import os
import sqlite3

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    CorruptObject,
    OutOfSpace,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
    shown,
)

# Only after these errors may a statement have taken effect: all others roll it back.
_OPEN_ENDED = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}


def translated(error: sqlite3.Error, path: str) -> StateBucketError:
    """SQLite's error as one of ours."""
    found = _sorted(error, path)
    found.code = getattr(error, "sqlite_errorname", None)
    return found


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def busy(error: sqlite3.Error) -> bool:
    """Whether someone else holds the lock."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _sorted(error: sqlite3.Error, path: str) -> StateBucketError:
    code = _code(error)
    where = f"SQLite file {path!r}: {shown(str(error))}"
    if busy(error):
        return Throttled(f"another process holds the lock on the {where}")
    if code == sqlite3.SQLITE_CANTOPEN:
        if os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120  (paths are text here)
            return AccessDenied(
                f"no permission to open or create the {where}, or it is a directory"
            )
        return BucketNotFound(f"cannot open the {where}; its directory must exist")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return AccessDenied(f"no permission to write the {where}")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CorruptObject(f"not a database that SQLite can read: {where}")
    if code == sqlite3.SQLITE_TOOBIG:
        return RequestRejected(f"too large for the {where}")
    if code == sqlite3.SQLITE_FULL:  # a statement is atomic: nothing of it was written
        return OutOfSpace(f"no space is left for the {where}; free some and try again")
    open_ended = getattr(error, "sqlite_errorcode", 0) in _OPEN_ENDED
    return Unavailable(where, outcome="unknown" if open_ended else "none")

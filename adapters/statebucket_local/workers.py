"""The threads that run an SQLite bucket's statements, each with a connection of its own."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    CorruptObject,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statebucket_objects (
    name TEXT PRIMARY KEY COLLATE BINARY,
    version TEXT NOT NULL,
    metadata TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL
)
"""
_BUSY_SECONDS = 0.2  # a wait for another process's lock; the core tries again until its deadline


class Workers:
    """A pool of threads, in one process.

    Args:
        path: The file.
        threads: How many statements may run at one time.
    """

    def __init__(self, path: str, threads: int) -> None:
        self.pid = os.getpid()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="statebucket-sqlite")
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        _all_workers.add(self)
        # For a store that nobody shuts down; at exit, after the pool's threads have come to an end.
        self.close_connections = weakref.finalize(self, _close, self._connections, self.pid)

    def run(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a statement in the calling worker thread, in a transaction of its own."""
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._open()
            return statement(connection)
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def close(self) -> None:
        """Waits for what is running, then closes every connection."""
        self.pool.shutdown()
        self.close_connections()

    def keep_open(self) -> None:
        """In a fork: never lets go of the connections, since that would close them."""
        import ctypes  # noqa: PLC0415  (rarely needed)

        for connection in self._connections:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))

    def _open(self) -> sqlite3.Connection:
        # The pool's shutdown closes connections from another thread than the one that uses them.
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        self._connections.append(connection)
        return connection


_all_workers: weakref.WeakSet[Workers] = weakref.WeakSet()


def _close(connections: list[sqlite3.Connection], pid: int) -> None:
    if pid == os.getpid():
        for connection in connections:
            connection.close()


def _after_fork() -> None:
    """Keeps what the parent has opened: SQLite forbids a child to use or to close it.

    See https://www.sqlite.org/howtocorrupt.html, "Carrying an open database connection across a
    fork".
    """
    for workers in list(_all_workers):
        workers.keep_open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _translated(error: sqlite3.Error, path: str) -> StateBucketError:
    """SQLite's error as one of ours."""
    found = _sorted(error, path)
    found.code = getattr(error, "sqlite_errorname", None)
    return found


def _sorted(error: sqlite3.Error, path: str) -> StateBucketError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    where = f"SQLite file {path!r}: {error}"
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Throttled(f"another process holds the lock on the {where}")
    if code == sqlite3.SQLITE_CANTOPEN:
        if os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120  (paths are text here)
            return AccessDenied(f"no right to open or make the {where}, or it is a directory")
        return BucketNotFound(f"cannot open the {where}; its directory must exist")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return AccessDenied(f"no right to write the {where}")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CorruptObject(f"not a database that SQLite can read: {where}")
    if code == sqlite3.SQLITE_TOOBIG:
        return RequestRejected(f"too large for the {where}")
    return Unavailable(where, outcome="unknown")

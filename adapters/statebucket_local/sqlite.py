"""A bucket in an SQLite file: safe from several processes, and never half-written.

Each call is a single statement, which SQLite makes atomic and durable (WAL, synchronous=FULL); a
process killed at any moment leaves the old or the new object. Statements run in threads of the
adapter's own, so that the event loop never waits for the disk or for another process's lock.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from statebucket.bucket import Deletion, Limits, Object, ObjectInfo, Page, PrefixPage, Write
from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    CorruptObject,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
)
from statebucket.forks import new_lock
from statebucket.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
Rows: TypeAlias = list[Any]

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
_DELETE_BATCH = 500  # names in one statement, below SQLite's limit on parameters


class SQLiteBucket:
    """The objects of one SQLite file.

    Args:
        path: The file; its directory must exist.
        threads: How many statements may run at one time.
    """

    name = "sqlite"
    requires_network = False
    limits = Limits(delete_batch=_DELETE_BATCH)

    def __init__(self, path: str, *, threads: int) -> None:
        self._path = os.path.abspath(path)  # noqa: PTH100  (a later chdir must not move it)
        self._threads = threads
        self._workers: _Workers | None = None
        self._inherited: list[_Workers] = []  # of processes that this one is a fork of
        self._lock = new_lock(self)

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.bucket.Bucket.put`."""
        version = secrets.token_hex(8)
        row: tuple[Any, ...] = (
            version,
            msgspec.json.encode(write.metadata).decode(),
            write.content_type,
            write.body,
            write.name,
        )
        insert = (
            "INSERT INTO statebucket_objects (version, metadata, content_type, body, name) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO "
        )
        if condition is None:
            sql = insert + (
                "UPDATE SET version = excluded.version, metadata = excluded.metadata, "
                "content_type = excluded.content_type, body = excluded.body"
            )
        elif condition == Version.ABSENT:
            sql = insert + "NOTHING"
        else:
            sql = (
                "UPDATE statebucket_objects SET version = ?, metadata = ?, content_type = ?, "
                "body = ? WHERE name = ? AND version = ?"
            )
            row = (*row, condition.token)
        if await self._run(lambda db: db.execute(sql, row).rowcount) != 1:
            raise PreconditionFailed("the object is not at the version of the condition")
        return Version(version)

    async def get(self, name: str) -> Object | None:
        """See `statebucket.bucket.Bucket.get`."""
        rows = await self._select("body, length(body)", "name = ?", (name,))
        return None if not rows else Object(_info(rows[0]), rows[0][3])

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.bucket.Bucket.head`."""
        rows = await self._select("NULL, length(body)", "name = ?", (name,))
        return None if not rows else _info(rows[0])

    async def delete(self, name: str, condition: Version | None = None) -> bool:
        """See `statebucket.bucket.Bucket.delete`."""
        sql = "DELETE FROM statebucket_objects WHERE name = ?"
        if condition is None:
            return await self._run(lambda db: db.execute(sql, (name,)).rowcount) == 1
        token = condition.token

        def conditional(db: sqlite3.Connection) -> tuple[bool, bool]:
            gone = db.execute(f"{sql} AND version = ?", (name, token)).rowcount == 1
            left = db.execute("SELECT 1 FROM statebucket_objects WHERE name = ?", (name,))
            return gone, left.fetchone() is not None

        gone, left = await self._run(conditional)
        if left and not gone:
            raise PreconditionFailed("the object is at another version")
        return gone

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.bucket.Bucket.delete_many`."""
        marks = ", ".join("?" * len(names))
        sql = f"DELETE FROM statebucket_objects WHERE name IN ({marks}) RETURNING name"  # noqa: S608  (marks only)
        gone = await self._run(lambda db: {row[0] for row in db.execute(sql, list(names))})
        return [Deletion(name, name in gone) for name in names]

    async def list(self, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `statebucket.bucket.Bucket.list`."""
        rows = await self._select(
            "NULL, length(body)",
            "name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?",
            (after or "", prefix, _end(prefix), limit),
        )
        return Page([_info(row) for row in rows], rows[-1][0] if len(rows) == limit else None)

    async def list_prefixes(self, prefix: str, *, after: str | None, limit: int) -> PrefixPage:
        """See `statebucket.bucket.Bucket.list_prefixes`."""
        # Each step of the recursion jumps behind all names below the prefix found last, so that
        # the cost is one look-up in the index for each prefix, not for each object.
        sql = """
            WITH RECURSIVE found (name) AS (
                SELECT (SELECT min(name) FROM statebucket_objects
                        WHERE name > :after AND name >= :prefix AND name < :end)
                UNION ALL
                SELECT (SELECT min(name) FROM statebucket_objects
                        WHERE name >= CASE instr(substr(found.name, :cut), '/')
                            WHEN 0 THEN found.name || char(0)
                            ELSE :prefix || substr(found.name, :cut,
                                 instr(substr(found.name, :cut), '/') - 1) || '0' END
                        AND name < :end)
                FROM found WHERE found.name IS NOT NULL
            )
            SELECT name FROM found WHERE name IS NOT NULL AND instr(substr(name, :cut), '/') > 0
            LIMIT :limit
        """
        values = {
            "after": after or "",
            "prefix": prefix,
            "end": _end(prefix),
            "cut": len(prefix) + 1,
            "limit": limit,
        }
        names = await self._run(lambda db: [row[0] for row in db.execute(sql, values)])
        found = [f"{prefix}{name[len(prefix) :].partition('/')[0]}/" for name in names]
        return PrefixPage(found, f"{found[-1][:-1]}0" if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        """See `statebucket.bucket.Bucket.check`."""
        await self.list(prefix, after=None, limit=1)

    async def close(self) -> None:
        """Closes the connections; the next call opens others."""
        with self._lock:
            if self._workers is None or self._workers.pid != os.getpid():
                return
            workers, self._workers = self._workers, None
        await asyncio.get_running_loop().run_in_executor(None, workers.close)

    async def _select(self, body: str, where: str, values: tuple[Any, ...]) -> Rows:
        sql = f"SELECT name, version, metadata, {body} FROM statebucket_objects WHERE {where}"  # noqa: S608  (ours)
        return await self._run(lambda db: db.execute(sql, values).fetchall())

    async def _run(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            workers = self._workers
            if workers is None or workers.pid != os.getpid():  # threads do not survive a fork
                if workers is not None:  # SQLite forbids to close a connection in a fork
                    self._inherited.append(workers)
                workers = self._workers = _Workers(self._path, self._threads)
            # Within the lock, so that a `close` in another thread cannot come in between.
            result = workers.pool.submit(workers.run, statement)
        return await asyncio.wrap_future(result)


class _Workers:
    """A pool of threads, each with a connection of its own, in one process."""

    def __init__(self, path: str, threads: int) -> None:
        self.pid = os.getpid()
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="statebucket-sqlite")
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

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
        for connection in self._connections:
            connection.close()

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


def _info(row: Sequence[Any]) -> ObjectInfo:
    name, version, metadata, _, size = row
    try:
        decoded = msgspec.json.decode(metadata, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise CorruptObject("its metadata cannot be read", object_name=name) from error
    return ObjectInfo(name, Version(version), size, decoded)


def _end(prefix: str) -> str:
    """The first name behind all that begin with a prefix; names are ASCII."""
    return prefix + "\x7f"


def _translated(error: sqlite3.Error, path: str) -> StateBucketError:
    """SQLite's error as one of ours."""
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

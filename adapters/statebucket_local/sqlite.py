"""A bucket in an SQLite file: safe from several processes, and never half-written.

Each call is a single statement, which SQLite makes atomic and durable (WAL, synchronous=FULL); a
process killed at any moment leaves the old or the new object. Statements run in the adapter's own
threads, so that the event loop never waits for the disk or for another process's lock; for the
blocking store they run in the caller's thread.
"""

from __future__ import annotations

import os
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import CorruptObject, PreconditionFailed, shown
from statebucket.port.bucket import Deletion, Limits, Object, ObjectInfo, Page, PrefixPage, Write
from statebucket.port.expiry import from_ms
from statebucket.port.waiting import stepping
from statebucket_local.workers import Workers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from statebucket.port.findings import Finding
    from statebucket.port.remedies import Remedies

T = TypeVar("T")
Rows: TypeAlias = list[Any]

_MOMENT_DIGITS = 14  # of milliseconds since the epoch, to the year 5138
_DELETE_BATCH = 500  # names in one statement, below SQLite's limit on parameters


class SQLiteBucket:
    """The objects of one SQLite file.

    Args:
        path: The file, as an absolute path, which a later chdir does not move; its directory must
            exist.
        threads: How many statements may run at one time.
    """

    name = "sqlite"
    requires_network = False
    limits = Limits(delete_batch=_DELETE_BATCH, needs_loop=False)

    def __init__(self, path: str, *, threads: int) -> None:
        self._path = path
        self._threads = threads
        # By process: threads do not survive a fork. There is no lock, for which a signal handler
        # would wait in vain.
        self._workers: dict[int, Workers] = {}

    async def put(self, write: Write, condition: Version | None) -> Version:
        """See `statebucket.port.bucket.Bucket.put`."""
        version = _new_version()
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
            row = (*row, _token(condition))
        if await self._run(lambda db: db.execute(sql, row).rowcount) != 1:
            raise PreconditionFailed(
                "the object exists"
                if condition == Version.ABSENT
                else "the object is at a different version"
            )
        return Version(version)

    async def get(self, name: str) -> Object | None:
        """See `statebucket.port.bucket.Bucket.get`."""
        rows = await self._select("body, length(body)", "name = ?", (name,))
        return None if not rows else Object(_info(rows[0]), rows[0][3])

    async def head(self, name: str) -> ObjectInfo | None:
        """See `statebucket.port.bucket.Bucket.head`."""
        rows = await self._select("NULL, length(body)", "name = ?", (name,))
        return None if not rows else _info(rows[0])

    async def delete(self, name: str, condition: Version | None = None) -> ObjectInfo | bool:
        """See `statebucket.port.bucket.Bucket.delete`."""
        where, values = "name = ?", [name]
        if condition is not None:
            where, values = "name = ? AND version = ?", [name, _token(condition)]
        sql = (
            f"DELETE FROM statebucket_objects WHERE {where} "  # noqa: S608  (ours)
            "RETURNING name, version, metadata, NULL, length(body)"
        )

        def statement(db: sqlite3.Connection) -> tuple[Rows, bool]:
            gone = _rows(db, sql, values)
            if gone or condition is None:
                return gone, False
            left = db.execute("SELECT 1 FROM statebucket_objects WHERE name = ?", (name,))
            return gone, left.fetchone() is not None

        gone, left = await self._run(statement)
        if left:
            raise PreconditionFailed("the object is at a different version")
        return _gone(gone[0]) if gone else False

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        """See `statebucket.port.bucket.Bucket.delete_many`."""
        marks = ", ".join("?" * len(names))
        sql = (
            f"DELETE FROM statebucket_objects WHERE name IN ({marks}) "  # noqa: S608  (marks only)
            "RETURNING name, version, metadata, NULL, length(body)"
        )
        rows = await self._run(lambda db: _rows(db, sql, names))
        gone = {row[0]: _gone(row) for row in rows}
        return [Deletion(name, gone.get(name, False)) for name in names]

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        """See `statebucket.port.bucket.Bucket.list`."""
        rows = await self._select(
            "NULL, length(body)",
            "name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?",
            (after or start_after or "", prefix, _end(prefix), limit),
        )
        return Page([_info(row) for row in rows], rows[-1][0] if len(rows) == limit else None)

    async def list_prefixes(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> PrefixPage:
        """See `statebucket.port.bucket.Bucket.list_prefixes`."""
        from statebucket.port.beginnings import behind_folder  # noqa: PLC0415  (rarely needed)

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
        if after is None and start_after is not None:
            after = behind_folder(start_after)
        values = {
            "after": after or "",
            "prefix": prefix,
            "end": _end(prefix),
            "cut": len(prefix) + 1,
            "limit": limit,
        }
        names = await self._run(lambda db: [row[0] for row in db.execute(sql, values)])
        found = [f"{prefix}{name[len(prefix) :].partition('/')[0]}/" for name in names]
        return PrefixPage(found, behind_folder(found[-1]) if len(found) == limit else None)

    async def check(self, prefix: str) -> None:
        """See `statebucket.port.bucket.Bucket.check`."""
        await self.list(prefix, after=None, limit=1)

    @property
    def remedies(self) -> Remedies:
        """See `statebucket.port.findings.Diagnosable`."""
        from statebucket_local.remedies import REMEDIES  # noqa: PLC0415  (for the doctor only)

        return REMEDIES

    async def examine(self, prefix: str) -> Sequence[Finding]:  # noqa: ARG002  (the port's)
        """Finds nothing: a file has no identity, versions or clock of its own."""
        return ()

    async def close(self) -> None:
        """Closes the connections; the next call opens others."""
        workers = self._workers.pop(os.getpid(), None)
        if workers is None:
            return
        if stepping() is not None:
            workers.close()
            return
        from statebucket.port.threads import in_thread  # noqa: PLC0415  (the blocking store does without)

        await in_thread(workers.close, "statebucket-sqlite-close")

    async def _select(self, body: str, where: str, values: tuple[Any, ...]) -> Rows:
        sql = f"SELECT name, version, metadata, {body} FROM statebucket_objects WHERE {where}"  # noqa: S608  (ours)
        return await self._run(lambda db: db.execute(sql, values).fetchall())

    async def _run(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        pid = os.getpid()
        workers = self._workers.get(pid)
        if workers is None:
            workers = self._workers.setdefault(pid, Workers(self._path, self._threads))
        if stepping() is not None:
            return workers.run(statement)
        from asyncio import wrap_future  # noqa: PLC0415  (the blocking store does without)

        given_up: list[bool] = []
        try:
            return await wrap_future(workers.submit(statement, given_up))
        finally:
            given_up.append(True)


def _rows(db: sqlite3.Connection, sql: str, values: Sequence[str]) -> Rows:
    """The rows of a statement that deletes, in one step of the interpreter.

    SQLite's lock is held until the last row is read. If a signal handler ran before that, its own
    writes would wait for the lock until their deadline.
    """
    return [*chain.from_iterable(map(db.execute, (sql,), (tuple(values),)))]


def _info(row: Sequence[Any]) -> ObjectInfo:
    name, version, metadata, _, size = row
    try:
        decoded = msgspec.json.decode(metadata, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise CorruptObject("its metadata cannot be read", object_name=name) from error
    return ObjectInfo(name, Version(version), size, decoded, _written_at(version))


def _gone(row: Sequence[Any]) -> ObjectInfo | bool:
    """The deleted object, or just that it existed."""
    try:
        return _info(row)
    except CorruptObject:
        return True


def _token(version: Version) -> str:
    """A version as SQLite takes it, for a condition.

    Raises:
        PreconditionFailed: It is not one that `_new_version` makes, so no object has it.
    """
    if not version.token.isascii():
        raise PreconditionFailed(f"{shown(version.token)} is not a valid version of an SQLite file")
    return version.token


def _new_version() -> str:
    """The version of a write that happens now: its time, and a unique part."""
    return f"{time.time_ns() // 1_000_000}-{os.urandom(8).hex()}"


def _written_at(version: str) -> datetime | None:
    """The time in a version; versions in files of earlier releases have none."""
    moment, dash, _ = version.partition("-")
    if not (dash and moment.isdecimal() and len(moment) <= _MOMENT_DIGITS):
        return None
    return from_ms(int(moment))


def _end(prefix: str) -> str:
    """The first name after all names that begin with a prefix; names are ASCII."""
    return prefix + "\x7f"

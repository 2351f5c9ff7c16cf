"""Memory and SQLite, inspected around the store."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import statebucket_local
from statebucket import StateStore, open_store
from statebucket.contract.versions import Version
from statebucket.port.bucket import BYTES, Object, ObjectInfo
from statebucket.testing import RawObject, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class MemoryTarget(Target):
    """A named memory store; its dictionary is read and written directly."""

    def __init__(self) -> None:
        super().__init__()
        self._name = f"t{uuid4().hex}"
        self.open()
        self._bucket = statebucket_local._named[self._name]

    def open(self, **options: Any) -> StateStore:
        return open_store(f"memory://{self._name}", **{"clock": self.clock} | options)

    def raw_names(self) -> list[str]:
        return sorted(self._bucket._objects)

    def raw_get(self, name: str) -> RawObject | None:
        found = self._bucket._objects.get(name)
        return None if found is None else RawObject(found.body, found.info.metadata)

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        info = ObjectInfo(name, Version(uuid4().hex), len(body), dict(metadata or {}))
        self._bucket._objects[name] = Object(info, body)
        self._bucket._names = sorted(self._bucket._objects)


class SQLiteTarget(Target):
    """A database file, opened a second time with the standard library's module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "state.db"
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA journal_mode = WAL")

    def open(self, **options: Any) -> StateStore:
        return open_store(f"sqlite:///{self.path}", **{"clock": self.clock} | options)

    def raw_names(self) -> list[str]:
        return sorted(row[0] for row in self._rows("SELECT name FROM statebucket_objects"))

    def raw_get(self, name: str) -> RawObject | None:
        rows = self._rows("SELECT body, metadata FROM statebucket_objects WHERE name = ?", name)
        return RawObject(rows[0][0], json.loads(rows[0][1])) if rows else None

    def raw_put(self, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self._put([(name, uuid4().hex, json.dumps(dict(metadata or {})), BYTES, body)])

    def raw_put_many(self, names: Iterable[str], body: bytes = b"v") -> None:
        self._put([(name, uuid4().hex, "{}", BYTES, body) for name in names])

    def _put(self, rows: list[tuple[str, str, str, str, bytes]]) -> None:
        with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS statebucket_objects (name TEXT PRIMARY KEY COLLATE "
                "BINARY, version TEXT NOT NULL, metadata TEXT NOT NULL, content_type TEXT NOT "
                "NULL, body BLOB NOT NULL)"
            )
            db.executemany(
                "INSERT OR REPLACE INTO statebucket_objects VALUES (?, ?, ?, ?, ?)", rows
            )

    def _rows(self, sql: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db:
            try:
                return db.execute(sql, values).fetchall()
            except sqlite3.OperationalError:  # no call of the store has created the table yet
                return []

"""The threads that run an SQLite bucket's statements, each with a connection of its own."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, TypeVar

from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    CorruptObject,
    OutOfSpace,
    RequestRejected,
    StateBucketError,
    Unavailable,
)
from statebucket.port.url import quoted
from statebucket.port.waiting import stepping
from statebucket_local.errors import busy, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

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
_MODE = 0o600  # of a file that we create; SQLite gives its -wal and -shm the same
_FORK_SECONDS = 1.0  # a fork's wait for the statements under way
_BUSY_SECONDS = 0.2  # a wait for another process's lock; the core tries again until its deadline
# SQLite's own wait would sleep for up to 100 ms at a time (sqliteDefaultBusyCallback in
# https://sqlite.org/src/file/src/main.c). A process that writes without a pause lets go of the lock
# for less than a millisecond, so another one would hardly ever find it free.
_LOOK_SECONDS = 0.005


class Workers:
    """The connections to a file, and a pool of threads, in one process.

    There is no lock: a signal handler would wait in vain for one that the interrupted call holds,
    and so would another thread that the handler waits for. Each step on what threads share is one
    of the interpreter's.

    Args:
        path: The file.
        threads: How many statements may run at one time in threads of the pool.
    """

    def __init__(self, path: str, threads: int) -> None:
        self.pid = os.getpid()
        self._path = path
        self._threads = threads
        self._pool: dict[str, ThreadPoolExecutor] = {}  # one, once it is needed
        self._connections: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._using: dict[object, int] = {}  # statements under way, and their threads
        self._closed = False
        _all_workers[id(self)] = self
        # For a store that is not shut down; at exit, after the pool's threads have ended.
        self._close_connections = weakref.finalize(
            self, _close, self._connections, self._idle, self.pid
        )

    def submit(
        self, statement: Callable[[sqlite3.Connection], T], given_up: Sequence[bool]
    ) -> Future[T]:
        """Runs a statement in a thread of the pool, unless ``given_up`` says so before it can.

        While the interpreter shuts down no thread takes work (a call from an ``atexit`` handler, or
        from a thread that outlives the main one): it then runs in the calling thread. So it does
        where another thread has just closed the pool.
        """
        from concurrent.futures import Future  # noqa: PLC0415  (15 ms)

        try:
            return self._ready_pool().submit(self.run, statement, given_up)
        except (RuntimeError, ImportError):
            done: Future[T] = Future()
            try:
                done.set_result(self.run(statement, given_up))
            except StateBucketError as error:
                done.set_exception(error)
            return done

    def _ready_pool(self) -> ThreadPoolExecutor:
        found = self._pool.get("")
        if found is not None:
            return found
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (as above)

        made = ThreadPoolExecutor(self._threads, thread_name_prefix="statebucket-sqlite")
        return self._pool.setdefault("", made)  # another thread's, if that was quicker

    def run(self, statement: Callable[[sqlite3.Connection], T], given_up: Sequence[bool] = ()) -> T:
        """Runs a statement in the calling thread, in a transaction of its own.

        It waits for the lock, until its caller adds something to ``given_up``.
        """
        until = time.monotonic() + _BUSY_SECONDS
        blocking = stepping()
        if blocking is not None:
            until = min(until, blocking.deadline)
        try:
            while True:
                try:
                    return self._run(statement)
                except sqlite3.OperationalError as error:
                    if not busy(error) or time.monotonic() > until:
                        raise
                    time.sleep(_LOOK_SECONDS)
                    if given_up:
                        raise
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        except UnicodeDecodeError as error:  # SQLite quotes what a damaged file has for text
            raise CorruptObject(f"not a database that SQLite can read: {self._path!r}") from error
        except OverflowError as error:  # over 2 GiB, which Python does not hand to SQLite
            raise RequestRejected(f"too large for the SQLite file {self._path!r}") from error

    def _run(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        use = object()
        self._begin(use)
        try:
            connection = self._take()
            try:
                return statement(connection)
            finally:
                self._put(connection)
        finally:
            self._using.pop(use, None)

    def close(self) -> None:
        """Waits for what runs in the pool, then closes every connection.

        If another thread is using a connection, that thread closes it after its statement.
        """
        for pool in list(self._pool.values()):
            pool.shutdown()
        self._closed = True
        self._close_idle()

    def before_fork(self) -> None:
        """Closes every connection, so that a child begins with nothing of SQLite's.

        A connection that is in use for longer than a statement takes stays open; see `keep_open`.
        So does that of a statement in which a signal handler forks: it cannot end meanwhile.
        """
        here = threading.get_ident()
        until = time.monotonic() + _FORK_SECONDS
        while any(thread != here for thread in list(self._using.values())):
            if time.monotonic() > until:
                break
            time.sleep(0.001)
        self._close_idle()

    def _begin(self, use: object) -> None:
        """Waits while another thread forks: no connection may be open then."""
        here = threading.get_ident()
        while True:
            self._using[use] = here  # before the look: a fork that begins now waits for it
            if all(thread == here for thread in list(_forking)):
                return
            self._using.pop(use, None)
            time.sleep(0.001)

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _put(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        # A fork waits for it, or it is the call of a signal handler in the forking thread.
        if self._closed or _forking:
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError, ValueError):  # another thread was quicker
                connection = self._idle.pop()
                self._connections.remove(connection)
                connection.close()

    def keep_open(self) -> None:
        """In a child: keeps the parent's connections open, since dropping them would close them."""
        import ctypes  # noqa: PLC0415  (rarely needed)

        for connection in self._connections:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))

    def _open(self) -> sqlite3.Connection:
        _create(self._path)
        # "rw": SQLite itself creates nothing, neither readable by others nor behind a link. The
        # pool's shutdown closes connections from another thread than the one that uses them.
        connection = sqlite3.connect(
            _uri(self._path),
            uri=True,
            timeout=0,  # `run` waits
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
        except (sqlite3.Error, UnicodeDecodeError):
            connection.close()
            raise
        self._connections.append(connection)
        return connection


def _create(path: str) -> None:
    """Creates the file if it does not exist, readable by its owner only.

    Raises:
        StateBucketError: It cannot be created.
    """
    if os.path.lexists(path):
        # Through a link to a file that does not exist, any file could be created.
        if not os.path.exists(path):  # noqa: PTH110  (paths are text here)
            raise AccessDenied(
                f"the SQLite file {path!r} is a link to a file that does not exist, and is not "
                "followed: create that file, or remove the link"
            )
        return
    try:
        with contextlib.suppress(FileExistsError):  # another process was quicker
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE))
    except OSError as error:
        why = f"cannot create the SQLite file {path!r}: {error.strerror}"
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise BucketNotFound(f"{why}; its directory must exist") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise AccessDenied(f"{why}; no permission to create it") from error
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise OutOfSpace(why) from error
        if error.errno == errno.ENAMETOOLONG:
            raise RequestRejected(why) from error
        raise Unavailable(why) from error


def _uri(path: str) -> str:
    slashes = "" if path.startswith("/") else "///"  # as in file:///C:/…
    path = path.replace(os.sep, "/")
    if path.isascii():
        return f"file:{slashes}{quoted(path, slashes=True)}?mode=rw"
    from urllib.parse import quote  # noqa: PLC0415  (2 ms of a cold start)

    return f"file:{slashes}{quote(os.fsencode(path))}?mode=rw"


_all_workers: weakref.WeakValueDictionary[int, Workers] = weakref.WeakValueDictionary()


def _workers_of_all() -> list[Workers]:
    """The workers of all stores, to which a signal handler may add some meanwhile."""
    return [found for ref in _all_workers.valuerefs() if (found := ref()) is not None]


def _close(connections: list[sqlite3.Connection], idle: list[sqlite3.Connection], pid: int) -> None:
    if pid == os.getpid():
        while connections:
            connection = connections.pop()
            with contextlib.suppress(ValueError):  # it is in use
                idle.remove(connection)  # a later call, or a signal handler's, opens another
            connection.close()


_forking: list[int] = []  # the threads in which a fork is in progress


def _before_fork() -> None:
    """Closes what is open: SQLite forbids to carry it across a fork, even unused.

    SQLite's records of open files would make the child believe that it holds its parent's locks. It
    would take none, and another process could remove the log that it writes to. See
    https://www.sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork".
    """
    _forking.append(threading.get_ident())
    pid = os.getpid()
    for workers in _workers_of_all():
        if workers.pid == pid:
            workers.before_fork()


def _after_fork_in_parent() -> None:
    with contextlib.suppress(ValueError):  # this module was imported within the fork
        _forking.remove(threading.get_ident())


def _after_fork_in_child() -> None:
    _forking.clear()
    for workers in _workers_of_all():
        workers.keep_open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

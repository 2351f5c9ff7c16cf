"""The writer of a store; see `statebucket.contract.writer` for what it does."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self

from statebucket.contract.writer import SnapshotWriter
from statebucket.errors import InvalidSnapshot, UnsupportedOperation, shown
from statebucket.port.loop_waiting import running_loop
from statebucket.store.snapshots import check_snapshot
from statebucket.store.tasks import shielded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Version


ENTER = (
    "store.writer(…) is a context manager: write `async with store.writer(…) as writer:` (`with` "
    "on the blocking store), and call writer.save inside the block"
)


class StoreWriter(SnapshotWriter):
    """A writer of a store.

    Args:
        save: Saves a snapshot.
        execution_id: The execution.
        interval: Seconds to leave between two saves.
    """

    def __init__(
        self,
        save: Callable[[ExecutionSnapshot], Awaitable[Version]],
        execution_id: str,
        interval: float,
    ) -> None:
        self.saved = 0
        self.dropped = 0
        self.failed = 0
        self.version: Version | None = None
        self._save = save
        self._execution_id = execution_id
        self._interval = interval
        self._waiting: ExecutionSnapshot | None = None
        self._error: Exception | None = None
        self._task: asyncio.Task[Exception | None] | None = None
        self._next = 0.0
        self._entered = False
        self._left = False
        self._pid = os.getpid()

    def save(self, snapshot: ExecutionSnapshot) -> None:
        snapshot = check_snapshot("save", snapshot)
        if snapshot.execution_id != self._execution_id:
            raise InvalidSnapshot(
                f"the writer is for {shown(self._execution_id)}, the snapshot of "
                f"{shown(snapshot.execution_id)}"
            )
        if not self._entered:
            # It would be written, but no one would wait for the last one or see its error.
            raise UnsupportedOperation(f"save: {ENTER}")
        if self._left or self._pid != os.getpid():
            raise UnsupportedOperation(
                "save: the writer is closed or was created in another process"
            )
        self._raise()
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = snapshot
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> Version | None:
        error: Exception | None = None
        while self._task is not None and not self._task.done():
            error = await asyncio.shield(self._task)
        if error is None or error is self._error:
            self._raise()
        else:  # another flush or save has raised it; this one waited for the same snapshot
            raise error
        return self.version

    async def __aenter__(self) -> Self:
        running_loop()
        self._entered, self._left = True, False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left = True
        if self._pid != os.getpid():
            return  # the parent of this forked process writes what was handed over
        try:
            with shielded():
                await self.flush()
        except Exception:
            if error is None:  # the block's own error takes precedence
                raise
        finally:
            if self._task is not None and not self._task.done():  # cancelled a second time
                self._task.cancel()
                with shielded():
                    await asyncio.wait({self._task})

    if not TYPE_CHECKING:  # hidden from type checkers

        def __await__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __enter__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __exit__(self, *error: object) -> None:
            """Never called: the block is never entered."""

    async def _write(self) -> Exception | None:
        """Writes what is handed over until nothing waits; returns the error of the last save."""
        loop = running_loop()
        try:
            while self._waiting is not None:
                await asyncio.sleep(max(0.0, self._next - loop.time()))
                # A snapshot that came during the wait has replaced the waiting one.
                snapshot, self._waiting = self._waiting, None
                self._next = loop.time() + self._interval
                await self._write_one(snapshot)
            return self._error
        finally:
            if self._waiting is not None:
                self._waiting = None
                self.dropped += 1

    async def _write_one(self, snapshot: ExecutionSnapshot) -> None:
        self._error = None  # the error was about a snapshot that this one replaces
        try:
            self.version = await self._save(snapshot)
        except Exception as error:  # noqa: BLE001  (raised by the next save or flush)
            self._error = error
            self.failed += 1
        except BaseException:
            self.failed += 1
            raise
        else:
            self.saved += 1

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

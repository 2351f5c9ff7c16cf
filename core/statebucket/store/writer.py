"""Saving often: a writer that coalesces the saves of one execution.

A service may take few writes to one object (GCS: one a second). The writer keeps at most one save
in flight, leaves the service its interval, and of the snapshots that come meanwhile writes the
latest only.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Self

from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.errors import InvalidSnapshot, UnsupportedOperation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from statebucket.contract.versions import Version


class SnapshotWriter:
    """Saves the latest of many snapshots; made by ``store.writer``, used in its ``async with``.

    Attributes:
        saved: How many snapshots were written.
        dropped: How many were not, because a later one came first (or the block was cancelled while
            it was left).
        failed: How many could not be written, or nobody knows whether they were.
        version: The version that was written last.
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
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self._left = False
        self._pid = os.getpid()

    def save(self, snapshot: ExecutionSnapshot) -> None:
        """Hands over a snapshot and returns at once; it is written unless a later one comes first.

        Raises:
            InvalidSnapshot: It is of another execution.
            UnsupportedOperation: The writer's block has ended, or belongs to the process that this
                one is a fork of; nobody would wait for it.
            StateBucketError: The snapshot before could not be written: its error, which is told
                once. This one was not taken: hand it over again, or give up.
        """
        if not isinstance(snapshot, ExecutionSnapshot):
            raise InvalidSnapshot(f"not an ExecutionSnapshot: {type(snapshot).__name__}")
        if snapshot.execution_id != self._execution_id:
            raise InvalidSnapshot(
                f"the writer is for {self._execution_id!r}, the snapshot of "
                f"{snapshot.execution_id!r}"
            )
        if self._left or self._pid != os.getpid():
            raise UnsupportedOperation(
                "save: the writer's block has ended, or is another process's"
            )
        self._raise()
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = snapshot
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> Version | None:
        """Waits until the latest snapshot is written, and returns the version.

        Raises:
            StateBucketError: It could not be written.
        """
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)
        self._raise()
        return self.version

    async def __aenter__(self) -> Self:
        """Returns the writer; no request is sent."""
        self._left = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Writes what is left, also when the block failed or was cancelled.

        Raises:
            StateBucketError: The last snapshot could not be written.
        """
        self._left = True
        if self._pid != os.getpid():
            return  # what was handed over is for the process that this one is a fork of
        try:
            await self.flush()
        except Exception:
            if error is None:  # the block's own error is the one to tell
                raise
        finally:
            if self._task is not None and not self._task.done():  # cancelled once more
                self._task.cancel()
                await asyncio.wait({self._task})

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting is not None:
                await asyncio.sleep(max(0.0, self._next - loop.time()))
                # What came during the wait has replaced what was waiting.
                snapshot, self._waiting = self._waiting, None
                self._next = loop.time() + self._interval
                await self._write_one(snapshot)
        finally:
            if self._waiting is not None:
                self._waiting = None
                self.dropped += 1

    async def _write_one(self, snapshot: ExecutionSnapshot) -> None:
        self._error = None  # of a snapshot that this one replaces
        try:
            self.version = await self._save(snapshot)
        except Exception as error:  # noqa: BLE001  (told by the next save or flush)
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

"""Saving often: a writer that coalesces the saves of one execution.

A service may take few writes to one object (GCS: one a second). The writer keeps at most one save
in flight, leaves the service its interval, and of the snapshots that come meanwhile writes the
latest only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from statebucket.contract.calls import Kind, declare

if TYPE_CHECKING:
    from types import TracebackType

    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Version


class SnapshotWriter(ABC):
    """Saves the latest of many snapshots; made by ``store.writer``, used in its ``async with``.

    Attributes:
        saved: How many snapshots were written.
        dropped: How many were not, because a later one came first (or the block was cancelled while
            it was left).
        failed: How many could not be written, or may not have been.
        version: The version that was written last.
    """

    saved: int
    dropped: int
    failed: int
    version: Version | None

    @abstractmethod
    @declare(Kind.SCHEDULED)
    def save(self, snapshot: ExecutionSnapshot) -> None:
        """Hands over a snapshot and returns at once; it is written unless a later one comes first.

        Raises:
            InvalidSnapshot: It is of another execution.
            UnsupportedOperation: The writer's block has not begun, has ended, or belongs to the
                process that this one is a fork of; no one would wait for it.
            StateBucketError: The snapshot before could not be written: its error, which is raised
                once. This one was not taken: hand it over again, or give up.
        """

    @abstractmethod
    @declare(Kind.CALL)
    async def flush(self) -> Version | None:
        """Waits until the latest snapshot is written, and returns the version.

        Raises:
            StateBucketError: It could not be written.
        """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Returns the writer; no request is sent."""

    @abstractmethod
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

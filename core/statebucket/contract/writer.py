"""Saving often: a writer that coalesces the saves of one execution.

A service may take few writes to one object (GCS: one a second). The writer keeps at most one save
in flight, keeps the service's interval between saves, and of the snapshots handed over meanwhile
writes only the latest.
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
        dropped: How many were not written, because a later one replaced them (or the block was
            cancelled on leaving).
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
            InvalidSnapshot: It is not a snapshot, is of another execution, or is no longer valid.
            UnsupportedOperation: The writer's block has not begun, has ended, or belongs to the
                parent of this forked process; no one would wait for it.
            StateBucketError: The previous snapshot could not be written; its error is raised once.
                The new one was not accepted: hand it over again, or give up.
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
        """Writes what is left, even if the block failed or was cancelled.

        Raises:
            StateBucketError: The last snapshot could not be written.
        """

"""What ``store.lease(…)`` returns, whose errors say how to enter it, and the check of a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument, UnsupportedOperation, shown
from statebucket.store.leases import REUSED, StoreLease

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from statebucket.contract.lease import Lease
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Version

ENTER = (
    "store.lease(…) is a context manager: write `async with store.lease(…) as lease:` (`with` on "
    "the blocking store), and use lease inside the block"
)


class LeaseBlock:
    """The block in which a lease is held.

    Args:
        taking: Takes the lease and gives it up.
    """

    def __init__(self, taking: AbstractAsyncContextManager[Lease]) -> None:
        self._taking = taking
        self._entered = False

    async def __aenter__(self) -> Lease:
        if self._entered:
            raise UnsupportedOperation(REUSED)
        self._entered = True
        return await self._taking.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._taking.__aexit__(kind, error, trace)

    if not TYPE_CHECKING:  # hidden from type checkers

        def __getattr__(self, name: str) -> object:
            raise AttributeError(f"no {name} yet: {ENTER}")

        def __await__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __enter__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __exit__(self, *error: object) -> None:
            """Never called: the block is never entered."""


def lease_for(snapshot: ExecutionSnapshot, lease: Lease, if_version: Version | None) -> StoreLease:
    """The lease to save a snapshot under, checked.

    Args:
        snapshot: The snapshot.
        lease: What the caller passed as its lease.
        if_version: The caller's own condition.

    Raises:
        InvalidArgument: It is not a lease, is on another execution, or there is a condition, too.
    """
    held = checked_lease(lease, snapshot.execution_id)
    if if_version is not None:
        raise InvalidArgument(
            "if_version and lease cannot be combined: a lease already sets the condition"
        )
    if held.tenant_id != snapshot.tenant_id:
        raise InvalidArgument(
            f"the lease is on an execution of tenant {shown(held.tenant_id)}, the snapshot is of "
            f"tenant {shown(snapshot.tenant_id)}"
        )
    return held


def checked_lease(lease: object, execution_id: str) -> StoreLease:
    """A lease on an execution, checked.

    Raises:
        InvalidArgument: It is something else, or on another execution.
    """
    if not isinstance(lease, StoreLease):
        if hasattr(type(lease), "__aenter__"):
            raise InvalidArgument(f"lease: {ENTER}")
        raise InvalidArgument(
            "lease must be what store.lease(…) yields, as in `async with store.lease(…) as "
            f"lease:`: {shown(lease)}"
        )
    if lease.execution_id != execution_id:
        raise InvalidArgument(
            f"the lease is on {shown(lease.execution_id)}, the call is for {shown(execution_id)}"
        )
    return lease

"""Work that only one process does at a time."""

from collections.abc import Callable
from datetime import timedelta

from statebucket import errors
from statebucket.sync import BlockingLease, BlockingStateStore


def alone(tenant: BlockingStateStore, name: str, work: Callable[[BlockingLease], None]) -> bool:
    """Does the work, or returns False if another process is doing it."""
    try:
        with tenant.execution(name).lease(ttl=timedelta(seconds=30)) as lease:
            work(lease)
    except errors.LeaseHeld:
        return False
    return True

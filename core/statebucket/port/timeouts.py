"""How long an adapter waits for a sign of life."""

from __future__ import annotations

_IDLE_SHARE = 1 / 3


def idle_limit(deadline: float) -> float:
    """Seconds without a sign of life after which a connection counts as dead.

    A third of the deadline, so that a call on a dead connection has time to try another.

    Args:
        deadline: Seconds that a call may take.
    """
    return deadline * _IDLE_SHARE

"""Locks across a fork, and across signals.

A child must not inherit a lock that a thread of its parent was holding. A signal handler runs in
the middle of the main thread's code: one that makes a call must not wait for a lock that the
interrupted call holds. So each lock is re-entrant, and what it guards is in order at each step.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class LockOwner(Protocol):
    """An object that has a lock of its own."""

    def renew_lock(self) -> None:
        """Replaces its lock, which a thread that does not exist in this process may hold."""


_owners: weakref.WeakSet[LockOwner] = weakref.WeakSet()


def new_lock(owner: LockOwner) -> AbstractContextManager[object]:
    """A lock for ``owner``, which is asked to renew it in each fork of this process."""
    _owners.add(owner)
    return threading.RLock()


def _renew() -> None:
    for owner in list(_owners):
        owner.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

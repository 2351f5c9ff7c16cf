"""Locks across a fork: a child must not inherit one that a thread of its parent was holding."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class LockOwner(Protocol):
    """An object that has a lock of its own."""

    def renew_lock(self) -> None:
        """Replaces its lock, which a thread that does not exist in this process may hold."""


_owners: weakref.WeakSet[LockOwner] = weakref.WeakSet()


def new_lock(owner: LockOwner) -> threading.Lock:
    """A lock for ``owner``, which is asked to renew it in each fork of this process."""
    _owners.add(owner)
    return threading.Lock()


def _renew() -> None:
    for owner in list(_owners):
        owner.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

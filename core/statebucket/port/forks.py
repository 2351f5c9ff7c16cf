"""Locks across a fork: a child must not inherit one that a thread of its parent's was holding."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class LockOwner(Protocol):
    """What has a lock of its own."""

    def renew_lock(self) -> None:
        """Takes a new lock in place of one that may be held by a thread that is not here."""


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

"""Locks across a fork: a child must not inherit one that a thread of its parent's was holding."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_owners: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock(owner: object) -> threading.Lock:
    """A lock for ``owner._lock``, which a child process finds replaced by a free one."""
    _owners.add(owner)
    return threading.Lock()


def _renew() -> None:
    for owner in list(_owners):
        owner._lock = threading.Lock()  # noqa: SLF001  (what `new_lock` says)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

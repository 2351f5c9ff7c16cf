"""Checks of what is passed to libraries built on statebucket: stores first of all."""

from __future__ import annotations

from statebucket.contract.durations import duration
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.flags import check_flags
from statebucket.contract.state_store import StateStore
from statebucket.errors import InvalidArgument
from statebucket.store.selection import check_limit
from statebucket.sync import BlockingExecutionStore, BlockingStateStore

__all__ = ["asynchronous_store", "blocking_store", "check_flags", "check_limit", "duration"]


def asynchronous_store(store: StateStore, taker: str) -> StateStore:
    """Returns an asynchronous store or tenant's view after checking that it is one: 0 requests.

    Args:
        store: The value that was passed.
        taker: The class or function it was passed to, for the error.

    Raises:
        InvalidArgument: It is something else; the error says what to write.
    """
    # A blocking store passes the protocol's check, which compares only the names of calls.
    given: object = store
    if isinstance(given, BlockingStateStore) or not isinstance(given, StateStore):
        raise _refusal(store, taker, "an asynchronous store, from statebucket.open_store")
    return store


def blocking_store(store: BlockingStateStore, taker: str) -> BlockingStateStore:
    """Returns a blocking store or tenant's view after checking that it is one: 0 requests.

    Args:
        store: The value that was passed.
        taker: The class or function it was passed to, for the error.

    Raises:
        InvalidArgument: It is something else; the error says what to write.
    """
    if not isinstance(store, BlockingStateStore):
        raise _refusal(store, taker, "a blocking store, from statebucket.sync.open_store")
    return store


def _refusal(store: object, taker: str, wanted: str) -> InvalidArgument:
    if isinstance(store, str):  # not shown: it may carry a secret
        found = "a string. Open the store first, with open_store(url)"
    elif isinstance(store, ExecutionStore | BlockingExecutionStore):
        found = "a store that is bound to one execution. Pass the store, or store.tenant(name)"
    elif isinstance(store, BlockingStateStore):
        found = "a blocking store, from statebucket.sync"
    elif isinstance(store, StateStore):
        found = "an asynchronous store"
    else:
        found = type(store).__name__
    return InvalidArgument(f"{taker} takes {wanted}, or a tenant's view of one; this is {found}")

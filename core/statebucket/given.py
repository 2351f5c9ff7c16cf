"""What a library that stands on statebucket checks of what its own callers give it."""

from __future__ import annotations

from statebucket.contract.durations import duration
from statebucket.contract.execution import ExecutionStore
from statebucket.contract.state_store import StateStore
from statebucket.errors import InvalidArgument
from statebucket.sync import BlockingExecutionStore, BlockingStateStore

__all__ = ["asynchronous_store", "blocking_store", "duration"]


def asynchronous_store(store: StateStore, taker: str) -> StateStore:
    """An asynchronous store or tenant's view, as it was given: 0 requests.

    Args:
        store: What was given as one.
        taker: What takes it, for the error.

    Raises:
        InvalidArgument: It is something else; the error says what to write.
    """
    # A blocking store has the names of all calls, which is what the protocol looks at.
    given: object = store
    if isinstance(given, BlockingStateStore) or not isinstance(given, StateStore):
        raise _refusal(store, taker, "an asynchronous store, of statebucket.open_store")
    return store


def blocking_store(store: BlockingStateStore, taker: str) -> BlockingStateStore:
    """A blocking store or tenant's view, as it was given: 0 requests.

    Args:
        store: What was given as one.
        taker: What takes it, for the error.

    Raises:
        InvalidArgument: It is something else; the error says what to write.
    """
    if not isinstance(store, BlockingStateStore):
        raise _refusal(store, taker, "a blocking store, of statebucket.sync.open_store")
    return store


def _refusal(store: object, taker: str, wanted: str) -> InvalidArgument:
    if isinstance(store, str):  # not shown: it may carry a secret
        found = "a text. Open the store first, with open_store(url)"
    elif isinstance(store, ExecutionStore | BlockingExecutionStore):
        found = "a store that is bound to one execution. Give the store, or store.tenant(name)"
    elif isinstance(store, BlockingStateStore):
        found = "a blocking store, of statebucket.sync"
    elif isinstance(store, StateStore):
        found = "an asynchronous store"
    else:
        found = type(store).__name__
    return InvalidArgument(f"{taker} takes {wanted}, or a tenant's view of one; this is {found}")

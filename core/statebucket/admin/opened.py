"""From a caller's store to its context, for the tools in this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument
from statebucket.store.store import ObjectStateStore

if TYPE_CHECKING:
    from statebucket.contract.state_store import StateStore
    from statebucket.store.context import StoreContext


def context_of(store: StateStore | str, name: str = "store") -> StoreContext:
    """A store's context; for a URL, raises an error that says to open it.

    Args:
        store: The store.
        name: The argument it was given as, for the error.

    Raises:
        InvalidArgument: It was not opened by `statebucket.open_store`.
    """
    if isinstance(store, str):  # not shown: it may carry a secret
        raise InvalidArgument(
            f"{name} must be a store, not its URL: open it first with statebucket.open_store(url)"
        )
    if not isinstance(store, ObjectStateStore):
        raise InvalidArgument(
            f"{name} must be an asynchronous store, as statebucket.open_store returns it, or a "
            f"view of one; not {type(store).__name__}"
        )
    return store.context

"""From a store, as callers have it, to its inside, for the tools of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument
from statebucket.store.store import ObjectStateStore

if TYPE_CHECKING:
    from statebucket.contract.state_store import StateStore
    from statebucket.store.context import StoreContext


def context_of(store: StateStore) -> StoreContext:
    """What a store is made of.

    Raises:
        InvalidArgument: It was not opened by `statebucket.open_store`.
    """
    if not isinstance(store, ObjectStateStore):
        raise InvalidArgument(
            "this takes an asynchronous store, as statebucket.open_store returns it, or a view of "
            f"one; not {type(store).__name__}"
        )
    return store.context

"""The calls that only the other saver has: each raises an error that says so.

Their types allow anything, so that a subclass may define them.
"""

from __future__ import annotations

from typing import Any

_BLOCKING_CALL = (
    "AsyncStatebucketSaver has no blocking calls: run the graph with ainvoke, astream or abatch, "
    "or compile it with StatebucketSaver and a store of statebucket.sync"
)
_ASYNCHRONOUS_CALL = (
    "StatebucketSaver has no asynchronous calls: run the graph with invoke, stream or batch, or "
    "compile it with AsyncStatebucketSaver and a store of statebucket.open_store"
)


class NoBlockingCalls:
    """LangGraph's blocking calls, refused as its own asynchronous savers refuse them."""

    def get_tuple(self, *_args: Any, **_options: Any) -> Any:  # noqa: ANN401
        """Raises an error that says which calls or which saver to use."""
        raise NotImplementedError(_BLOCKING_CALL)

    list = put = put_writes = get_tuple
    delete_thread = delete_for_runs = copy_thread = prune = get_tuple


class NoAsynchronousCalls:
    """LangGraph's asynchronous calls, refused as its own blocking savers refuse them."""

    async def aget_tuple(self, *_args: Any, **_options: Any) -> Any:  # noqa: ANN401
        """Raises an error that says which calls or which saver to use."""
        raise NotImplementedError(_ASYNCHRONOUS_CALL)

    def alist(self, *_args: Any, **_options: Any) -> Any:  # noqa: ANN401
        """Raises the same error; it is an iterator, not a coroutine."""
        raise NotImplementedError(_ASYNCHRONOUS_CALL)

    aput = aput_writes = aget_tuple
    adelete_thread = adelete_for_runs = acopy_thread = aprune = aget_tuple

"""Docstrings and types of the asynchronous store, as the blocking one has them."""

from __future__ import annotations

import re

# What is said of the asynchronous store, and what stands for it. A test holds that nothing else
# in the blocking store's docstrings is about awaiting.
_BLOCKING = {
    "an async context manager": "a context manager",
    "``async with``": "``with``",
    "await store.": "store.",
    "Closes the running event loop's connections.": "Closes the connections.",
    "at one time from one event loop": "at one time",
}


def for_blocking(doc: str | None) -> str | None:
    """A docstring of an asynchronous call, as that of the blocking one."""
    if doc is not None:
        for words, instead in _BLOCKING.items():
            doc = doc.replace(words, instead)
    return doc


BLOCKING_TYPES = {
    "AsyncIterator": "Iterator",
    "AbstractAsyncContextManager": "AbstractContextManager",
    "StateStore": "BlockingStateStore",
    "ObjectStateStore": "BlockingStateStore",
    "ExecutionStore": "BlockingExecutionStore",
    "Lease": "BlockingLease",
    "SnapshotWriter": "BlockingSnapshotWriter",
}
"""What stands for a type of the asynchronous store in an annotation of the blocking one."""

_TYPE = re.compile(rf"\b(?:{'|'.join(BLOCKING_TYPES)})\b")


def types_for_blocking(annotations: dict[str, str]) -> dict[str, str]:
    """The annotations of an asynchronous call, as those of the blocking one."""
    return {
        name: _TYPE.sub(lambda found: BLOCKING_TYPES[found[0]], text)
        for name, text in annotations.items()
    }

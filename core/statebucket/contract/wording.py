"""Rewrites docstrings and types of the asynchronous store for the blocking one."""

from __future__ import annotations

import re

# Phrases about the asynchronous store, each with the one that replaces it. A test checks that
# nothing else in the blocking store's docstrings is about awaiting.
_BLOCKING = {
    "an async context manager": "a context manager",
    "``async with``": "``with``",
    "await store.": "store.",
    "Closes the running event loop's connections.": "Closes the connections.",
    "at one time from one event loop": "at one time",
}


def for_blocking(doc: str | None) -> str | None:
    """The docstring of an asynchronous call, rewritten for the blocking one."""
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
"""What replaces a type of the asynchronous store in an annotation of the blocking one."""


def types_for_blocking(annotations: dict[str, str]) -> dict[str, str]:
    """The annotations of an asynchronous call, rewritten for the blocking one."""
    return {name: BLOCKING_TYPES.get(text) or _replaced(text) for name, text in annotations.items()}


def _replaced(text: str) -> str:
    if not any(name in text for name in BLOCKING_TYPES):  # a cold start need not compile for it
        return text
    names = rf"\b(?:{'|'.join(BLOCKING_TYPES)})\b"
    return re.sub(names, lambda found: BLOCKING_TYPES[found[0]], text)

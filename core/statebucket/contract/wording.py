"""The words of a docstring for callers who wait: the blocking store has its methods' in its own."""

from __future__ import annotations

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

"""Opening the store of a URL without ever creating a database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from statebucket.errors import BucketNotFound
from statebucket.opening import open_store

if TYPE_CHECKING:
    from statebucket.contract.state_store import StateStore


def open_existing(url: str) -> StateStore:
    """Opens a store: 0 requests. A mistyped file name would look like an empty store.

    Raises:
        BucketNotFound: There is no such SQLite file.
    """
    store = open_store(url)  # it parses the URL, and touches no file
    read = urlsplit(url)
    path = read.path.removeprefix("/")
    if read.scheme == "sqlite" and path and not os.path.exists(path):  # noqa: PTH110  (any text)
        raise BucketNotFound(f"there is no SQLite file {path!r}")
    return store

"""The embedded default: a store in memory or in an SQLite file, with nothing to install."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import structs

from statebucket.errors import InvalidURL, excerpt, shown
from statebucket.port.bucket import Location, OpenedBucket
from statebucket.port.url import read_options

if TYPE_CHECKING:
    from statebucket_local.memory import MemoryBucket

_named: dict[str, MemoryBucket] = {}


def open_memory(location: Location) -> OpenedBucket:
    """Opens ``memory://``, a store of its own, or ``memory://name``, shared in this process.

    Raises:
        InvalidURL: The URL has a path.
        InvalidArgument: It has a parameter; there are none.
    """
    from statebucket_local.memory import MemoryBucket, NoOptions  # noqa: PLC0415  (lazy)

    read_options(location.options, NoOptions, keywords=location.keywords)
    if location.path.strip("/"):
        raise InvalidURL(f"memory:// takes an optional name and no path: {shown(location.path)}")
    if not location.host:
        return OpenedBucket(MemoryBucket())
    return OpenedBucket(_named.setdefault(location.host, MemoryBucket()))


def open_sqlite(location: Location) -> OpenedBucket:
    """Opens ``sqlite:///relative.db`` or ``sqlite:////absolute.db``; creates the file.

    Raises:
        InvalidURL: The URL names no file, or SQLite's own database in memory.
        InvalidArgument: It has a parameter; there are none.
    """
    from statebucket_local.memory import NoOptions  # noqa: PLC0415  (lazy)
    from statebucket_local.sqlite import SQLiteBucket  # noqa: PLC0415  (lazy)

    read_options(location.options, NoOptions, keywords=location.keywords)
    path = location.path.removeprefix("/")
    if location.host or not path or path.endswith("/"):
        given = excerpt(f"{location.scheme}://{location.host}{location.path}")
        raise InvalidURL(
            "an SQLite URL is sqlite:///relative.db or sqlite:////absolute.db, three or four "
            f"slashes and a file: {given}"
        )
    if path == ":memory:":  # each of our threads would have its own database
        raise InvalidURL("a store in memory is memory://, not sqlite:///:memory:")
    path = os.path.abspath(path)  # noqa: PTH100  (a later chdir must not move it)
    return OpenedBucket(
        SQLiteBucket(path, threads=min(location.max_in_flight, 8)),
        elsewhere=structs.replace(location, path=f"/{path}"),
    )

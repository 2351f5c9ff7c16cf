"""The storage: Strands' calls, each translated to one of `statebucket.StateStore`."""

from __future__ import annotations

import copy
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import strands.storage.storage
from strands.storage import Storage
from strands.types.exceptions import StorageError

from statebucket import errors
from statebucket.given import asynchronous_store, duration

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator
    from datetime import timedelta

    from strands.storage.search import SearchStrategy
    from strands.storage.storage import StorageSearchResult

    from statebucket import StateStore

TENANT = "strands"
"""The tenant of a storage whose store is not bound to one."""

_ROOT = "strands/"

# Strands recognizes a storage that the caller has scoped by this mark, and then adds no prefix of
# its own. If Strands drops the mark, it adds a prefix, which does no harm.
_SCOPED = getattr(strands.storage.storage, "_NAMESPACED", None)


class StatebucketStorage(Storage):
    """A Strands storage in S3, Cloud Storage, Azure Blob or an SQLite file.

    Use it wherever Strands takes a storage: ``Agent(storage=…)``, a ``SnapshotSessionManager``, a
    memory store. Keys are written as Strands' own storages write them: runs of ``/`` count as one,
    and a key without a name, with ``..`` or with a backslash is refused. Its objects are the keys
    ``strands/{key}`` of a tenant; other keys are left alone.

    It may be made at import time and used from any event loop; the store is never closed here.

    Args:
        store: A store of `statebucket.open_store`, or a tenant's view of one; without a view, the
            tenant is "strands".
        ttl: How long a value can be read after it was written, a `timedelta` or seconds; by default
            the store's ``retention``, else forever.
        search_strategy: Indexes and searches; by default Strands' keyword search, which reads every
            value.

    Raises:
        InvalidArgument: The store is a URL or of another kind, or the TTL is not positive.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        ttl: timedelta | float | None = None,
        search_strategy: SearchStrategy[Any] | None = None,
    ) -> None:
        given = asynchronous_store(store, type(self).__name__)
        self._store = given if given.tenant_id is not None else given.tenant(TENANT)
        self._ttl = None if ttl is None else duration(ttl, "ttl")
        self._search_strategy = search_strategy
        self._prefix = ""

    async def write(self, key: str, data: bytes) -> None:
        """Stores a value over any other: 1 request.

        Raises:
            StorageError: The key is not valid, or the write failed; its ``__cause__`` is the error
                of `statebucket.errors`. Or the value was stored, but could not be indexed.
        """
        normalized = _key(key)
        with _failure("write", key):
            await self._set(self._name(normalized), data)
        if self._search_strategy is not None:
            try:
                await self._search_strategy.index(self, normalized, data)
            except Exception as error:
                raise StorageError(
                    f"Wrote {errors.shown(key)}, but could not index it: {error}"
                ) from error

    async def _set(self, name: str, data: bytes) -> None:
        await self._store.set(name, data, self._ttl)

    async def read(self, key: str) -> bytes | None:
        """The value of a key, or None if it does not exist or has expired: 1 request.

        Raises:
            StorageError: As for `write`.
        """
        normalized = _key(key)
        with _failure("read", key):
            return await self._get(self._name(normalized))

    async def _get(self, name: str) -> bytes | None:
        return await self._store.get(name)

    async def delete(self, key: str) -> None:
        """Deletes a value; deleting one that does not exist is no error: 1 request.

        Raises:
            StorageError: As for `write`.
        """
        normalized = _key(key)
        with _failure("delete", key):
            await self._delete(self._name(normalized))

    async def _delete(self, name: str) -> None:
        await self._store.delete(name)

    async def list(self, query: str = "") -> builtins.list[str]:
        """The keys that begin with a text, in the order of their characters: 1 request per 1,000.

        Raises:
            StorageError: As for `write`.
        """
        prefix = self._name(_prefix(query))
        with _failure("list", query):
            names = [name async for name in self._store.iter_keys(prefix=prefix)]
        return sorted(name[len(self._name("")) :] for name in names)

    async def search(self, query: str) -> builtins.list[StorageSearchResult]:
        """The values that match a query, the best first.

        By default Strands' keyword search: the requests of `list`, and 1 for each value.

        Raises:
            StorageError: As for `write`.
        """
        if self._search_strategy is not None:
            return await self._search_strategy.search(self, query)
        return await super().search(query)

    def namespace(self, prefix: str) -> Self:
        """A view of the keys below a prefix, without that prefix: 0 requests.

        Raises:
            StorageError: The prefix has ``..`` or a backslash.
        """
        normalized = _prefix(prefix).rstrip("/")
        scoped = copy.copy(self)
        vars(scoped).update(
            _prefix=f"{self._prefix}{normalized}/" if normalized else self._prefix,
            _namespaced=_SCOPED,
        )
        return scoped

    def _name(self, key: str) -> str:
        return f"{_ROOT}{self._prefix}{key}"


def _key(key: str) -> str:
    normalized = _checked(key, "key").strip("/")
    if not normalized:
        raise StorageError(f"The storage key {errors.shown(key)} is empty: give it a name")
    return normalized


def _prefix(prefix: str) -> str:
    return _checked(prefix, "prefix").lstrip("/")


def _checked(text: str, kind: str) -> str:
    what = f"The storage {kind} {errors.shown(text)}"
    if not isinstance(text, str):
        raise StorageError(f"{what} is not a string")
    if "\\" in text:
        raise StorageError(f"{what} has a backslash: separate names with '/'")
    if ".." in text.split("/"):
        raise StorageError(f"{what} has a '..', which would lead out of its prefix")
    return re.sub("/+", "/", text)


@contextmanager
def _failure(call: str, key: str) -> Iterator[None]:
    """Raises a store's errors as Strands' errors, except conflicts, which callers must see."""
    try:
        yield
    except (errors.VersionConflict, errors.LeaseLost):
        raise
    except errors.StateBucketError as error:
        raise StorageError(f"Failed to {call} {errors.shown(key)}: {error}") from error

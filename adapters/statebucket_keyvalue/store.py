"""The store: py-key-value's calls, each translated to one of `statebucket.StateStore`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeVar

from key_value.aio.errors import DeserializationError, InvalidTTLError
from key_value.aio.stores.base import (
    BaseContextManagerStore,
    BaseCullStore,
    BaseDestroyCollectionStore,
    BaseDestroyStore,
    BaseEnumerateCollectionsStore,
    BaseEnumerateKeysStore,
    ManagedEntry,
)

from statebucket import Version, errors, open_store
from statebucket.given import asynchronous_store, check_limit
from statebucket_keyvalue import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from types import TracebackType

    from statebucket import StateStore, Stored

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 32  # as many as a store has in flight: more would wait while their deadlines run
_PAGE = 1000
_MARGIN = timedelta(milliseconds=1)  # the shortest margin: `cull` removes what has expired now


class StatebucketStore(
    BaseContextManagerStore,
    BaseEnumerateKeysStore,
    BaseEnumerateCollectionsStore,
    BaseDestroyCollectionStore,
    BaseDestroyStore,
    BaseCullStore,
):
    """A py-key-value store in S3, Cloud Storage, Azure Blob or an SQLite file.

    It has every call of the protocol, all of the optional ones, and `put_if_absent`. A collection
    is a prefix of keys in a store of statebucket, or in a tenant's view of one; its names begin
    with ``kv/``, and other keys are left alone. Keys and collections may be any text; a name that
    is too long for an object is hashed, but still listed in full.

    It may be made at import time and used from any event loop. ``async with`` or ``close`` ends
    the running loop's connections; a later call opens new ones.

    Args:
        url: The URL of the store for entries, as for `statebucket.open_store`; by default the
            environment variable ``STATEBUCKET_URL``. With ``tenant=NAME`` in it, they belong to
            that tenant.
        store: A store or view to use instead of ``url``; it is never closed here.
        default_collection: The collection of calls that do not name one.

    Raises:
        InvalidArgument: Both ``url`` and ``store`` are given, a store as ``url``, or a URL or
            another kind of store as ``store``.
        StateBucketError: As `statebucket.open_store`; calls raise the errors of
            `statebucket.StateStore`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        store: StateStore | None = None,
        default_collection: str | None = None,
    ) -> None:
        if url is not None and store is not None:
            raise errors.InvalidArgument("pass url or store, not both")
        given: object = url
        if not isinstance(given, str | None):
            raise errors.InvalidArgument(
                f"StatebucketStore takes a URL first; this is {type(given).__name__}: pass a store "
                "as store="
            )
        self._owned = store is None
        self._store = (
            open_store(url) if store is None else asynchronous_store(store, "StatebucketStore")
        )
        super().__init__(
            client_provided_by_user=not self._owned,
            default_collection=default_collection,
            stable_api=True,
        )

    async def close(self) -> None:
        """Closes the running event loop's connections, unless the caller passed the store."""
        await super().close()
        await self._end()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        result = await super().__aexit__(exc_type, exc_value, traceback)
        await self._end()
        return result

    async def _end(self) -> None:
        if self._owned:
            await self._store.shutdown()

    async def put_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Stores a value unless there is one already: of many callers at once, one stores.

        1 request, 2 if there is one. An expired value counts as missing.

        Args:
            key: The key.
            value: The value, as for ``put``.
            collection: The collection; the default one if None is given.
            ttl: How long it can be read, in seconds, as for ``put``.

        Returns:
            Whether this call stored its value.

        Raises:
            InvalidArgument: The key or collection is not a text, or the value not a mapping.
            InvalidTTLError: ``ttl`` is not a positive number of seconds.
        """
        given: object = value
        if not isinstance(given, Mapping):
            raise errors.InvalidArgument(f"value must be a mapping, not {type(given).__name__}")
        if collection is None or collection == "":
            collection = self.default_collection
        names.entry_name(collection, key)  # checks both
        await self.setup_collection(collection=collection)
        entry = _new_entry(value, ttl)
        try:
            await self._set(collection, key, entry, Version.ABSENT)
        except errors.VersionConflict as conflict:
            if conflict.outcome == "unknown":
                raise
            return False
        return True

    async def _set(
        self, collection: str, key: str, entry: ManagedEntry, if_version: Version | None = None
    ) -> None:
        text = self._serialization_adapter.dump_json(entry, key=key, collection=collection)
        ttl = None
        if entry.expires_at is not None and entry.created_at is not None:
            ttl = entry.expires_at - entry.created_at
        name = names.entry_name(collection, key)
        await self._store.set(name, text.encode(), ttl, if_version=if_version)

    async def _put_managed_entry(
        self, *, collection: str, key: str, managed_entry: ManagedEntry
    ) -> None:
        await self._set(collection, key, managed_entry)

    async def _put_managed_entries(
        self,
        *,
        collection: str,
        keys: Sequence[str],
        managed_entries: Sequence[ManagedEntry],
        ttl: float | None,
        created_at: datetime,
        expires_at: datetime | None,
    ) -> None:
        del ttl, created_at, expires_at  # each entry contains them
        last = dict(zip(keys, managed_entries, strict=True))  # for a repeated key, the last value
        await _each(last.items(), lambda item: self._set(collection, *item))

    async def _get_managed_entry(self, *, collection: str, key: str) -> ManagedEntry | None:
        stored = await self._store.get_stored(names.entry_name(collection, key))
        return None if stored is None else self._loaded(stored)

    def _loaded(self, stored: Stored[bytes]) -> ManagedEntry:
        entry = self._serialization_adapter.load_json(_text(stored.value))
        if entry.expires_at is None:
            entry.expires_at = stored.expires_at  # by the store's ``retention``
        return entry

    async def _get_managed_entries(
        self, *, collection: str, keys: Sequence[str]
    ) -> list[ManagedEntry | None]:
        those = [names.entry_name(collection, key) for key in keys]
        found = await self._store.get_many_stored(those)
        return [None if (one := found[name]) is None else self._loaded(one) for name in those]

    async def _delete_managed_entry(self, *, key: str, collection: str) -> bool:
        name = names.entry_name(collection, key)
        if self._must_ask and not await self._store.exists(name):
            return False
        # None after a lost reply: it is gone now, and it is assumed that it existed.
        return await self._store.delete(name) is not False

    async def _delete_managed_entries(self, *, keys: Sequence[str], collection: str) -> int:
        those = list(dict.fromkeys(names.entry_name(collection, key) for key in keys))
        if self._must_ask:
            there = await _each(those, self._store.exists)
            those = [name for name, exists in zip(those, there, strict=True) if exists]
        if not those:
            return 0
        report = await self._store.delete_many(those)
        return report.keys + report.unreported

    @property
    def _must_ask(self) -> bool:
        """Whether deletions do not say what existed, as on S3."""
        return self._store.name == "s3"

    async def _get_collection_keys(self, *, collection: str, limit: int | None = None) -> list[str]:
        prefix = names.collection_prefix(collection)
        found: list[str] = []
        async for name in self._store.iter_keys(prefix=prefix, limit=limit):
            key = names.key_of(prefix, name)
            if key is None:
                key = await self._told(name, "key")
            if key is not None:
                found.append(key)
        return found

    async def _get_collection_names(self, *, limit: int | None = None) -> list[str]:
        found: list[str] = []
        if limit is not None:
            check_limit(limit)
        if limit == 0:
            return found
        async for prefix in self._collection_prefixes():
            collection = names.collection_of(prefix)
            if collection is None:
                collection = await self._told_by_any(prefix)
            if collection is not None:
                found.append(collection)
            if len(found) == limit:
                break
        return found

    async def _collection_prefixes(self) -> AsyncIterator[str]:
        """The prefixes of all collections: at most one page of keys for each.

        After a page that ends within a collection, the listing skips the rest of that collection.
        """
        after: str | None = None
        last = ""
        while True:
            page = await self._page(names.ROOT, after)
            for name in page:
                prefix = names.prefix_of(name)
                if prefix != last:
                    yield prefix
                last = prefix
            if len(page) < _PAGE:
                return
            after = names.behind(last)

    async def _page(self, prefix: str, after: str | None) -> list[str]:
        keys = self._store.iter_keys(prefix=prefix, after=after, limit=_PAGE)
        return [name async for name in keys]

    async def _told(self, name: str, field: str) -> str | None:
        """The names that an entry with a hashed name contains; None if it is gone by now."""
        body = await self._store.get(name)
        if body is None:
            return None
        told = json.loads(_text(body)).get(field)
        return told if isinstance(told, str) else None

    async def _told_by_any(self, prefix: str) -> str | None:
        async for name in self._store.iter_keys(prefix=prefix):
            told = await self._told(name, "collection")
            if told is not None:
                return told
        return None

    async def _delete_collection(self, *, collection: str) -> bool:
        return await self._delete_all(names.collection_prefix(collection))

    async def _delete_store(self) -> bool:
        await self._delete_all(names.ROOT)
        return True

    async def _delete_all(self, prefix: str) -> bool:
        after: str | None = None
        while page := await self._page(prefix, after):
            await self._store.delete_many(page)
            after = page[-1]
        return after is not None

    async def _cull(self) -> None:
        await self._store.sweep(margin=_MARGIN)


def _new_entry(value: Mapping[str, Any], ttl: SupportsFloat | None) -> ManagedEntry:
    """An entry as the base class's ``put`` makes it; that method takes no condition."""
    now = datetime.now(UTC)
    if ttl is None:
        return ManagedEntry(value=value, created_at=now)
    try:
        seconds = 0.0 if isinstance(ttl, bool | str | bytes) else float(ttl)
        expires_at = now + timedelta(seconds=seconds)
    except (TypeError, ValueError, OverflowError):  # not a number, NaN, or too long
        seconds = 0.0
    if not seconds > 0:
        raise InvalidTTLError(ttl=errors.shown(ttl))
    return ManagedEntry(value=value, created_at=now, expires_at=expires_at)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise DeserializationError("the stored value is not an entry of this store") from error


async def _each(items: Iterable[T], call: Callable[[T], Awaitable[R]]) -> list[R]:
    """The results of a call for each item, in order, with some calls at the same time.

    The first error is raised once the calls in progress have ended; no more are started.
    """
    results: list[R] = []
    for some in _batches(items):
        done = await asyncio.gather(*map(call, some), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
            results.append(result)
    return results


def _batches(items: Iterable[T]) -> Iterable[tuple[T, ...]]:
    rest = iter(items)
    while some := tuple(islice(rest, _AT_ONCE)):
        yield some

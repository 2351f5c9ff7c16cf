"""Objects as the store sees them: with an expiry, versions unique to a write, and retries.

This layer lies between the store's semantics and the adapter. `statebucket.store.envelope` decides
what is written beside an object's value.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, TypeVar

from statebucket.contract.versions import Version
from statebucket.errors import (
    CorruptObject,
    PreconditionFailed,
    StateBucketError,
    Unavailable,
    VersionConflict,
    forget_hidden,
)
from statebucket.port.bucket import (
    Bucket,
    Deletion,
    Object,
    ObjectInfo,
    Page,
    Write,
)
from statebucket.store.conflicts import lost_to, not_asked, not_understood
from statebucket.store.envelope import Found, expires_ms, sealed, value_of
from statebucket.store.layout import MAX_NAME_BYTES
from statebucket.store.limiter import Limiters
from statebucket.store.retry import Call, attempt
from statebucket.store.tasks import shielded
from statebucket.telemetry.counters import Counter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Sequence

    from statebucket.port.bucket import PrefixPage
    from statebucket.port.expiry import Expiry
    from statebucket.store.page_check import AnyPage
    from statebucket.store.walk import Walk

T = TypeVar("T")

PAGE = 1000
"""Objects in a page of a listing: the most that S3 and GCS return."""

MAX_LOOKS = 8  # how often a create may find its object expired or gone before it gives up
MAX_HELD = 2  # how often a true condition is sent and refused before that is an error
MAX_ABSENT = 4  # the same, if the object does not exist


class Objects:
    """The objects of one bucket.

    Args:
        bucket: The adapter.
        clock: The time now, in seconds since the epoch.
        max_in_flight: The most requests at one time, from one event loop or from all threads of
            the blocking store.
        place: The bucket's name, for the error that it does not exist.
    """

    def __init__(
        self, bucket: Bucket, clock: Callable[[], float], max_in_flight: int, place: str = ""
    ) -> None:
        self.bucket = bucket
        self.place = place
        self._clock = clock
        self.max_in_flight = max_in_flight
        self._limiters = Limiters(max_in_flight)
        self.counter = Counter()

    async def close(self) -> None:
        """Closes the running event loop's connections; see `Bucket.close`."""
        with shielded():
            await self.bucket.close()

    def now_ms(self) -> int:
        """The time now, in milliseconds since the epoch."""
        return int(self._clock() * 1000)

    async def put(
        self,
        call: Call,
        name: str,
        body: bytes | Callable[[], bytes],
        *,
        content_type: str,
        expiry: Expiry | None = None,
        condition: Version | None = None,
        look_with_get: bool = False,
        kept: bool = False,
    ) -> Version:
        """Stores an object and returns its version: 1 request, 2 when a condition fails.

        Args:
            call: The call it belongs to.
            name: The object.
            body: Its value, or a function that encodes it once a request may be sent.
            content_type: Its media type.
            expiry: When it expires.
            condition: None writes always, `Version.ABSENT` creates, a version replaces it.
            look_with_get: Look into a failed condition with a GET instead of a HEAD, for a caller
                that reads the value that won from `ConflictingObject`.
            kept: Whether a sweep is to leave the key's execution.

        Raises:
            VersionConflict: The condition does not hold.
            RequestRejected: It holds, but the service keeps refusing it.
        """
        write_id = os.urandom(8).hex()
        creating = condition is not None and condition == Version.ABSENT
        write: Write | None = None

        async def send() -> Version:
            nonlocal write
            if write is None:  # encoded once it may be sent, so that waiting calls hold no body
                limits = self.bucket.limits
                write = sealed(
                    name,
                    body() if callable(body) else body,
                    content_type,
                    expiry=expiry,
                    write_id=write_id,
                    nonce=not limits.unique_versions,
                    takes_tail=limits.takes_tail,
                    kept=kept,
                )
            self.counter.add("bytes_sent", len(write.body) + len(write.tail))
            return await self.bucket.put(write, condition)

        held = 0  # how often in a row a true condition was refused
        for _ in range(MAX_LOOKS):
            try:
                version = await self.send(
                    call, send, name, writes=True, conditional=condition is not None
                )
            except PreconditionFailed as failed:
                # Until it is looked into, the refusal may be due to a repetition of our own write.
                before, call.outcome = call.outcome, "unknown"
                info, found = await self._looked(call, name, with_get=look_with_get)
                call.outcome = before
                if info is not None and info.metadata.get("writeid") == write_id:
                    call.outcome = "none"  # the outcome is now known
                    return info.version  # our own write, whose reply was lost
                current = Version.ABSENT if info is None else info.version
                held = held + 1 if current == condition else 0
                # Versions are unique to a write, so the object was at this one all the time. An
                # object that does not exist may have existed for a moment.
                if held == (MAX_ABSENT if info is None else MAX_HELD):
                    raise not_understood(call, name, current, failed) from failed
                if held or (creating and (info is None or self.expired(info))):
                    # An expired object counts as missing: that version is replaced, and no newer
                    # one.
                    condition = current
                    continue
                rule = "exists already" if creating else "has changed since that version"
                message = f"{call.operation}: the object {rule}"
                raise lost_to(message, call, name, found) from failed
            else:
                call.outcome = "none"
                return version
        raise VersionConflict(
            f"{call.operation}: gave up after {MAX_LOOKS} attempts: another writer keeps creating "
            "and deleting the object",
            object_name=name,
            outcome=call.outcome,
        )

    async def get(self, call: Call, name: str, *, expired: bool = False) -> Found | None:
        """Reads a live object, or with ``expired`` any: 1 request. None if it does not exist.

        Raises:
            CorruptObject: Its metadata or nonce is not what `put` writes, or of a later format.
        """
        found = await self._read(call, name)
        if found is None or (not expired and self._read_expired(found.info)):
            return None
        return Found(found.info, value_of(found))

    async def head(self, call: Call, name: str) -> ObjectInfo | None:
        """Reads a live object's metadata: 1 request. None if it does not exist or has expired."""
        info = await self.look(call, name)
        return None if info is None or self._read_expired(info) else info

    async def _read(self, call: Call, name: str) -> Object | None:
        found = await self.send(call, lambda: self.bucket.get(name), name)
        if found is not None:
            self.counter.add("bytes_received", len(found.body) + len(found.tail))
        return found

    def _read_expired(self, info: ObjectInfo) -> bool:
        gone = self.expired(info)
        if gone:
            self.counter.add("expired_reads")
        return gone

    async def look(self, call: Call, name: str) -> ObjectInfo | None:
        """Reads the metadata of an object, expired or not: 1 request. None if it does not exist."""
        return await self.send(call, lambda: self.bucket.head(name), name)

    async def _looked(
        self, call: Call, name: str, *, with_get: bool
    ) -> tuple[ObjectInfo | None, Object | None]:
        """Reads an object, expired or not, with its body or without: 1 request."""
        if not with_get:
            return await self.look(call, name), None
        found = await self._read(call, name)
        return (None if found is None else found.info), found

    async def delete(
        self,
        call: Call,
        name: str,
        condition: Version | None = None,
        *,
        expired: bool = False,
        look_with_get: bool = False,
    ) -> bool | None:
        """Deletes an object: 1 request, 2 when a condition fails.

        Args:
            call: The call it belongs to.
            name: The object.
            condition: Delete only this version. If the object is gone, or has expired at another
                version, there is nothing to delete, and that is no conflict.
            expired: Whether an expired object counts as one that exists, for reports of what was
                removed: at another version it is a conflict then.
            look_with_get: As for `put`.

        Returns:
            Whether it existed. None if that is not known: the service does not say, or a reply was
            lost, and the object may have been deleted by the request before.

        Raises:
            VersionConflict: It is at another version.
            RequestRejected: It is at this version, but the service keeps refusing.
        """
        existed: bool | None
        try:
            gone = await self.send(
                call,
                lambda: self.bucket.delete(name, condition),
                name,
                writes=True,
                conditional=condition is not None,
            )
            existed = self._existed(gone, lost=False, expired=expired)
        except PreconditionFailed as failed:
            before, call.outcome = call.outcome, "unknown"  # as for `put`
            info, found = await self._looked(call, name, with_get=look_with_get)
            call.outcome = before
            if info is not None and info.version == condition:
                raise not_understood(call, name, condition, failed) from failed
            if info is not None and (expired or not self.surely_expired(info)):
                message = f"{call.operation}: the object has changed since that version"
                raise lost_to(message, call, name, found) from failed
            existed = False
        if existed is False and call.outcome == "unknown":
            existed = None  # an earlier request whose reply was lost may have deleted it
        call.outcome = "none"
        return existed

    async def delete_many(
        self, call: Call, names: Sequence[str], *, listed: Container[str] = ()
    ) -> list[Deletion]:
        """Deletes up to one batch of objects, retrying those with transient errors.

        Args:
            call: The call they belong to.
            names: The objects.
            listed: Those of them that count as having existed even if they had expired.

        Returns:
            One entry for each name. Where ``error`` is set the object may still be there. After a
            lost reply it is not known which of them existed.
        """
        done: dict[str, Deletion] = {}
        left = list(names)

        async def send() -> None:
            nonlocal left
            sent = set(left)
            lost = call.outcome == "unknown"  # an earlier reply: its request may have deleted them
            results = await self.bucket.delete_many(left)
            again: StateBucketError | None = None
            left = []
            for result in results:
                if result.name not in sent:
                    continue  # it answers another request, and is not acted on
                error = result.error
                forget_hidden(error)
                done[result.name] = result
                if isinstance(error, PreconditionFailed):  # a batch has no conditions
                    done[result.name] = Deletion(result.name, error=not_asked(error))
                elif lost or isinstance(result.existed, ObjectInfo):
                    existed = self._existed(
                        result.existed, lost=lost, expired=result.name in listed
                    )
                    done[result.name] = Deletion(result.name, existed, error)
                if error is not None and error.transient:
                    left.append(result.name)
                    again = again or error
            if again is not None:
                raise again

        if left:
            try:
                await self.send(call, send, None, writes=True)
            except StateBucketError as error:
                done.update((name, Deletion(name, error=error)) for name in left)
        unreported = Unavailable(
            "the service's batch response has no result for this object", outcome="unknown"
        )
        return [done.get(name) or Deletion(name, error=unreported) for name in names]

    def pages(
        self,
        operation: str,
        prefix: str,
        seconds: float,
        limit: int = PAGE,
        start_after: str | None = None,
    ) -> AsyncIterator[list[ObjectInfo]]:
        """The live objects below a prefix, a page at a time: 1 request a page.

        Args:
            operation: The public call it belongs to.
            prefix: What the names begin with.
            seconds: The deadline of each page.
            limit: The most objects in the first page; later pages are full, since expired objects
                are left out.
            start_after: Only objects whose names come after this one.
        """
        return self._listed(operation, prefix, seconds, limit, start_after, live=True)

    def all_pages(
        self,
        operation: str,
        prefix: str,
        seconds: float,
        limit: int = PAGE,
        start_after: str | None = None,
    ) -> AsyncIterator[list[ObjectInfo]]:
        """As `pages`, with expired objects too."""
        return self._listed(operation, prefix, seconds, limit, start_after, live=False)

    def _listed(
        self,
        operation: str,
        prefix: str,
        seconds: float,
        limit: int,
        start_after: str | None,
        *,
        live: bool,
    ) -> AsyncIterator[list[ObjectInfo]]:
        listing: Callable[..., Awaitable[Page]] = self.bucket.list
        if start_after is not None:
            listing = functools.partial(listing, start_after=start_after)

        def kept(page: Page) -> list[ObjectInfo]:
            # Not every service can start a listing at a name, and some include the name itself.
            return [
                info
                for info in page.objects
                if (start_after is None or info.name > start_after)
                and not (live and "expiresat" in info.metadata and self.surely_expired(info))
            ]

        walk = self._walk(operation, listing, prefix, limit, kept, lambda: Call(operation, seconds))
        if len(prefix) > MAX_NAME_BYTES or (len(prefix) == MAX_NAME_BYTES and prefix[-1] == "/"):
            walk.ended = True  # the prefix is too long for any name to lie below it
        return walk

    def pages_within(self, call: Call, prefix: str) -> AsyncIterator[list[ObjectInfo]]:
        """As `all_pages`, all within the deadline of one call."""

        def kept(page: Page) -> list[ObjectInfo]:
            return page.objects

        return self._walk(call.operation, self.bucket.list, prefix, PAGE, kept, lambda: call)

    def prefixes(
        self,
        operation: str,
        prefix: str,
        seconds: float,
        limit: int = PAGE,
        start_after: str | None = None,
    ) -> AsyncIterator[str]:
        """The prefixes one level below ``prefix``: 1 request per 1,000.

        Args:
            operation: The public call it belongs to.
            prefix: What they begin with.
            seconds: The deadline of each page.
            limit: The most of them in the first page.
            start_after: Only those behind this one, which ends in ``/``.
        """
        from statebucket.store.walk import Prefixes  # noqa: PLC0415  (see store.py)

        listing: Callable[..., Awaitable[PrefixPage]] = self.bucket.list_prefixes
        if start_after is not None:
            listing = functools.partial(listing, start_after=start_after)

        def kept(page: PrefixPage) -> list[str]:
            return page.prefixes

        pages = self._walk(
            operation, listing, prefix, limit, kept, lambda: Call(operation, seconds)
        )
        return Prefixes(pages, start_after)

    def _walk(
        self,
        operation: str,
        listing: Callable[..., Awaitable[AnyPage]],
        prefix: str,
        limit: int,
        kept: Callable[[AnyPage], T],
        call: Callable[[], Call],
    ) -> Walk[T]:
        """The pages of a listing.

        Args:
            operation: The public call it belongs to.
            listing: The adapter's call.
            prefix: What the names begin with.
            limit: The most entries of the first page.
            kept: What to take of each page.
            call: The call that the next page belongs to, with its deadline.
        """
        from statebucket.store.page_check import PageCheck  # noqa: PLC0415  (see store.py)
        from statebucket.store.walk import Walk  # noqa: PLC0415  (see store.py)

        check = PageCheck(operation, prefix, ordered=self.bucket.limits.lists_in_order)

        async def send(after: str | None) -> AnyPage:
            async def request() -> AnyPage:
                most = limit if after is None else PAGE
                return check.page(await listing(prefix, after=after, limit=most))

            return await self.send(call(), request, prefix)

        return Walk(send, check, kept)

    async def check(self, call: Call, prefix: str) -> None:
        """Finds out whether the bucket can be reached and listed: 1 request."""
        await self.send(call, lambda: self.bucket.check(prefix), None)

    def expired(self, info: ObjectInfo) -> bool:
        """Whether an object is past its expiry.

        Raises:
            CorruptObject: Its ``expiresat`` is not a number.
        """
        at_ms = expires_ms(info)
        return at_ms is not None and at_ms <= self.now_ms()

    def _existed(
        self,
        gone: ObjectInfo | bool | None,  # noqa: FBT001  (the port's)
        *,
        lost: bool,
        expired: bool,
    ) -> bool | None:
        """Whether a deleted object existed, by what the service says.

        Args:
            gone: What the service says.
            lost: Whether an earlier request, whose reply was lost, may have deleted it.
            expired: Whether it counts as having existed even if it had expired.
        """
        existed = (
            gone if isinstance(gone, bool | None) else expired or not self.surely_expired(gone)
        )
        return None if lost and not existed else existed

    def surely_expired(self, info: ObjectInfo, margin_ms: int = 0) -> bool:
        """Whether an object is past its expiry, as far as that can be read.

        Args:
            info: The object.
            margin_ms: How long it must have been, in milliseconds.
        """
        try:
            at_ms = expires_ms(info)
        except CorruptObject:
            return False  # treated as live: loading it will raise the error
        return at_ms is not None and at_ms + margin_ms <= self.now_ms()

    def send(
        self,
        call: Call,
        request: Callable[[], Awaitable[T]],
        name: str | None = None,
        *,
        writes: bool = False,
        place: str | None = None,
        conditional: bool = False,
    ) -> Coroutine[Any, Any, T]:
        """Sends a request to the adapter, within the store's limits and by its retry policy.

        Args:
            call: The call it belongs to.
            request: Sends it once.
            name: The object it is about, for errors.
            writes: Whether it writes, so that after a lost reply its outcome is unknown.
            place: The bucket it goes to, where that is another.
            conditional: Whether it has a condition, so that the caller looks into one that fails.
        """
        return attempt(
            call,
            request,
            limiter=self._limiters.get(call.waiting),
            counter=self.counter,
            object_name=name,
            place=self.place if place is None else place,
            writes=writes,
            conditional=conditional,
            interval=self.bucket.limits.write_interval if writes else 0.0,
        )

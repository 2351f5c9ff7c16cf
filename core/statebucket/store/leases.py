"""The leases of a store; see `statebucket.contract.lease` for what they guarantee."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import msgspec

from statebucket.contract.lease import MAX_TTL_MS, SKEW_MS, Lease
from statebucket.contract.versions import Version
from statebucket.errors import (
    CorruptObject,
    LeaseHeld,
    LeaseLost,
    StateBucketError,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.port.bucket import JSON
from statebucket.port.complete_types import complete, complete_at_once
from statebucket.port.expiry import Expiry, class_of, to_milliseconds
from statebucket.port.loop_waiting import running_loop
from statebucket.port.waiting import here
from statebucket.store.retry import Call
from statebucket.store.tasks import shielded

if TYPE_CHECKING:
    from types import TracebackType

    from statebucket.store.context import StoreContext

_KEPT_MS = 7 * 86_400_000
_RENEW_SHARE = 1 / 3
_RETRY_SHARE = 1 / 4  # of the time between renewals
MAX_POLL = 1.0
REUSED = "a lease cannot be reused: call store.lease(…) again"

_leaving: set[asyncio.Task[None]] = set()  # an event loop does not keep its tasks alive


@complete_at_once
class _Record(msgspec.Struct):
    """The body of a lease object."""

    holder: str
    fence: int
    expires_ms: int


class StoreLease(Lease):
    """A lease of a store, as a record in its bucket.

    Args:
        context: The store's.
        tenant_id: The tenant.
        execution_id: The execution.
        ttl: How long it lasts after it was taken or renewed.
        wait_ms: How long to wait for another holder, in milliseconds.
    """

    def __init__(
        self,
        context: StoreContext,
        *,
        tenant_id: str,
        execution_id: str,
        ttl: timedelta | float,
        wait_ms: int,
    ) -> None:
        self.execution_id = execution_id
        self.tenant_id = tenant_id
        self.fence = 0
        self._context = context
        self._objects = context.objects
        self._name = context.layout.lease(tenant_id, execution_id)
        self._ttl_ms = lease_milliseconds(ttl)
        self._wait = wait_ms / 1000
        self._holder = os.urandom(8).hex()
        self._expires_ms = 0
        self._lost: LeaseLost | None = None
        self._unrenewed: StateBucketError | None = None  # why the last renewal failed
        self._version = Version.ABSENT
        self._seen: Version | None = None
        self._saved = -math.inf  # when a save under it ended, in the loop's time
        self._pid = 0
        self._given_up = False
        self._asked = False  # whether a record of ours may exist
        self._renewal: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Lease {self.execution_id!r} of tenant {self.tenant_id!r} fence={self.fence}>"

    @property
    def held(self) -> bool:
        return (
            self._lost is None
            and self._objects.now_ms() < self._expires_ms
            and self._pid == os.getpid()
        )

    def check(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._pid != os.getpid():
            raise self._lose("it is held by the parent of this forked process")
        if self._given_up:
            raise self._lose("it was given up")
        if not self.held:
            why = "it expired before it was renewed"
            if self._unrenewed is not None:
                why += f": {self._unrenewed.message}"
            raise self._lose(why) from self._unrenewed

    # Used by the store when it saves under the lease.

    def base(self) -> Version:
        """The version of the snapshot that a save under this lease replaces."""
        self.check()
        assert self._seen is not None  # noqa: S101  (set before the lease is handed out)
        return self._seen

    def note(self, version: Version, *, asked: float | None = None) -> None:
        """Remembers the version of a snapshot that was loaded or saved under this lease.

        Args:
            version: The version.
            asked: For a load, when it began, in the loop's time: a version saved since is newer.
        """
        if not self.held or (asked is not None and asked < self._saved):
            return
        self._seen = version
        if asked is None:
            self._saved = here().time()

    async def conflict(self, call: Call, error: VersionConflict) -> StateBucketError:
        """The error for a save under this lease that lost a race: 1 request."""
        record = await self._read(call)
        if record is not None and record[0].holder == self._holder:
            return error  # still ours: another writer saved without the lease
        lost = self._lose("another worker took it and saved")
        return LeaseLost(lost.message, object_name=self._name, outcome=error.outcome)

    async def __aenter__(self) -> Self:
        if self._pid:
            raise UnsupportedOperation(REUSED)
        self._pid = os.getpid()
        loop = running_loop()
        until, poll = loop.time() + self._wait, 0.05
        while True:
            call = self._context.call("lease")
            try:
                await self._take(call)
                self._seen = await self._context.snapshots.version(
                    call, self.tenant_id, self.execution_id
                )
                break
            except LeaseHeld:
                left = until - loop.time()
                if left <= 0:
                    raise
            except StateBucketError:
                self._leave()  # the lease may have been taken; the caller's time is up
                raise
            except BaseException:
                with shielded():
                    await asyncio.shield(self._leave())
                raise
            await asyncio.sleep(min(poll, left))
            poll = min(poll * 2, MAX_POLL)
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pid == os.getpid():  # otherwise the parent gives it up
            with shielded():
                await asyncio.shield(self._leave())

    def _leave(self) -> asyncio.Task[None]:
        """Gives the lease up, and finishes that even if the caller no longer waits: 1 request."""
        leaving = asyncio.create_task(self._give_up())
        _leaving.add(leaving)
        leaving.add_done_callback(_leaving.discard)
        return leaving

    async def _give_up(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})
        self._expires_ms, self._given_up = 0, True
        if self._asked and self._lost is None:
            # If that fails, the lease runs out by itself.
            with contextlib.suppress(StateBucketError):
                await self._write_again(self._call(self._context.deadline), expires_ms=0)

    async def _take(self, call: Call) -> None:
        now = self._objects.now_ms()
        found = await self._read(call)
        if found is None:
            self._version, previous = Version.ABSENT, 0
        else:
            record, self._version = found
            left_ms = record.expires_ms + SKEW_MS - now
            # No lease lasts longer than a day: a record that says so is invalid.
            if 0 < left_ms <= MAX_TTL_MS + 2 * SKEW_MS:
                left, skew = math.ceil(left_ms / 1000), SKEW_MS // 1000
                raise LeaseHeld(
                    "the lease is held by another worker; unless renewed, it can be taken in "
                    f"{left} s, which includes {skew} s for clocks that differ",
                    object_name=self._name,
                )
            previous = record.fence
        self.fence = max(previous + 1, now)
        self._asked = True
        try:
            await self._write(call, expires_ms=now + self._ttl_ms)
        except VersionConflict as error:
            self._asked = False
            raise LeaseHeld(
                "another worker took the lease first", object_name=self._name
            ) from error
        except StateBucketError as error:
            self._asked = error.outcome != "none"
            raise
        self._expires_ms = now + self._ttl_ms

    async def _renew(self) -> None:
        """Renews the lease while it is held; the next `check` reports why it could not."""
        every = self._ttl_ms / 1000 * _RENEW_SHARE
        pause = every
        while True:
            await asyncio.sleep(pause)
            if not self.held:
                return
            until = self._objects.now_ms() + self._ttl_ms
            try:
                # An attempt that hangs must leave time for another.
                await self._write_again(
                    self._call(min(self._context.deadline, every)), expires_ms=until
                )
            except VersionConflict:
                self._lose("another worker took it")
                return
            except StateBucketError as error:
                self._unrenewed = error
                pause = every * _RETRY_SHARE  # until it runs out
                continue
            self._expires_ms, pause = until, every
            self._unrenewed = None

    def _call(self, seconds: float) -> Call:
        """For a request that must not wait behind others while the lease runs out."""
        return Call("lease", seconds, urgent=True)

    async def _write_again(self, call: Call, *, expires_ms: int) -> None:
        """Writes the record over our own, even over one whose reply was lost."""
        try:
            await self._write(call, expires_ms=expires_ms)
        except VersionConflict:
            found = await self._read(call)
            if found is None or found[0].holder != self._holder:
                raise
            self._version = found[1]
            await self._write(call, expires_ms=expires_ms)

    async def _read(self, call: Call) -> tuple[_Record, Version] | None:
        found = await self._objects.get(call, self._name)
        if found is None:
            return None
        try:
            record = msgspec.json.decode(found.body, type=complete(_Record))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise CorruptObject("not a lease record", object_name=self._name) from error
        return record, found.info.version

    async def _write(self, call: Call, *, expires_ms: int) -> None:
        kept = self._ttl_ms + _KEPT_MS
        self._version = await self._objects.put(
            call,
            self._name,
            msgspec.json.encode(_Record(self._holder, self.fence, expires_ms)),
            content_type=JSON,
            expiry=Expiry(self._objects.now_ms() + kept, class_of(kept)),
            condition=self._version,
        )

    def _lose(self, why: str) -> LeaseLost:
        self._lost = LeaseLost(f"lease lost: {why}", object_name=self._name)
        return self._lost


def lease_milliseconds(ttl: timedelta | float) -> int:
    """The milliseconds of a lease's TTL.

    Raises:
        InvalidTTL: It is not a positive duration, or over a day.
    """
    return to_milliseconds(ttl, longest=timedelta(milliseconds=MAX_TTL_MS))

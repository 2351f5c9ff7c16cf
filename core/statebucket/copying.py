"""Copying tenants from one store to another: between clouds, and to SQLite.

Each object is read, written on condition of what was seen at the destination, and read back. An
execution is copied as one: where the destination's snapshot is newer, nothing of it is touched;
else its keys are made those of the source, and the snapshot follows last, so that a snapshot at the
destination says that its keys are there. A key of no execution has nothing that tells older from
newer: one that differs stays as it is, unless the caller says otherwise.

What is there already and equal is not written again, so that an interrupted copy is gone on with by
running it again. Expiry is kept to the millisecond. Leases are not copied; their fences grow with
the clock in any store. What the source has deleted since an earlier copy stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.bucket import BYTES, JSON
from statebucket.errors import (
    CorruptObject,
    InvalidKey,
    InvalidSnapshot,
    RequestRejected,
    StateBucketError,
    TenantMismatch,
    VersionConflict,
)
from statebucket.expiry import Expiry, class_of
from statebucket.names import checked, decode
from statebucket.objects import expires_ms
from statebucket.retry import Call
from statebucket.snapshot import ExecutionSnapshot
from statebucket.tasks import AtMost
from statebucket.versions import Version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statebucket.objects import Found
    from statebucket.parts import Parts

OPERATION = "copy"
_AT_ONCE = 16
_MOST_RACES = 5

# Any other error is the store's, not this object's: it ends the copy, to be gone on with later.
_OF_ONE_OBJECT = (CorruptObject, InvalidKey, RequestRejected, TenantMismatch, VersionConflict)


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy did so far.

    Attributes:
        seen: Objects of the source that were looked at.
        copied: Those written to the destination, and read back.
        same: Those that were there already, equal in value and expiry.
        newer: Those left alone, since the destination's snapshot of their execution is newer.
        kept: Keys of no execution that differ at the destination, and stay as they are there.
        gone: Those that expired or were deleted meanwhile.
        failed: Those that could not be copied; see ``failures``.
        bytes: The size of the values that were written.
        failures: What was wrong with them, by object name at the source.
    """

    seen: int = 0
    copied: int = 0
    same: int = 0
    newer: int = 0
    kept: int = 0
    gone: int = 0
    failed: int = 0
    bytes: int = 0
    failures: dict[str, str] = {}

    @property
    def ok(self) -> bool:
        """Whether the destination has all that it should have."""
        return self.failed == 0


class Copier:
    """One copy.

    Args:
        source: What to copy from.
        target: Where to.
        replace_keys: Replace keys of no execution that differ.
        dry_run: Write nothing.
        progress: Called after each object with what was done so far.
    """

    def __init__(
        self,
        source: Parts,
        target: Parts,
        *,
        replace_keys: bool = False,
        dry_run: bool = False,
        progress: Callable[[CopyReport], None] | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._replace_keys = replace_keys
        self._dry_run = dry_run
        self._progress = progress
        self._failures: dict[str, str] = {}
        self._report = CopyReport(failures=self._failures)

    @property
    def report(self) -> CopyReport:
        """What was done so far."""
        return self._report

    async def tenant(self, tenant_id: str) -> CopyReport:
        """Copies a tenant: its executions, then its other keys."""
        names = self._source.names
        async with AtMost(_AT_ONCE) as tasks:
            seen: set[str] = set()
            prefix = names.snapshots(tenant_id)
            async for name in self._names(prefix):
                if execution_id := decode(name.removeprefix(prefix)):
                    seen.add(execution_id)
                    await tasks.start(self._execution(tenant_id, execution_id))
            # Executions that have keys, but no snapshot (yet, or any more).
            prefix = names.executions(tenant_id)
            objects, seconds = self._source.objects, self._source.seconds
            async for found in objects.prefixes(OPERATION, prefix, seconds):
                execution_id = decode(found.removeprefix(prefix)[:-1])
                if execution_id is not None and execution_id not in seen:
                    await tasks.start(self._execution(tenant_id, execution_id, snapshot=False))
        await self._keys(names.keys(tenant_id), self._target.names.keys(tenant_id))
        return self._report

    async def shared(self) -> CopyReport:
        """Copies the keys that were set without a tenant."""
        if self._source.owners is not None and self._target.owners is not None:
            await self._keys(self._source.names.shared, self._target.names.shared)
        return self._report

    async def _keys(self, source: str, target: str) -> None:
        async with AtMost(_AT_ONCE) as tasks:
            async for name in self._names(source):
                there = target + name.removeprefix(source)
                await tasks.start(self._one(name, there, replace=self._replace_keys))

    async def _execution(self, tenant_id: str, execution_id: str, *, snapshot: bool = True) -> None:
        name = self._source.names.snapshot(tenant_id, execution_id)
        there = self._target.names.snapshot(tenant_id, execution_id)
        source = self._source.names.execution(tenant_id, execution_id)
        target = self._target.names.execution(tenant_id, execution_id)
        failed = self._report.failed
        ahead: bool | None = None
        async with AtMost(_AT_ONCE) as tasks:
            async for key in self._names(source):
                if ahead is None:
                    ahead = await self._is_ahead(name, there)
                if ahead:
                    self._count(seen=1, newer=1)
                else:
                    to = target + key.removeprefix(source)
                    await tasks.start(self._one(key, to, replace=True))
        # The snapshot says that its keys are there.
        if snapshot and self._report.failed == failed:
            await self._one(name, there, owner=(tenant_id, execution_id), replace=True)

    async def _is_ahead(self, name: str, there: str) -> bool:
        """Whether the destination's snapshot is newer than the source's."""
        theirs = await self._target.objects.get(self._call(self._target), there)
        if theirs is None:
            return False
        mine = await self._source.objects.get(self._call(self._source), name)
        return mine is None or _numbered(theirs) > _numbered(mine)

    async def _one(
        self, name: str, there: str, *, replace: bool, owner: tuple[str, str] | None = None
    ) -> None:
        """Copies one object; a snapshot has an owner, the tenant and execution."""
        result: dict[str, int] | None = None
        try:
            for _ in range(_MOST_RACES):
                result = await self._try(name, checked(there), replace=replace, owner=owner)
                if result is not None:
                    break
        except _OF_ONE_OBJECT as error:
            self._fail(name, error)
            return
        if result is None:
            self._fail(name, VersionConflict("the destination's object changes all the time"))
        else:
            self._count(seen=1, **result)

    async def _try(
        self, name: str, there: str, *, replace: bool, owner: tuple[str, str] | None
    ) -> dict[str, int] | None:
        """What became of one object, as counts; None after a lost race."""
        mine = await self._source.objects.get(self._call(self._source), name)
        if mine is None:
            return {"gone": 1}
        theirs = await self._target.objects.get(self._call(self._target), there)
        if theirs is not None:
            if _equal(mine, theirs):
                return {"same": 1}
            if owner is not None and _numbered(theirs) > _numbered(mine):
                return {"newer": 1}
            if not replace:
                return {"kept": 1}
        if not self._dry_run:
            condition = Version.ABSENT if theirs is None else theirs.info.version
            if owner is not None:
                await self._claim(mine, *owner)
            try:
                written = await self._put(mine, there, condition)
            except VersionConflict:
                return None
            back = await self._target.objects.get(self._call(self._target), there)
            # Another writer may have replaced it meanwhile, which is as it should be.
            if back is not None and back.info.version == written and not _equal(mine, back):
                raise CorruptObject("read back, it is not what was written", object_name=there)
        return {"copied": 1, "bytes": len(mine.body)}

    async def _claim(self, mine: Found, tenant_id: str, execution_id: str) -> None:
        owners = self._target.owners
        if owners is None:
            return
        call = self._call(self._target)
        await owners.claim_until(call, execution_id, tenant_id, expires_ms(mine.info))

    async def _put(self, mine: Found, there: str, condition: Version) -> Version:
        at_ms = expires_ms(mine.info)
        expiry = None
        if at_ms is not None:
            left = max(1, at_ms - self._target.objects.now_ms())
            expiry = Expiry(at_ms, class_of(left))
        body = bytes(mine.body)
        return await self._target.objects.put(
            self._call(self._target),
            there,
            body,
            content_type=_content_type(body),
            expiry=expiry,
            condition=condition,
        )

    async def _names(self, prefix: str) -> AsyncIterator[str]:
        objects, seconds = self._source.objects, self._source.seconds
        async for page in objects.pages(OPERATION, prefix, seconds):
            for info in page:
                yield info.name

    def _fail(self, name: str, error: StateBucketError) -> None:
        self._failures[name] = f"{type(error).__name__}: {error}"
        self._count(seen=1, failed=1)

    def _count(self, **more: int) -> None:
        # No await between reading and writing: many tasks count at once.
        numbers = {name: getattr(self._report, name) + number for name, number in more.items()}
        self._report = msgspec.structs.replace(self._report, **numbers)
        if self._progress is not None:
            self._progress(self._report)

    @staticmethod
    def _call(parts: Parts) -> Call:
        return Call(OPERATION, parts.seconds)


def _equal(mine: Found, theirs: Found) -> bool:
    return mine.body == theirs.body and expires_ms(mine.info) == expires_ms(theirs.info)


def _numbered(found: Found) -> int:
    try:
        return ExecutionSnapshot.from_json(found.body).sequence_number
    except InvalidSnapshot as error:
        raise CorruptObject(error.message, object_name=found.info.name) from error


def _content_type(body: bytes) -> str:
    """The media type to store a value under; a reading of JSON stays one with its nonce."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return BYTES
    return JSON

"""Copying tenants from one store to another: between clouds, and to SQLite.

Each object is read, written on condition of what was seen at the destination, and read back. An
execution is copied as one, with its keys that were set without a tenant: where the destination's
snapshot is newer, nothing of it is touched; else its keys are made those of the source, and the
snapshot follows last, so that a snapshot at the destination says that its keys are there; where a
key could not be copied, the snapshot waits. A key of no execution has nothing that tells older from
newer: one that differs stays as it is, unless the caller says otherwise.

What is there already and equal is not written again, so that an interrupted copy is gone on with by
running it again. Expiry is kept to the millisecond. Leases are not copied; their fences grow with
the clock in any store. What the source has deleted since an earlier copy stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.versions import Version
from statebucket.errors import (
    CorruptObject,
    InvalidKey,
    InvalidSnapshot,
    RequestRejected,
    StateBucketError,
    TenantMismatch,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.port.bucket import BYTES, JSON
from statebucket.port.expiry import Expiry, class_of
from statebucket.store.layout import checked, decode
from statebucket.store.objects import expires_ms
from statebucket.store.retry import Call
from statebucket.store.tasks import AtMost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statebucket.store.context import Parts
    from statebucket.store.objects import Found

OPERATION = "copy"
_AT_ONCE = 16
_MOST_RACES = 5

# Any other error is the store's, not this object's: it ends the copy, to be gone on with later.
_OF_ONE_OBJECT = (
    CorruptObject,
    InvalidKey,
    RequestRejected,
    TenantMismatch,
    UnsupportedOperation,
    VersionConflict,
)


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy did so far.

    Attributes:
        seen: Objects of the source that were looked at.
        copied: Those written to the destination, and read back.
        same: Those that were there already, equal in value and expiry.
        newer: Those left alone, since the destination's snapshot of their execution is newer.
        kept: Keys of no execution that differ at the destination, and stay as they are there.
        gone: Those that expired or were deleted meanwhile.
        failed: Those that could not be copied, with those of the same execution that wait for them.
        bytes: The size of the values that were written.
        failures: What was wrong, by the name at the source of the object that is to blame.
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
        self._along: set[str] | None = None
        self._done: set[str] = set()  # executions whose keys without a tenant `tenant` copied
        self._report = CopyReport(failures=self._failures)

    @property
    def report(self) -> CopyReport:
        """What was done so far."""
        return self._report

    async def tenant(self, tenant_id: str) -> CopyReport:
        """Copies a tenant: its executions, with those of their keys that have no tenant; its keys.

        An execution's keys that were set without a tenant go with its snapshot.
        """
        names = self._source.names
        along = await self._shared_executions()
        async with AtMost(_AT_ONCE) as tasks:
            seen: set[str] = set()
            prefix = names.snapshots(tenant_id)
            async for name in self._names(prefix):
                segment = name.removeprefix(prefix)
                if decode(segment):
                    seen.add(segment)
                    keys = [f"{names.executions(tenant_id)}{segment}/"]
                    if segment in along:
                        keys.append(f"{names.executions(None)}{segment}/")
                    await tasks.start(self._execution(name, keys, tenant_id))
            self._done |= seen & along
            # Executions that have keys, but no snapshot (yet, or any more).
            objects, seconds = self._source.objects, self._source.seconds
            async for found in objects.prefixes(OPERATION, names.executions(tenant_id), seconds):
                segment = found.removeprefix(names.executions(tenant_id))[:-1]
                if decode(segment) and segment not in seen:
                    await tasks.start(self._execution(prefix + segment, [found]))
        await self._keys(names.keys(tenant_id))
        return self._report

    async def shared(self) -> CopyReport:
        """Copies the keys that were set without a tenant, but for those that `tenant` copied."""
        if self._source.owners is None:
            return self._report
        names = self._source.names
        async with AtMost(_AT_ONCE) as tasks:
            for segment in sorted(await self._shared_executions() - self._done):
                prefix = f"{names.executions(None)}{segment}/"
                await tasks.start(self._execution(None, [prefix]))
        await self._keys(names.keys(None))
        return self._report

    async def _shared_executions(self) -> set[str]:
        """The executions, as segments, that have keys without a tenant; listed once."""
        if self._along is None:
            self._along = set()
            if self._source.owners is not None:
                prefix = self._source.names.executions(None)
                objects, seconds = self._source.objects, self._source.seconds
                async for found in objects.prefixes(OPERATION, prefix, seconds):
                    self._along.add(found.removeprefix(prefix)[:-1])
        return self._along

    async def _keys(self, prefix: str) -> None:
        async with AtMost(_AT_ONCE) as tasks:
            async for name in self._names(prefix):
                await tasks.start(self._one(name, replace=self._replace_keys))

    async def _execution(
        self, snapshot: str | None, prefixes: list[str], tenant_id: str | None = None
    ) -> None:
        """Copies an execution.

        Args:
            snapshot: The name of its snapshot, whether there is one or not; None where nobody
                knows its tenant.
            prefixes: Of its keys.
            tenant_id: Its tenant where there is a snapshot to copy, else None.
        """
        whole = True
        stay: dict[str, int] | None = None

        async def key(name: str) -> None:
            nonlocal whole
            if not await self._one(name, replace=True):
                whole = False

        async with AtMost(_AT_ONCE) as tasks:
            for prefix in prefixes:
                async for name in self._names(prefix):
                    if stay is None:
                        stay = await self._staying(snapshot, prefix)
                        whole = "failed" not in stay
                    if stay:
                        self._count(seen=1, **stay)
                    else:
                        await tasks.start(key(name))
        if tenant_id is None or snapshot is None:
            return
        if whole:
            execution_id = decode(snapshot.rpartition("/")[2]) or ""
            await self._one(snapshot, owner=(tenant_id, execution_id), replace=True)
        else:
            # The snapshot says that its keys are there.
            self._count(seen=1, failed=1)

    async def _staying(self, snapshot: str | None, prefix: str) -> dict[str, int]:
        """What each key of an execution counts as that is not to be copied; nothing else."""
        try:
            ahead = await self._is_ahead(snapshot, prefix)
        except _OF_ONE_OBJECT as error:
            self._failures[snapshot or prefix] = _told(error)
            return {"failed": 1}
        return {"newer": 1} if ahead else {}

    async def _is_ahead(self, name: str | None, prefix: str) -> bool:
        """Whether the destination's snapshot is newer than the source's."""
        there = await self._owned(prefix) if name is None else self._there(name)
        if there is None:
            return False
        theirs = await self._target.objects.get(self._call(self._target), there)
        if theirs is None:
            return False
        mine = None
        if name is not None:
            mine = await self._source.objects.get(self._call(self._source), name)
        return mine is None or _numbered(theirs) > _numbered(mine)

    async def _owned(self, prefix: str) -> str | None:
        """The destination's snapshot of the execution whose keys without a tenant have a prefix."""
        owners, execution_id = self._target.owners, decode(prefix.split("/")[-2])
        if owners is None or execution_id is None:
            return None
        tenant_id = await owners.tenant_of(self._call(self._target), execution_id)
        return None if tenant_id is None else self._target.names.snapshot(tenant_id, execution_id)

    def _there(self, name: str) -> str:
        """What an object of the source is called at the destination."""
        if self._target.owners is None and name.startswith(self._source.names.shared):
            raise UnsupportedOperation(
                "a key without a tenant, which the destination, opened with owner_index=false, "
                "cannot have"
            )
        return checked(self._target.names.root + name.removeprefix(self._source.names.root))

    async def _one(self, name: str, *, replace: bool, owner: tuple[str, str] | None = None) -> bool:
        """Copies one object; a snapshot has an owner, the tenant and execution.

        Returns:
            Whether nothing went wrong.
        """
        result: dict[str, int] | None = None
        try:
            there = self._there(name)
            for _ in range(_MOST_RACES):
                result = await self._try(name, there, replace=replace, owner=owner)
                if result is not None:
                    break
            else:
                raise VersionConflict("the destination's object changes all the time")
        except _OF_ONE_OBJECT as error:
            self._failures[name] = _told(error)
            result = {"failed": 1}
        self._count(seen=1, **(result or {}))
        return "failed" not in (result or {})

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

    def _count(self, **more: int) -> None:
        # No await between reading and writing: many tasks count at once.
        numbers = {name: getattr(self._report, name) + number for name, number in more.items()}
        self._report = msgspec.structs.replace(self._report, **numbers)
        if self._progress is not None:
            self._progress(self._report)

    @staticmethod
    def _call(parts: Parts) -> Call:
        return Call(OPERATION, parts.seconds)


def _told(error: StateBucketError) -> str:
    return f"{type(error).__name__}: {error}"


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

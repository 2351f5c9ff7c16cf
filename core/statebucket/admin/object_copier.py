"""Copying one object from a store to another: read, written conditionally, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.snapshot import ExecutionSnapshot
from statebucket.contract.versions import Version
from statebucket.errors import (
    CorruptObject,
    InvalidSnapshot,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.port.bucket import BYTES, JSON
from statebucket.port.expiry import Expiry
from statebucket.store.envelope import expires_ms, is_kept

if TYPE_CHECKING:
    from collections.abc import Collection

    from statebucket.store.context import StoreContext
    from statebucket.store.envelope import Found
    from statebucket.store.layout import Place

OPERATION = "copy"
MAX_RACES = 5


class ObjectCopier:
    """Copies objects, one at a time, from one store to another.

    Args:
        source: What to copy from.
        target: Where to.
        tenants: The tenants that are copied; None for all.
        dry_run: Write nothing.
    """

    def __init__(
        self,
        source: StoreContext,
        target: StoreContext,
        *,
        tenants: Collection[str] | None,
        dry_run: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._tenants = None if tenants is None else frozenset(tenants)
        self._dry_run = dry_run

    async def is_ahead(self, execution_id: str, tenant_id: str) -> bool:
        """Whether the destination's snapshot of a tenant's execution is newer than the source's."""
        source, target = self._source, self._target
        there = target.layout.snapshot(tenant_id, execution_id)
        theirs = await target.objects.get(target.call(OPERATION), there)
        if theirs is None:
            return False
        name = source.layout.snapshot(tenant_id, execution_id)
        mine = await source.objects.get(source.call(OPERATION), name)
        return mine is None or _sequence_number(theirs) > _sequence_number(mine)

    async def is_ahead_for_any(self, execution_id: str) -> bool:
        """Whether the destination keeps its own version of an execution's keys without a tenant.

        It does if any tenant that has the execution at the destination has a newer snapshot than
        the source, or is not copied.
        """
        target = self._target
        if target.owners is None:
            return False
        for tenant_id in await target.owners.tenants_of(target.call(OPERATION), execution_id):
            if self._tenants is None or tenant_id in self._tenants:
                if await self.is_ahead(execution_id, tenant_id):
                    return True
            else:
                name = target.layout.snapshot(tenant_id, execution_id)
                if await target.objects.head(target.call(OPERATION), name) is not None:
                    return True
        return False

    async def read(self, place: Place) -> Found | None:
        """The source's object at a place: 1 request. None if it is gone or has expired.

        Raises:
            CorruptObject: It cannot be read.
        """
        source = self._source
        return await source.objects.get(source.call(OPERATION), source.layout.name(place))

    async def copy(
        self, place: Place, *, replace: bool, mine: Found | None = None
    ) -> dict[str, int]:
        """Copies the object at a place, with its owner record if it is a snapshot.

        Args:
            place: Where it is, in either store.
            replace: Replace one that differs; a newer snapshot stays in any case.
            mine: The source's object, if it was read before.

        Returns:
            Its outcome, as counts of a `statebucket.admin.copy_report.CopyReport`.

        Raises:
            VersionConflict: Other writers were quicker each time.
        """
        if place.tenant is None and self._target.owners is None:
            raise UnsupportedOperation(
                "the destination has owner_index=false and cannot store keys without a tenant"
            )
        for _ in range(MAX_RACES):
            found = await self.read(place) if mine is None else mine
            if found is None or self._source.objects.expired(found.info):
                return {"gone": 1}
            result = await self._try(found, place, replace=replace)
            if result is not None:
                return result
        raise VersionConflict("gave up: the destination object kept changing")

    async def _try(self, mine: Found, place: Place, *, replace: bool) -> dict[str, int] | None:
        """The outcome of one object, as counts; None after a lost race."""
        target = self._target
        there = target.layout.name(place)
        theirs = await target.objects.get(target.call(OPERATION), there)
        is_snapshot = place.kind == "snapshot"
        if theirs is not None:
            if _equal(mine, theirs):
                return {"same": 1}
            if is_snapshot and _sequence_number(theirs) > _sequence_number(mine):
                return {"newer": 1}
            if not replace:
                return {"kept": 1}
        if not self._dry_run:
            condition = Version.ABSENT if theirs is None else theirs.info.version
            if is_snapshot:
                await self._record(mine, place)
            try:
                written = await self._put(mine, there, condition)
            except VersionConflict:
                return None
            back = await target.objects.get(target.call(OPERATION), there)
            # Another writer may have replaced it meanwhile, which is fine.
            if back is not None and back.info.version == written and not _equal(mine, back):
                raise CorruptObject(
                    "verification failed: the copy differs from what was written",
                    object_name=there,
                )
        return {"copied": 1, "bytes": len(mine.body)}

    async def _record(self, mine: Found, place: Place) -> None:
        owners = self._target.owners
        if owners is None or place.tenant is None or place.execution is None:
            return
        call = self._target.call(OPERATION)
        await owners.ensure(call, place.execution, place.tenant, self._expiry(mine))

    def _expiry(self, mine: Found) -> Expiry | None:
        at_ms = expires_ms(mine.info)
        return None if at_ms is None else Expiry.until(at_ms, self._target.objects.now_ms())

    async def _put(self, mine: Found, there: str, condition: Version) -> Version:
        body = bytes(mine.body)
        return await self._target.objects.put(
            self._target.call(OPERATION),
            there,
            body,
            content_type=_content_type(body),
            expiry=self._expiry(mine),
            condition=condition,
            kept=is_kept(mine.info),
        )


def _equal(mine: Found, theirs: Found) -> bool:
    """Whether a copy is equal to its source; the mark of a kept key must be there too."""
    return (
        mine.body == theirs.body
        and expires_ms(mine.info) == expires_ms(theirs.info)
        and is_kept(mine.info) <= is_kept(theirs.info)
    )


def _sequence_number(found: Found) -> int:
    try:
        return ExecutionSnapshot.from_json(found.body).sequence_number
    except InvalidSnapshot as error:
        raise CorruptObject(error.message, object_name=found.info.name) from error


def _content_type(body: bytes) -> str:
    """The media type to store a value with; JSON stays JSON, nonce included."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return BYTES
    return JSON

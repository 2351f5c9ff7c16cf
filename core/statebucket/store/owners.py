"""The owner records: which tenant an execution belongs to.

They make ``load_snapshot(execution_id)`` possible without a tenant, and keep two tenants from using
one execution id. They are an index: no service changes two objects at once, so that a save racing a
removal may leave a snapshot without its record. The tenant view still finds that snapshot, and the
next uncached save, or ``sweep``, writes the record again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import CorruptObject, TenantMismatch, VersionConflict
from statebucket.port.bucket import JSON
from statebucket.port.expiry import Expiry, class_of, outliving
from statebucket.store.envelope import expires_ms, value_of
from statebucket.store.lru_cache import LRUCache
from statebucket.store.objects import ConflictingObject, Objects

if TYPE_CHECKING:
    from statebucket.port.bucket import ObjectInfo
    from statebucket.store.layout import Layout
    from statebucket.store.retry import Call

FRESH_MS = 60_000
"""How long a save relies on an owner it has seen before, in milliseconds."""

MAX_RACES = 8


class _Record(msgspec.Struct):
    """The body of an owner record."""

    tenant_id: str
    claimed_ms: int = 0


class Claim(msgspec.Struct, frozen=True):
    """Which tenant owns an execution, since when (in milliseconds since the epoch), and where.

    Attributes:
        tenant: The tenant.
        at_ms: When the record was written.
        version: The record's version.
    """

    tenant: str
    at_ms: int
    version: Version | None


class _Known(msgspec.Struct, frozen=True):
    """What this process knows of an execution's owner.

    Attributes:
        tenant: The tenant.
        version: The record's version, where it was read or written; None where the owner is known
            from a snapshot in the tenant's prefix.
        until_ms: Until when the record is sure to stay, in milliseconds; None for ever.
        seen_ms: When this was learnt.
        claimed_ms: When the record was written, where it was read.
    """

    tenant: str
    version: Version | None
    until_ms: int | None
    seen_ms: int
    claimed_ms: int = 0

    def outlives(self, expiry: Expiry | None) -> bool:
        """Whether the record stays as long as an object with this expiry."""
        if self.until_ms is None:
            return True
        return expiry is not None and expiry.at_ms <= self.until_ms


class OwnerIndex:
    """The owner records of one store.

    Args:
        objects: Where they are kept.
        layout: How they are named.
    """

    def __init__(self, objects: Objects, layout: Layout) -> None:
        self._objects = objects
        self._layout = layout
        self._known: LRUCache[str, _Known] = LRUCache()

    async def tenant_of(
        self, call: Call, execution_id: str, *, refresh: bool = False
    ) -> str | None:
        """The tenant that owns an execution: 1 request, none when it is known.

        Args:
            call: The call it belongs to.
            execution_id: The execution.
            refresh: Whether to read the record also when the owner is known. One that has expired
                counts, and without any the owner stays the one that was known: what is left of the
                execution is there.
        """
        known = self._known.get(execution_id)
        if known is None or refresh:
            known = await self._read(call, execution_id, expired=refresh) or known
        return None if known is None else known.tenant

    def is_known(self, execution_id: str) -> bool:
        """Whether `tenant_of` would answer without a request."""
        return self._known.get(execution_id) is not None

    def recent_owner(self, execution_id: str) -> str | None:
        """The tenant whose record this process has read or written within a minute, if any."""
        known = self._known.get(execution_id)
        if known is None or known.version is None:
            return None
        return known.tenant if self._objects.now_ms() - known.seen_ms <= FRESH_MS else None

    async def claim(
        self, call: Call, execution_id: str, tenant_id: str, expiry: Expiry | None
    ) -> None:
        """Makes sure that a tenant owns an execution, before its snapshot is written.

        0 requests when the owner was seen within a minute, 1 when it was seen before or the
        execution is new, 2 when another process had saved it; 1 more when the record would not
        outlive the snapshot.

        Raises:
            TenantMismatch: Another tenant owns it.
        """
        known = self._known.get(execution_id)
        for _ in range(MAX_RACES):
            if known is None:
                known = await self._create(call, execution_id, tenant_id, expiry)
            elif known.tenant != tenant_id or self._objects.now_ms() - known.seen_ms > FRESH_MS:
                known = await self._read(call, execution_id)
                if known is None:
                    continue
            if known.tenant != tenant_id:
                raise TenantMismatch(
                    f"execution {execution_id!r} belongs to a different tenant, not {tenant_id!r}"
                )
            if known.outlives(expiry):
                return
            known = await self._prolong(call, execution_id, known, expiry)
        raise VersionConflict(
            f"{call.operation}: gave up: the owner record of {execution_id!r} kept changing",
            object_name=self._layout.owner(execution_id),
            outcome=call.outcome,
        )

    def note(self, execution_id: str, tenant_id: str, snapshot_expires_ms: int | None) -> None:
        """Remembers the owner of a snapshot that was loaded from the tenant's prefix."""
        known = self._known.get(execution_id)
        if known is None or known.tenant != tenant_id:
            now = self._objects.now_ms()
            self._known.put(execution_id, _Known(tenant_id, None, snapshot_expires_ms, now))

    async def claim_of(self, call: Call, execution_id: str) -> Claim | None:
        """Reads who owns an execution, and since when: 1 request."""
        known = await self._read(call, execution_id)
        return None if known is None else Claim(known.tenant, known.claimed_ms, known.version)

    async def claim_until(
        self, call: Call, execution_id: str, tenant_id: str, expires_at_ms: int | None
    ) -> None:
        """As `claim`, for a snapshot that is stored already and expires at a known moment."""
        expiry = None
        if expires_at_ms is not None:
            left = max(1, expires_at_ms - self._objects.now_ms())
            expiry = Expiry(expires_at_ms, class_of(left))
        await self.claim(call, execution_id, tenant_id, expiry)

    async def remove(
        self, call: Call, execution_id: str, tenant_id: str, *, only: Version | None = None
    ) -> bool:
        """Removes the record, if it names this tenant: 1 request, 2 when it is not known.

        Args:
            call: The call it belongs to.
            execution_id: The execution.
            tenant_id: The tenant.
            only: Remove only this version, and leave one that was written since.

        Returns:
            Whether a record was removed.
        """
        name = self._layout.owner(execution_id)
        known = self._known.get(execution_id)
        for _ in range(MAX_RACES):
            if known is None or known.version is None or known.tenant != tenant_id:
                known = await self._read(call, execution_id)
            if known is None or known.tenant != tenant_id or only not in {None, known.version}:
                return False
            try:
                removed = await self._objects.delete(call, name, known.version)
            except VersionConflict:
                known = None  # written again since: by this tenant, or by another after a removal
                continue
            self._known.pop(execution_id)
            return removed is not False
        return False

    def forget(self, execution_id: str) -> None:
        """Drops what is known of an execution's owner."""
        self._known.pop(execution_id)

    async def _create(
        self, call: Call, execution_id: str, tenant_id: str, expiry: Expiry | None
    ) -> _Known:
        try:
            return await self._put(call, execution_id, tenant_id, expiry, Version.ABSENT)
        except ConflictingObject as conflict:
            return self._learn(execution_id, conflict.found.info, value_of(conflict.found))

    async def _prolong(
        self, call: Call, execution_id: str, known: _Known, expiry: Expiry | None
    ) -> _Known | None:
        """Writes the record again, with the expiry that this one needs."""
        if known.version is None:
            return await self._read(call, execution_id)
        try:
            return await self._put(call, execution_id, known.tenant, expiry, known.version)
        except ConflictingObject as conflict:
            if self._objects.expired(conflict.found.info):
                return None
            return self._learn(execution_id, conflict.found.info, value_of(conflict.found))
        except VersionConflict:
            return None  # it is gone

    async def _put(
        self,
        call: Call,
        execution_id: str,
        tenant_id: str,
        expiry: Expiry | None,
        condition: Version,
    ) -> _Known:
        now = self._objects.now_ms()
        until = None if expiry is None else outliving(expiry, now)
        version = await self._objects.put(
            call,
            self._layout.owner(execution_id),
            msgspec.json.encode(_Record(tenant_id, now)),
            content_type=JSON,
            expiry=until,
            condition=condition,
            look_with_get=True,
        )
        known = _Known(tenant_id, version, None if until is None else until.at_ms, now)
        self._known.put(execution_id, known)
        return known

    async def _read(self, call: Call, execution_id: str, *, expired: bool = False) -> _Known | None:
        name = self._layout.owner(execution_id)
        found = await self._objects.get(call, name, expired=expired)
        if found is None:
            self._known.pop(execution_id)
            return None
        return self._learn(execution_id, found.info, found.body)

    def _learn(self, execution_id: str, info: ObjectInfo, body: bytes | memoryview) -> _Known:
        try:
            record = msgspec.json.decode(body, type=_Record)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise CorruptObject("not an owner record", object_name=info.name) from error
        known = _Known(
            record.tenant_id,
            info.version,
            expires_ms(info),
            self._objects.now_ms(),
            record.claimed_ms,
        )
        self._known.put(execution_id, known)
        return known

"""The owner records: which tenants have an execution.

There is one object for each tenant and execution; its name holds all the information. These records
make ``load_snapshot(execution_id)`` possible without a tenant. They are an index: no service
changes two objects at once, so a save that races a removal may leave a snapshot without its record.
The tenant view still finds that snapshot, and the next uncached save, or ``sweep``, writes the
record again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import AmbiguousExecution, VersionConflict, shown
from statebucket.port.bucket import JSON
from statebucket.port.complete_types import complete_at_once
from statebucket.port.expiry import outliving
from statebucket.store.conflicts import ConflictingObject
from statebucket.store.envelope import expires_ms
from statebucket.store.lru_cache import LRUCache

if TYPE_CHECKING:
    from statebucket.port.bucket import ObjectInfo
    from statebucket.port.expiry import Expiry
    from statebucket.store.layout import Layout
    from statebucket.store.objects import Objects
    from statebucket.store.retry import Call

FRESH_MS = 60_000
"""How long a call relies on owner records seen earlier, in milliseconds."""

MAX_RACES = 8


@complete_at_once
class OwnerRecord(msgspec.Struct):
    """The body of an owner record: when it was written, in milliseconds since the epoch."""

    written_ms: int


class _Known(msgspec.Struct, frozen=True):
    """What this process knows about a tenant's record of an execution.

    Attributes:
        version: Its version; None if only the snapshot was seen, which is written after its record.
        until_ms: Until when it is sure to exist, in milliseconds; None: forever.
        seen_ms: When it was last seen.
        whole: Whether it was read or written, so that ``until_ms`` is when it expires.
    """

    version: Version | None
    until_ms: int | None
    seen_ms: int
    whole: bool = True

    def outlives(self, expiry: Expiry | None) -> bool:
        """Whether the record lasts as long as an object with this expiry."""
        if self.until_ms is None:
            return True
        return expiry is not None and expiry.at_ms <= self.until_ms


class _Holder(msgspec.Struct, frozen=True):
    """The only tenant that is known to have an execution, or None if several are."""

    tenant: str | None
    seen_ms: int


class OwnerIndex:
    """The owner records of one store.

    Args:
        objects: Where they are kept.
        layout: How they are named.
    """

    def __init__(self, objects: Objects, layout: Layout) -> None:
        self._objects = objects
        self._layout = layout
        self._known: LRUCache[tuple[str, str], _Known] = LRUCache()
        self._holders: LRUCache[str, _Holder] = LRUCache()

    # Which tenant has an execution.

    def recent_tenant(self, execution_id: str) -> str | None:
        """The only tenant that this process has seen with an execution in the last minute."""
        holder = self._holders.get(execution_id)
        return None if holder is None or self._is_old(holder.seen_ms) else holder.tenant

    async def tenant_of(self, call: Call, execution_id: str) -> str | None:
        """The tenant that has an execution, by a listing of its records: 1 request.

        A record counts until it is removed: even an expired one leads to what is left of the
        execution.

        Raises:
            AmbiguousExecution: Several tenants have it.
        """
        tenants = await self.tenants_of(call, execution_id, at_least=2)
        if len(tenants) > 1:
            message = (
                f"{call.operation}: more than one tenant has execution {shown(execution_id)}, "
                f"among them {shown(tenants[0])} and {shown(tenants[1])}; call it on a tenant's "
                "view: store.tenant(…). A tenant whose snapshot was deleted or has expired still "
                "counts until delete_execution_state on its view, or sweep(), removes its owner "
                "record"
            )
            if call.operation == "delete_execution_state":
                message += (
                    ". To remove the keys that were set without a tenant, call "
                    "store.execution(…).delete_keys()"
                )
            raise AmbiguousExecution(
                message,
                object_name=self._layout.owners_of(execution_id),
                outcome=call.outcome,
                execution_id=execution_id,
                tenants=tenants[:2],
            )
        return tenants[0] if tenants else None

    async def tenants_of(
        self, call: Call, execution_id: str, *, at_least: int | None = None
    ) -> list[str]:
        """The tenants that have an execution, by a listing of its records: 1 request per 1,000.

        Args:
            call: The call it belongs to.
            execution_id: The execution.
            at_least: Stop after the page on which this number is reached.
        """
        tenants: list[str] = []
        self._holders.pop(execution_id)
        async for page in self._objects.pages_within(call, self._layout.owners_of(execution_id)):
            for info in page:
                place = self._layout.parse(info.name)
                if place is not None and place.tenant is not None:
                    tenants.append(place.tenant)
                    self._listed(execution_id, place.tenant, info.version)
            if at_least is not None and len(tenants) >= at_least:
                break
        return tenants

    def _hold(self, execution_id: str, tenant_id: str) -> None:
        """Remembers that a tenant has an execution."""
        holder = self._holders.get(execution_id)
        if holder is None or holder.tenant != tenant_id:
            only = tenant_id if holder is None else None
            self._holders.put(execution_id, _Holder(only, self._objects.now_ms()))

    # The record of a tenant's execution.

    async def ensure(
        self, call: Call, execution_id: str, tenant_id: str, expiry: Expiry | None
    ) -> None:
        """Makes sure that a tenant's record exists, before its snapshot is written.

        0 requests if it was seen in the last minute, else 1. A record says the same whichever
        process writes it, and needs no condition. But a record that expires must not replace one
        that lasts longer: it is created, or replaces the version that expires too early, for 1 or 2
        more requests if a record exists that this process has not seen.
        """
        known = self._known.get((execution_id, tenant_id))
        if known is not None and (
            self._is_old(known.seen_ms) or not (known.whole or known.outlives(expiry))
        ):
            known = await self._look(call, execution_id, tenant_id)
        for _ in range(MAX_RACES):
            if known is not None and known.outlives(expiry):
                return
            condition = None
            if expiry is not None:
                condition = Version.ABSENT if known is None else known.version
            try:
                await self._put(call, execution_id, tenant_id, expiry, condition)
            except ConflictingObject as conflict:
                known = self._learn(execution_id, tenant_id, conflict.found.info)
            except VersionConflict:
                known = None  # it is gone
            else:
                return
        raise VersionConflict(
            f"{call.operation}: gave up: the owner record of {shown(execution_id)} kept changing",
            object_name=self._layout.owner(execution_id, tenant_id),
            outcome=call.outcome,
        )

    def note(self, execution_id: str, tenant_id: str, snapshot: ObjectInfo) -> None:
        """Remembers that a snapshot was loaded from a tenant; its record was written before it."""
        if self._known.get((execution_id, tenant_id)) is None:
            known = _Known(None, expires_ms(snapshot), self._objects.now_ms(), whole=False)
            self._remember(execution_id, tenant_id, known)

    def _listed(self, execution_id: str, tenant_id: str, version: Version) -> None:
        """Remembers a record from a listing, which may not say when it expires."""
        known, now = self._known.get((execution_id, tenant_id)), self._objects.now_ms()
        if known is None or known.version != version:
            known = _Known(version, 0, now, whole=False)
        self._remember(execution_id, tenant_id, msgspec.structs.replace(known, seen_ms=now))

    async def remove(self, call: Call, execution_id: str, tenant_id: str) -> bool:
        """Removes a tenant's record: 1 request, 2 when it was not seen before.

        3 when another process has written it since: the condition fails, a look finds the record
        at another version, and it is removed as it is.

        Returns:
            Whether there was one.
        """
        known = self._known.get((execution_id, tenant_id))
        if known is None or known.version is None:
            known = await self._look(call, execution_id, tenant_id)
            if known is None:
                return False
        name = self._layout.owner(execution_id, tenant_id)
        self.forget(execution_id, tenant_id)
        try:
            removed = await self._objects.delete(call, name, known.version, expired=True)
        except VersionConflict:  # written again: had it been removed, the look would have shown it
            removed = await self._objects.delete(call, name, expired=True)
            self.forget(execution_id, tenant_id)  # in this process, perhaps
        return removed is not False

    def forget(self, execution_id: str, tenant_id: str) -> None:
        """Forgets a tenant's record."""
        self._known.pop((execution_id, tenant_id))
        holder = self._holders.get(execution_id)
        # If several tenants had it, only a listing can tell which are left.
        if holder is not None and holder.tenant == tenant_id:
            self._holders.pop(execution_id)

    async def _put(
        self,
        call: Call,
        execution_id: str,
        tenant_id: str,
        expiry: Expiry | None,
        condition: Version | None,
    ) -> None:
        now = self._objects.now_ms()
        until = None if expiry is None else outliving(expiry, now)
        version = await self._objects.put(
            call,
            self._layout.owner(execution_id, tenant_id),
            msgspec.json.encode(OwnerRecord(now)),
            content_type=JSON,
            expiry=until,
            condition=condition,
            look_with_get=True,
        )
        known = _Known(version, None if until is None else until.at_ms, now)
        self._remember(execution_id, tenant_id, known)

    async def _look(self, call: Call, execution_id: str, tenant_id: str) -> _Known | None:
        info = await self._objects.look(call, self._layout.owner(execution_id, tenant_id))
        if info is None:
            self.forget(execution_id, tenant_id)
            return None
        return self._learn(execution_id, tenant_id, info)

    def _learn(self, execution_id: str, tenant_id: str, info: ObjectInfo) -> _Known:
        known = _Known(info.version, expires_ms(info), self._objects.now_ms())
        self._remember(execution_id, tenant_id, known)
        return known

    def _remember(self, execution_id: str, tenant_id: str, known: _Known) -> None:
        self._known.put((execution_id, tenant_id), known)
        self._hold(execution_id, tenant_id)

    def _is_old(self, seen_ms: int) -> bool:
        # What was seen in the future was seen before the clock was set back, who knows when.
        return not 0 <= self._objects.now_ms() - seen_ms <= FRESH_MS

"""Everything that a store is made of, in one value."""

# ruff: noqa: TC004  (nothing is decoded to a context, so that nothing reads its annotations)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from statebucket.errors import TenantMismatch, UnsupportedOperation, shown
from statebucket.port.expiry import Expiry
from statebucket.store.envelope import expires_ms
from statebucket.store.origin import view_of
from statebucket.store.owners import OwnerIndex
from statebucket.store.retry import Call
from statebucket.store.snapshots import Snapshots

if TYPE_CHECKING:
    from datetime import timedelta

    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.versions import Version
    from statebucket.store.envelope import Found
    from statebucket.store.layout import Layout
    from statebucket.store.leases import StoreLease
    from statebucket.store.objects import Objects
    from statebucket.store.origin import Origin
    from statebucket.store.rows_read import RowsRead


class StoreContext(msgspec.Struct, frozen=True):
    """The parts of a store: made once when it is opened, and varied with `but` for a view.

    A view shares its store's memory: the counters and the limits of ``objects``, what ``owners``
    and ``snapshots`` know, and ``leases``.

    Attributes:
        objects: The bucket's objects.
        layout: How they are named.
        owners: The owner records, or None if there are none.
        snapshots: The snapshots, and what this process has seen of them.
        leases: The leases that this process holds, by tenant and execution.
        deadline: Seconds that each call may take.
        finished_ttl: The TTL of snapshots in a terminal state that are saved without one.
        retention: The TTL, in seconds, of everything else that is written without one.
        tenant: The tenant that the store is bound to, or None.
        keep: Whether keys are marked so that a sweep keeps their execution.
        rows_read: How many rows each part of an inventory report had that was read.
        origin: How it was opened, if `statebucket.open_store` did so.
    """

    objects: Objects
    layout: Layout
    owners: OwnerIndex | None
    snapshots: Snapshots
    leases: dict[tuple[str, str], StoreLease]
    deadline: float
    finished_ttl: timedelta | float | None = None
    retention: float | None = None
    tenant: str | None = None
    keep: bool = False
    rows_read: RowsRead = {}
    origin: Origin | None = None

    @classmethod
    def of(
        cls,
        objects: Objects,
        layout: Layout,
        *,
        deadline: float,
        finished_ttl: timedelta | float | None = None,
        retention: float | None = None,
        origin: Origin | None = None,
    ) -> StoreContext:
        """The context of a store that has just been opened, and remembers nothing yet."""
        owners = OwnerIndex(objects, layout) if layout.owner_index else None
        return cls(
            objects,
            layout,
            owners,
            Snapshots(objects, layout, owners),
            {},
            deadline,
            finished_ttl,
            retention,
            origin=origin,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Connections and what is remembered stay in this process.
        changes = {"deadline": self.deadline, "tenant": self.tenant, "keep": self.keep}
        return view_of, (self.origin, changes)

    def but(self, **changes: Any) -> StoreContext:  # noqa: ANN401  (any field's value)
        """The context of a view, which differs in these fields."""
        return msgspec.structs.replace(self, **changes)

    def call(self, operation: str) -> Call:
        """A call that begins now, with the store's deadline."""
        return Call(operation, self.deadline)

    def expiry(self, ttl: timedelta | float | None) -> Expiry | None:
        """When an object written now expires: by its TTL, or else by the store's retention.

        Raises:
            InvalidTTL: It is not a positive duration.
        """
        ttl = self.retention if ttl is None else ttl
        return None if ttl is None else Expiry.after(ttl, self.objects.now_ms())

    def expiry_after(self, found: Found | None, ttl: timedelta | float | None) -> Expiry | None:
        """When the object that an update writes expires.

        Args:
            found: The object before. Without a TTL and a retention, its time of expiry is kept.
            ttl: The TTL that the caller gives, or None.
        """
        if found is None or ttl is not None or self.retention is not None:
            return self.expiry(ttl)
        at_ms = expires_ms(found.info)
        return None if at_ms is None else Expiry.until(at_ms, self.objects.now_ms())

    def snapshot_expiry(
        self,
        snapshot: ExecutionSnapshot,
        ttl: timedelta | float | None,
        found: Found | None = None,
    ) -> Expiry | None:
        """As `expiry_after`, for a snapshot, whose execution may be finished."""
        if ttl is None and snapshot.state.is_terminal:
            ttl = self.finished_ttl
        return self.expiry_after(found, ttl)

    def note(
        self, tenant_id: str, execution_id: str, version: Version, *, asked: float | None = None
    ) -> None:
        """Gives this process's lease on an execution the version of its snapshot, if it has one.

        Args:
            tenant_id: The execution's tenant.
            execution_id: The execution.
            version: The version that was loaded or saved.
            asked: See `statebucket.store.leases.StoreLease.note`.
        """
        lease = self.leases.get((tenant_id, execution_id))
        if lease is not None:
            lease.note(version, asked=asked)

    def check_tenant(self, tenant_id: str) -> None:
        """Checks that the store may work on a tenant.

        Raises:
            TenantMismatch: The store is bound to another.
        """
        if self.tenant is not None and tenant_id != self.tenant:
            raise TenantMismatch(
                f"this store is bound to tenant {self.tenant!r}, the call is for {shown(tenant_id)}"
            )

    def check_scope(self, operation: str) -> None:
        """Checks that the store has keys: it is bound to a tenant, or has an owner index.

        Raises:
            UnsupportedOperation: It is neither.
        """
        if self.tenant is None:
            self.require_owners(operation)

    def require_owners(self, operation: str) -> OwnerIndex:
        """The owner records, for a call that needs them.

        Raises:
            UnsupportedOperation: The store has none.
        """
        if self.owners is None:
            raise UnsupportedOperation(
                f"{operation} needs a tenant on a store with owner_index=false: call it on "
                "store.tenant(…)"
            )
        return self.owners

    async def owner_of(self, call: Call, execution_id: str) -> str | None:
        """The tenant that a call's execution belongs to: 1 request where no tenant is bound.

        Raises:
            AmbiguousExecution: No tenant is bound, and several have it.
        """
        if self.tenant is not None:
            return self.tenant
        # Listed each time: with outdated knowledge the call would work on the wrong tenant.
        return await self.require_owners(call.operation).tenant_of(call, execution_id)

"""The one implementation of `StateStore`, over any `Bucket`.

What a function needs from a cold start to its first load is imported here; what it may need later
(clean-ups, sweeps, leases, writers) is imported where it is used.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, overload

from statebucket.contract.durations import DAY, duration
from statebucket.contract.segments import encode_execution
from statebucket.contract.state_store import MARGIN
from statebucket.contract.versions import Stored, Version
from statebucket.errors import (
    InvalidArgument,
    InvalidTTL,
    UnsupportedOperation,
    VersionConflict,
    shown,
)
from statebucket.port.expiry import span_ms
from statebucket.store.conflicts import ShowingCurrent
from statebucket.store.keys import check_condition, check_deletion, check_wanted
from statebucket.store.listings import Listings
from statebucket.store.snapshots import check_snapshot
from statebucket.store.updates import Updates
from statebucket.telemetry.observe import observed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from typing import Literal

    from statebucket.contract.execution import ExecutionStore
    from statebucket.contract.ids import ExecutionId, TenantId
    from statebucket.contract.lease import Lease
    from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
    from statebucket.contract.offboarding import OffboardingReport
    from statebucket.contract.partition import Partition
    from statebucket.contract.reports import DeletionReport, SweepReport
    from statebucket.contract.snapshot import ExecutionSnapshot
    from statebucket.contract.writer import SnapshotWriter
    from statebucket.lifecycle.manager import LifecycleManager
    from statebucket.store.removal import Remover


@observed
class ObjectStateStore(Updates, Listings):
    """A state store over a bucket. Open one with `statebucket.open_store`."""

    def tenant(self, tenant_id: TenantId | str) -> ObjectStateStore:
        self._layout.tenant(tenant_id)
        self.context.check_tenant(tenant_id)
        # Of a subclass of str, such as an enum's member, only the text: it may format otherwise.
        return ObjectStateStore(self.context.but(tenant=str.__str__(tenant_id)))

    def execution(self, execution_id: ExecutionId | str, *, keep: bool = False) -> ExecutionStore:
        from statebucket.store.execution import StoreExecution  # noqa: PLC0415  (see the top)

        self._check_execution(execution_id)
        if keep is not False:
            _check_flags(keep=keep)
        return StoreExecution(self.context.but(keep=keep), str.__str__(execution_id))  # as above

    def _check_execution(self, execution_id: str) -> None:
        """Checks that an execution's id is a text, and not too long."""
        if self._tenant is not None:
            self._layout.snapshot(self._tenant, execution_id)
        else:
            self._layout.owners_of(execution_id)

    def with_deadline(self, deadline: timedelta | float) -> ObjectStateStore:
        read = duration(deadline, "a deadline", longest=DAY)
        return ObjectStateStore(self.context.but(deadline=read.total_seconds()))

    # Snapshots.

    async def save_snapshot(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
        want_current: bool = False,
    ) -> Version:
        snapshot = check_snapshot("save_snapshot", snapshot)
        tenant_id, execution_id = snapshot.tenant_id, snapshot.execution_id
        self.context.check_tenant(tenant_id)
        check_condition(if_version)
        if want_current is not False or only_newer is not False:
            _check_flags(want_current=want_current, only_newer=only_newer)
            if want_current and not only_newer and lease is None:
                check_wanted("save_snapshot", if_version, want_current=want_current)
        name = self._layout.snapshot(tenant_id, execution_id)  # the owner record's name is shorter
        expiry = self.context.snapshot_expiry(snapshot, ttl)
        held = None
        if lease is not None:
            from statebucket.store.lease_block import lease_for  # noqa: PLC0415  (see the top)

            held = lease_for(snapshot, lease, if_version)
            if_version = held.base()
        call = self.context.call("save_snapshot")
        try:
            with self._showing_snapshot(tenant_id, execution_id):
                version = await self.context.snapshots.save(
                    call,
                    name,
                    snapshot,
                    expiry=expiry,
                    condition=if_version,
                    only_newer=only_newer,
                    look_with_get=want_current,
                )
        except VersionConflict as error:
            if held is None:
                raise
            raise await held.conflict(call, error) from error
        self.context.note(tenant_id, execution_id, version)
        return version

    async def load_snapshot(self, execution_id: ExecutionId | str) -> ExecutionSnapshot | None:
        found = await self._load("load_snapshot", execution_id)
        return None if found is None else found.value

    async def load_stored(
        self, execution_id: ExecutionId | str
    ) -> Stored[ExecutionSnapshot] | None:
        return await self._load("load_stored", execution_id)

    async def _load(self, operation: str, execution_id: str) -> Stored[ExecutionSnapshot] | None:
        encode_execution(execution_id)
        call = self.context.call(operation)
        if self._tenant is not None:
            found = await self.context.snapshots.load(call, self._tenant, execution_id)
        else:
            found = await self.context.snapshots.find(
                call, self.context.require_owners(operation), execution_id
            )
        tenant_id = self._tenant if found is None else found.value.tenant_id
        if tenant_id is not None:
            version = Version.ABSENT if found is None else found.version
            self.context.note(tenant_id, execution_id, version, asked=call.began)
        return found

    def _showing_snapshot(self, tenant_id: str, execution_id: str) -> ShowingCurrent:
        """Puts the snapshot that won into the block's `VersionConflict`."""
        return ShowingCurrent(
            self._objects,
            lambda found: self.context.snapshots.read(found, tenant_id, execution_id),
        )

    async def delete_snapshot(
        self,
        execution_id: ExecutionId | str,
        *,
        if_version: Version | None = None,
        want_current: bool = False,
    ) -> bool | None:
        encode_execution(execution_id)
        check_deletion("delete_snapshot", if_version)
        if want_current is not False:
            check_wanted("delete_snapshot", if_version, want_current=want_current)
        call = self.context.call("delete_snapshot")
        tenant_id = await self.context.owner_of(call, execution_id)
        if tenant_id is None:
            return False
        name = self._layout.snapshot(tenant_id, execution_id)
        with self._showing_snapshot(tenant_id, execution_id):
            existed = await self._objects.delete(call, name, if_version, look_with_get=want_current)
        self.context.note(tenant_id, execution_id, Version.ABSENT)
        return existed

    def lease(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float,
        wait: timedelta | float | None = None,
    ) -> AbstractAsyncContextManager[Lease]:
        from statebucket.store.lease_block import LeaseBlock  # noqa: PLC0415  (see the top)

        return LeaseBlock(self._leased(execution_id, ttl=ttl, wait=wait))

    @contextlib.asynccontextmanager
    async def _leased(
        self,
        execution_id: str,
        *,
        ttl: timedelta | float,
        wait: timedelta | float | None,
    ) -> AsyncIterator[Lease]:
        from statebucket.store.leases import StoreLease, lease_milliseconds  # noqa: PLC0415  (see the top)

        encode_execution(execution_id)
        lease_milliseconds(ttl)
        wait_ms = 0 if wait is None else span_ms(wait, "wait")
        tenant_id = await self.context.owner_of(self.context.call("lease"), execution_id)
        if tenant_id is None:
            raise UnsupportedOperation(
                f"lease: no tenant owns {execution_id!r} yet; call it on store.tenant(…)"
            )
        lease = StoreLease(
            self.context,
            tenant_id=tenant_id,
            execution_id=str.__str__(execution_id),  # as in `tenant`
            ttl=ttl,
            wait_ms=wait_ms,
        )
        async with lease:
            self.context.leases[tenant_id, execution_id] = lease
            try:
                yield lease
            finally:
                if self.context.leases.get((tenant_id, execution_id)) is lease:
                    del self.context.leases[tenant_id, execution_id]

    def writer(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta | float | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        from statebucket.store.writer import StoreWriter  # noqa: PLC0415  (see the top)

        # Or the first save would find what is wrong, in the background.
        self._check_execution(execution_id)
        _check_flags(only_newer=only_newer)
        if ttl is not None:
            duration(ttl, "a TTL", error=InvalidTTL)
        if lease is not None:
            from statebucket.store.lease_block import checked_lease  # noqa: PLC0415  (see the top)

            checked_lease(lease, execution_id)
        return StoreWriter(
            lambda snapshot: self.save_snapshot(
                snapshot, ttl=ttl, only_newer=only_newer, lease=lease
            ),
            execution_id,
            self._objects.bucket.limits.write_interval,
        )

    # Removal.

    async def delete_execution_state(
        self,
        execution_id: ExecutionId | str,
        *,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport:
        encode_execution(execution_id)
        remover = self._remover("delete_execution_state", progress)
        if self._tenant is not None:
            return await remover.execution(execution_id, self._tenant, [self._tenant])
        # Always a listing, whatever was seen before: it decides whose state is removed.
        tenant_id = await self.context.owner_of(
            self.context.call("delete_execution_state"), execution_id
        )
        scopes = [None] if tenant_id is None else [tenant_id, None]
        return await remover.execution(execution_id, tenant_id, scopes)

    @overload
    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["requests"] = "requests",
        partition: Partition | None = None,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport: ...

    @overload
    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["lifecycle"],
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> OffboardingReport: ...

    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        by: Literal["requests", "lifecycle"] = "requests",
        partition: Partition | None = None,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport | OffboardingReport:
        self._layout.tenant(tenant_id)
        self.context.check_tenant(tenant_id)
        if by == "lifecycle":
            return await self._offboard(tenant_id, partition, progress)
        if by != "requests":
            raise InvalidArgument(f"by must be 'requests' or 'lifecycle': {shown(by)}")
        return await self._remover("delete_tenant", progress).tenant(tenant_id, partition)

    async def sweep(
        self,
        *,
        tenant: TenantId | str | None = None,
        dry_run: bool = False,
        orphans: bool = False,
        margin: timedelta | float = MARGIN,
        partition: Partition | None = None,
        report: str | None = None,
        progress: Callable[[SweepReport], None] | None = None,
    ) -> SweepReport:
        from statebucket.store.extent import Extent  # noqa: PLC0415  (see the top)
        from statebucket.store.sweep import Sweeper  # noqa: PLC0415  (see the top)

        _check_flags(dry_run=dry_run, orphans=orphans)
        extent = Extent.of(self.context, tenant, partition, reported=True)
        sweeper = Sweeper(
            self.context,
            margin_ms=span_ms(margin, "margin"),
            orphans=orphans,
            dry_run=dry_run,
            progress=progress,
        )
        if report is None and (partition is None or partition.report is None):
            return await sweeper.run(extent)
        if orphans:
            raise InvalidArgument(
                "orphans cannot be combined with an inventory report, which does not show the "
                "keys that an execution has now: sweep for orphans without a report"
            )
        from statebucket.store.reported import opened_part  # noqa: PLC0415  (see the top)

        async with opened_part(self.context, "sweep", report, partition) as (reported, part):
            return await sweeper.run_reported(reported, part, extent.folders)

    async def partitions(
        self, n: int, *, tenant: TenantId | str | None = None, report: str | None = None
    ) -> list[Partition]:
        from statebucket.contract.partition import divided, shared_out  # noqa: PLC0415  (see the top)
        from statebucket.store.cutting import check_number, cut  # noqa: PLC0415  (see the top)

        check_number(n)
        if tenant is None:
            tenant = self._tenant
        else:
            self._layout.tenant(tenant)
            self.context.check_tenant(tenant)
        if report is not None:
            from statebucket.store.reported import Reported  # noqa: PLC0415  (see the top)

            async with await Reported.open(self.context, "partitions", report) as reported:
                return shared_out(report, reported.number, n, tenant)
        return divided(await cut(self.context, n, tenant), tenant)

    async def _offboard(
        self,
        tenant_id: str,
        partition: Partition | None,
        progress: Callable[[DeletionReport], None] | None,
    ) -> OffboardingReport:
        from statebucket.store.offboarding import next_step  # noqa: PLC0415  (for operators only)

        if partition is not None:
            raise InvalidArgument(
                "partition and by='lifecycle' cannot be combined: one rule is for all"
            )
        return await (await next_step(self.context, tenant_id)).take(progress)

    def _remover(
        self, operation: str, progress: Callable[[DeletionReport], None] | None
    ) -> Remover:
        from statebucket.store.removal import Remover  # noqa: PLC0415  (see the top)

        return Remover(self.context, operation, progress=progress)

    # Lifecycle rules.

    async def check_lifecycle(self) -> LifecycleReport:
        return await self._lifecycle("check_lifecycle").check()

    async def apply_lifecycle(self, *, dry_run: bool = True) -> LifecyclePlan:
        _check_flags(dry_run=dry_run)
        if self._tenant is not None and not dry_run:
            raise UnsupportedOperation(
                "apply_lifecycle: the rules apply to the whole bucket; call it on the store, not "
                "on a tenant's view"
            )
        return await self._lifecycle("apply_lifecycle").apply(dry_run=dry_run)

    def _lifecycle(self, operation: str) -> LifecycleManager:
        from statebucket.lifecycle.manager import LifecycleManager  # noqa: PLC0415  (for operators only)
        from statebucket.store.retrying_port import lifecycle_port  # noqa: PLC0415  (the same)

        port, layout = lifecycle_port(self.context, operation), self._layout
        return LifecycleManager(port, layout.prefix, layout.areas, owner_index=layout.owner_index)


def _check_flags(**flags: object) -> None:
    """As `check_flags`, which few calls need, off the cold-start path."""
    from statebucket.contract.flags import check_flags  # noqa: PLC0415  (see the top)

    check_flags(**flags)

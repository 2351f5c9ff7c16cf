"""The one implementation of `StateStore`, over any `Bucket`.

What a function needs on its way from a cold start to its first load is imported here; what it may
need later (clean-ups, sweeps, leases, writers) where it is used.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Self

import msgspec

from statebucket.contract.ids import ExecutionId, TenantId
from statebucket.contract.segments import encode_execution
from statebucket.contract.snapshot import ExecutionSnapshot, json_value
from statebucket.contract.state_store import MARGIN, StateStore
from statebucket.contract.versions import Stored, Version
from statebucket.errors import (
    InvalidArgument,
    InvalidSnapshot,
    InvalidValue,
    UnsupportedOperation,
    VersionConflict,
)
from statebucket.port.bucket import BYTES, JSON
from statebucket.port.expiry import span_ms
from statebucket.store.decoding import decode_json, decoder
from statebucket.store.envelope import stored
from statebucket.store.objects import PAGE
from statebucket.store.tasks import in_order, shielded
from statebucket.telemetry.observe import observed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from types import TracebackType

    from statebucket.contract.lease import Lease
    from statebucket.contract.lifecycle import LifecyclePlan, LifecycleReport
    from statebucket.contract.reports import DeletionReport, SweepReport
    from statebucket.contract.stats import Stats
    from statebucket.contract.writer import SnapshotWriter
    from statebucket.lifecycle.plan import LifecycleManager
    from statebucket.store.context import StoreContext
    from statebucket.store.leases import StoreLease
    from statebucket.store.removal import Remover


@observed
class ObjectStateStore(StateStore):
    """A state store over a bucket. Open one with `statebucket.open_store`.

    Args:
        context: What it is made of.

    Attributes:
        context: The same, for what operates on a store from outside: copies, counts, examinations.
    """

    def __init__(self, context: StoreContext) -> None:
        self.context = context
        self._objects = context.objects
        self._layout = context.layout
        self._tenant = context.tenant

    def __repr__(self) -> str:
        bound = "" if self._tenant is None else f" tenant={self._tenant!r}"
        bucket = f" bucket={self._objects.place!r}" if self._objects.place else ""
        return f"<StateStore {self.name}{bucket} prefix={self._layout.prefix!r}{bound}>"

    @property
    def name(self) -> str:
        return self._objects.bucket.name

    @property
    def requires_network(self) -> bool:
        return self._objects.bucket.requires_network

    @property
    def supports_air_gapped(self) -> bool:
        return not self.requires_network

    def stats(self) -> Stats:
        return self._objects.counter.stats()

    async def health_check(self) -> None:
        if self._tenant is not None:
            prefix = self._layout.tenant(self._tenant)
        else:
            prefix = self._layout.root if self._layout.owner_index else self._layout.tenants
        await self._objects.check(self.context.call("health_check"), prefix)

    async def shutdown(self) -> None:
        with shielded():
            await self._objects.bucket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

    def tenant(self, tenant_id: TenantId | str) -> ObjectStateStore:
        self._layout.tenant(tenant_id)
        self.context.check_tenant(tenant_id)
        return ObjectStateStore(self.context._replace(tenant=tenant_id))

    def with_deadline(self, seconds: float) -> ObjectStateStore:
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not (math.isfinite(seconds) and seconds > 0)
        ):
            raise InvalidArgument(f"a deadline must be a positive number of seconds: {seconds!r}")
        return ObjectStateStore(self.context._replace(deadline=float(seconds)))

    # Snapshots.

    async def save_snapshot(
        self,
        snapshot: ExecutionSnapshot,
        *,
        if_version: Version | None = None,
        ttl: timedelta | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> Version:
        if not isinstance(snapshot, ExecutionSnapshot):
            raise InvalidSnapshot(f"not an ExecutionSnapshot: {type(snapshot).__name__}")
        tenant_id, execution_id = snapshot.tenant_id, snapshot.execution_id
        self.context.check_tenant(tenant_id)
        _check_condition(if_version)
        name = self._layout.snapshot(tenant_id, execution_id)  # the owner record's is shorter
        if ttl is None and snapshot.state.is_terminal:
            ttl = self.context.finished_ttl
        expiry = self.context.expiry(ttl)
        held = None if lease is None else _own(lease, snapshot, if_version)
        if held is not None:
            if_version = held.base()
        call = self.context.call("save_snapshot")
        try:
            version = await self.context.snapshots.save(
                call, name, snapshot, expiry=expiry, condition=if_version, only_newer=only_newer
            )
        except VersionConflict as error:
            if held is None:
                raise
            raise await held.conflict(call, error) from error
        self._note(tenant_id, execution_id, version)
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
            self._note(tenant_id, execution_id, version, asked=call.deadline - call.seconds)
        return found

    def _note(
        self, tenant_id: str, execution_id: str, version: Version, *, asked: float | None = None
    ) -> None:
        """Tells the lease that this process holds on an execution what it has seen of it."""
        lease = self.context.leases.get((tenant_id, execution_id))
        if lease is not None:
            lease.note(version, asked=asked)

    async def delete_snapshot(self, execution_id: ExecutionId | str) -> None:
        encode_execution(execution_id)
        call = self.context.call("delete_snapshot")
        tenant_id = await self.context.owner_of(call, execution_id)
        if tenant_id is not None:
            await self._objects.delete(call, self._layout.snapshot(tenant_id, execution_id))

    @contextlib.asynccontextmanager
    async def lease(
        self,
        execution_id: ExecutionId | str,
        *,
        ttl: timedelta,
        wait: timedelta | float | None = None,
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
            execution_id=execution_id,
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
        ttl: timedelta | None = None,
        only_newer: bool = False,
        lease: Lease | None = None,
    ) -> SnapshotWriter:
        from statebucket.store.writer import StoreWriter  # noqa: PLC0415  (see the top)

        encode_execution(execution_id)
        return StoreWriter(
            lambda snapshot: self.save_snapshot(
                snapshot, ttl=ttl, only_newer=only_newer, lease=lease
            ),
            execution_id,
            self._objects.bucket.limits.write_interval,
        )

    # Keys.

    async def set(
        self,
        key: str,
        value: bytes,
        ttl: timedelta | None = None,
        *,
        if_version: Version | None = None,
    ) -> Version:
        if not isinstance(value, bytes):
            raise InvalidValue(
                f"a value must be bytes, not {type(value).__name__}; set_json stores other values"
            )
        return await self._set("set", key, value, BYTES, ttl, if_version)

    async def set_json(
        self,
        key: str,
        value: Any,  # noqa: ANN401  (any JSON value)
        ttl: timedelta | None = None,
        *,
        if_version: Version | None = None,
    ) -> Version:
        return await self._set("set_json", key, _encoded(value), JSON, ttl, if_version)

    async def _set(
        self,
        operation: str,
        key: str,
        body: bytes,
        content_type: str,
        ttl: timedelta | None,
        condition: Version | None,
    ) -> Version:
        _check_condition(condition)
        return await self._objects.put(
            self.context.call(operation),
            self._key(operation, key),
            body,
            content_type=content_type,
            expiry=self.context.expiry(ttl),
            condition=condition,
        )

    async def get(self, key: str) -> bytes | None:
        found = await self._objects.get(self.context.call("get"), self._key("get", key))
        return None if found is None else bytes(found.body)

    async def get_stored(self, key: str) -> Stored[bytes] | None:
        found = await self._objects.get(
            self.context.call("get_stored"), self._key("get_stored", key)
        )
        return None if found is None else stored(found, bytes(found.body))

    async def get_json(self, key: str, type: Any = Any) -> Any:  # noqa: A002, ANN401
        name = self._key("get_json", key)
        wanted = decoder(type, "get_json")
        found = await self._objects.get(self.context.call("get_json"), name)
        return None if found is None else decode_json(wanted, found, "get_json")

    async def delete(self, key: str) -> None:
        await self._objects.delete(self.context.call("delete"), self._key("delete", key))

    async def exists(self, key: str) -> bool:
        name = self._key("exists", key)
        return await self._objects.head(self.context.call("exists"), name) is not None

    # Listings.

    async def list_snapshots(
        self, tenant_id: TenantId | str, limit: int = PAGE
    ) -> list[ExecutionId]:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise InvalidArgument(f"limit must be a whole number, 0 or more: {limit!r}")
        found: list[ExecutionId] = []
        prefix = self._snapshot_prefix(tenant_id)
        if limit == 0:
            return found
        pages = self._objects.pages(
            "list_snapshots", prefix, self.context.deadline, limit=min(limit, PAGE)
        )
        async for page in pages:
            found += [id_ for info in page if (id_ := self._execution(info.name)) is not None]
            if len(found) >= limit:
                break
        return found[:limit]

    async def iter_snapshots(
        self, tenant_id: TenantId | str, *, live: bool = False
    ) -> AsyncIterator[ExecutionId]:
        prefix = self._snapshot_prefix(tenant_id)
        async for page in self._objects.pages("iter_snapshots", prefix, self.context.deadline):
            names = [info.name for info in page]
            if live and not self._objects.bucket.limits.lists_metadata:
                alive = await in_order(self._alive, names)
                names = [name for name, there in zip(names, alive, strict=True) if there]
            for name in names:
                execution_id = self._execution(name)
                if execution_id is not None:
                    yield execution_id

    async def _alive(self, name: str) -> bool:
        return await self._objects.head(self.context.call("iter_snapshots"), name) is not None

    async def iter_keys(self, execution_id: ExecutionId | str | None = None) -> AsyncIterator[str]:
        self.context.check_scope("iter_keys")
        if execution_id is None:
            prefix = self._layout.keys(self._tenant)
        else:
            prefix = self._layout.execution(self._tenant, execution_id)
        async for page in self._objects.pages("iter_keys", prefix, self.context.deadline):
            for info in page:
                place = self._layout.parse(info.name)
                if place is not None:
                    yield place.public_key

    async def iter_tenants(self) -> AsyncIterator[TenantId]:
        if self._tenant is not None:
            own = self._layout.tenant(self._tenant)
            async for page in self._objects.all_pages(
                "iter_tenants", own, self.context.deadline, limit=1
            ):
                if page:
                    yield TenantId(self._tenant)
                    return
            return
        prefix = self._layout.tenants
        async for found in self._objects.prefixes("iter_tenants", prefix, self.context.deadline):
            tenant_id = self._layout.tenant_of(found)
            if tenant_id is not None:
                yield TenantId(tenant_id)

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
        call = self.context.call("delete_execution_state")
        owners = self.context.require_owners(call.operation)
        relied_on = owners.recent_owner(execution_id)
        tenant_id = relied_on or await owners.tenant_of(call, execution_id, refresh=True)
        scopes = [None] if tenant_id is None else [tenant_id, None]
        report = await remover.execution(execution_id, tenant_id, scopes)
        if relied_on is not None and not report.owners:
            # Its record is not what it was: another tenant may own the execution by now.
            call = self.context.call(call.operation)
            tenant_id = await owners.tenant_of(call, execution_id, refresh=True)
            if tenant_id not in {None, relied_on}:
                report = await remover.execution(execution_id, tenant_id, [tenant_id])
        return report

    async def delete_tenant(
        self,
        tenant_id: TenantId | str,
        *,
        progress: Callable[[DeletionReport], None] | None = None,
    ) -> DeletionReport:
        self._layout.tenant(tenant_id)
        self.context.check_tenant(tenant_id)
        return await self._remover("delete_tenant", progress).tenant(tenant_id)

    async def sweep(
        self,
        *,
        tenant: TenantId | str | None = None,
        dry_run: bool = False,
        margin: timedelta | float = MARGIN,
        progress: Callable[[SweepReport], None] | None = None,
    ) -> SweepReport:
        from statebucket.store.sweep import Sweeper  # noqa: PLC0415  (see the top)

        if tenant is None:
            tenant = self._tenant
        else:
            self._layout.tenant(tenant)
            self.context.check_tenant(tenant)
        sweeper = Sweeper(
            self.context,
            margin_ms=span_ms(margin, "margin"),
            dry_run=dry_run,
            progress=progress,
        )
        return await sweeper.run(tenant)

    def _remover(
        self, operation: str, progress: Callable[[DeletionReport], None] | None
    ) -> Remover:
        from statebucket.store.removal import Remover  # noqa: PLC0415  (see the top)

        return Remover(self.context, operation, progress=progress)

    # Lifecycle rules.

    async def check_lifecycle(self) -> LifecycleReport:
        return await self._lifecycle("check_lifecycle").check()

    async def apply_lifecycle(self, *, dry_run: bool = True) -> LifecyclePlan:
        if self._tenant is not None and not dry_run:
            raise UnsupportedOperation(
                "apply_lifecycle: the rules are the whole bucket's; call it on the store itself"
            )
        return await self._lifecycle("apply_lifecycle").apply(dry_run=dry_run)

    def _lifecycle(self, operation: str) -> LifecycleManager:
        from statebucket.lifecycle.plan import LifecycleManager  # noqa: PLC0415  (for operators only)
        from statebucket.port.lifecycle import LifecyclePort  # noqa: PLC0415  (the same)
        from statebucket.store.retrying_port import RetryingPort  # noqa: PLC0415  (the same)

        port: LifecyclePort | None = None
        if isinstance(self._objects.bucket, LifecyclePort):
            call = self.context.call(operation)
            port = RetryingPort(self._objects.bucket, self._objects, call)
        layout = self._layout
        return LifecycleManager(port, layout.prefix, layout.areas, owner_index=layout.owner_index)

    # What the calls have in common.

    def _key(self, operation: str, key: str) -> str:
        self.context.check_scope(operation)
        return self._layout.key(self._tenant, key)

    def _snapshot_prefix(self, tenant_id: str) -> str:
        prefix = self._layout.snapshots(tenant_id)
        self.context.check_tenant(tenant_id)
        return prefix

    def _execution(self, name: str) -> ExecutionId | None:
        """The execution whose snapshot this is; None for an object that no store wrote."""
        place = self._layout.parse(name)
        return None if place is None or place.execution is None else ExecutionId(place.execution)


def _check_condition(condition: object) -> None:
    if condition is not None and not isinstance(condition, Version):
        raise InvalidArgument(f"if_version must be a Version or None: {condition!r}")


def _own(lease: Lease, snapshot: ExecutionSnapshot, if_version: Version | None) -> StoreLease:
    """The lease to save a snapshot under, if it may be."""
    from statebucket.store.leases import StoreLease  # noqa: PLC0415  (see the top)

    if not isinstance(lease, StoreLease):
        raise InvalidArgument(f"lease must be what store.lease(…) gave: {lease!r}")
    if if_version is not None:
        raise InvalidArgument("a lease brings its own condition: pass if_version or lease")
    if (lease.tenant_id, lease.execution_id) != (snapshot.tenant_id, snapshot.execution_id):
        raise InvalidArgument(
            f"the lease is on {lease.execution_id!r}, the snapshot of {snapshot.execution_id!r}"
        )
    return lease


def _encoded(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    try:
        return msgspec.json.encode(json_value(value, "value", _typed))
    except (TypeError, RecursionError) as error:
        raise InvalidValue(f"no JSON value: {error}") from error


def _typed(value: Any) -> Any:  # noqa: ANN401  (with fields whose types `get_json` is told)
    # What msgspec would turn into base64 text stays, and is refused.
    return msgspec.to_builtins(value, builtin_types=(bytes, bytearray, memoryview))

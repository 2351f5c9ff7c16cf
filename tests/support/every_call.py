"""Every public call of a store, each with ids that someone else chose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, StateStore, TenantId, errors

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ids:
    """What a caller passes.

    Attributes:
        execution: The execution's id.
        key: The key.
        rest: The rest of an execution's key.
        tenant: The tenant's id, the bound one or another.
    """

    execution: str
    key: str
    rest: str
    tenant: str


def public_calls() -> set[str]:
    """The public names of the protocol, found by inspection, and the context's two ends."""
    named = {name for name in dir(StateStore) if not name.startswith("_")}
    return named | {"__aenter__", "__aexit__"}


async def drive(store: StateStore, call: str, ids: Ids) -> None:
    """Make one call, in every form that takes ids; typed errors are valid results, too.

    Args:
        store: The store, bound or not.
        call: One of `public_calls`.
        ids: What to pass.
    """
    for way in DRIVERS[call]:
        with suppress(errors.StateBucketError):
            result = way(store, ids)
            if isinstance(result, AsyncIterator):
                _ = [found async for found in result]
            elif isinstance(result, Awaitable):
                await result


def snapshot(ids: Ids, tenant: str) -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id=ExecutionId(ids.execution),
        tenant_id=TenantId(tenant),
        state=ExecutionState.RUNNING,
        sequence_number=1,
    )


async def _leased(store: StateStore, ids: Ids) -> None:
    async with store.lease(ids.execution, ttl=DAY) as lease:
        await store.save_snapshot(snapshot(ids, lease.tenant_id), lease=lease)


async def _written(store: StateStore, ids: Ids) -> None:
    async with store.writer(ids.execution) as writer:
        for tenant in (ids.tenant, "acme"):
            writer.save(snapshot(ids, tenant))


async def _in_block(store: StateStore, ids: Ids) -> None:
    async with store as same:
        await same.get(ids.key)


async def _elsewhere(store: StateStore, ids: Ids) -> None:
    await store.tenant(ids.tenant).get(ids.key)


def _keys(ids: Ids) -> tuple[str, ...]:
    return (ids.key, f"exec:{ids.execution}:{ids.rest}", f"exec:{ids.key}")


def _with_each_key(act: Callable[[StateStore, str], Any]) -> list[Callable[[StateStore, Ids], Any]]:
    def with_key(at: int, store: StateStore, ids: Ids) -> Any:
        return act(store, _keys(ids)[at])

    return [partial(with_key, at) for at in range(3)]


DRIVERS: dict[str, list[Callable[[StateStore, Ids], Any]]] = {
    "name": [lambda store, _: store.name],
    "requires_network": [lambda store, _: store.requires_network],
    "supports_air_gapped": [lambda store, _: store.supports_air_gapped],
    "tenant_id": [lambda store, _: store.tenant_id],
    "snapshot": [lambda store, ids: store.tenant(ids.tenant).snapshot(ids.execution)],
    "stats": [lambda store, _: store.stats()],
    "health_check": [lambda store, _: store.health_check()],
    "shutdown": [lambda store, _: store.shutdown()],
    "__aenter__": [_in_block],
    "__aexit__": [_in_block],
    "tenant": [_elsewhere],
    "execution": [
        lambda store, ids: store.execution(ids.execution).load(),
        lambda store, ids: store.execution(ids.execution).set(ids.key, b"v", DAY),
        lambda store, ids: store.execution(ids.execution).get_json(ids.rest),
        lambda store, ids: store.execution(ids.execution).get_many([ids.rest, ids.key]),
        lambda store, ids: store.execution(ids.execution).save(snapshot(ids, ids.tenant)),
        lambda store, ids: store.execution(ids.execution).iter_keys(prefix=ids.key),
        lambda store, ids: store.execution(ids.execution).delete(ids.rest),
        lambda store, ids: store.execution(ids.execution).delete_keys(),
        lambda store, ids: store.execution(ids.execution).delete(),
    ],
    "with_deadline": [lambda store, ids: store.with_deadline(9).get(ids.key)],
    "save_snapshot": [
        lambda store, ids: store.save_snapshot(snapshot(ids, ids.tenant)),
        lambda store, ids: store.save_snapshot(snapshot(ids, "acme"), ttl=DAY, only_newer=True),
    ],
    "load_snapshot": [lambda store, ids: store.load_snapshot(ids.execution)],
    "load_stored": [lambda store, ids: store.load_stored(ids.execution)],
    "delete_snapshot": [lambda store, ids: store.delete_snapshot(ids.execution)],
    "lease": [_leased],
    "writer": [_written],
    "set": _with_each_key(lambda store, key: store.set(key, b"v", DAY)),
    "get": _with_each_key(lambda store, key: store.get(key)),
    "get_stored": _with_each_key(lambda store, key: store.get_stored(key)),
    "get_many": [lambda store, ids: store.get_many(_keys(ids)[:2])],
    "get_many_stored": [lambda store, ids: store.get_many_stored(_keys(ids)[:2])],
    "delete": _with_each_key(lambda store, key: store.delete(key)),
    "delete_many": [lambda store, ids: store.delete_many(_keys(ids)[:2])],
    "update": _with_each_key(lambda store, key: store.update(key, lambda _: b"v")),
    "update_json": _with_each_key(lambda store, key: store.update_json(key, lambda _: 1)),
    "update_snapshot": [
        lambda store, ids: store.update_snapshot(ids.execution, lambda _: snapshot(ids, "acme")),
        lambda store, ids: store.update_snapshot(
            ids.execution, lambda _: snapshot(ids, ids.tenant)
        ),
    ],
    "exists": _with_each_key(lambda store, key: store.exists(key)),
    "set_json": _with_each_key(lambda store, key: store.set_json(key, {})),
    "get_json_stored": _with_each_key(lambda store, key: store.get_json_stored(key)),
    "get_json": _with_each_key(lambda store, key: store.get_json(key)),
    "list_snapshots": [
        lambda store, ids: store.list_snapshots(ids.tenant),
        lambda store, _: store.list_snapshots("acme"),
    ],
    "iter_snapshots": [
        lambda store, ids: store.iter_snapshots(ids.tenant, live=True),
        lambda store, _: store.iter_snapshots("acme", live=True),
        lambda store, ids: store.iter_snapshots(prefix=ids.execution),
        lambda store, ids: store.iter_snapshots(after=ids.execution, limit=2),
    ],
    "scan_snapshots": [
        lambda store, ids: store.scan_snapshots(ids.tenant, live=True),
        lambda store, ids: store.scan_snapshots("acme", prefix=ids.execution, after=ids.rest),
    ],
    "iter_keys": [
        lambda store, _: store.iter_keys(),
        lambda store, ids: store.iter_keys(ids.execution),
        lambda store, ids: store.iter_keys(prefix=ids.key, after=ids.rest),
    ],
    "scan_keys": [
        lambda store, ids: store.scan_keys(prefix=ids.key, limit=2),
        lambda store, ids: store.scan_keys(ids.execution, after=f"exec:{ids.execution}:{ids.rest}"),
    ],
    "iter_executions": [
        lambda store, _: store.iter_executions(),
        lambda store, ids: store.iter_executions(ids.tenant),
        lambda store, ids: store.iter_executions(prefix=ids.execution, after=ids.rest, limit=2),
    ],
    "delete_execution_state": [lambda store, ids: store.delete_execution_state(ids.execution)],
    "iter_tenants": [lambda store, _: store.iter_tenants()],
    "delete_tenant": [
        lambda store, ids: store.delete_tenant(ids.tenant),
        lambda store, _: store.delete_tenant("acme"),
    ],
    "partitions": [
        lambda store, _: store.partitions(2),
        lambda store, ids: store.partitions(2, tenant=ids.tenant),
    ],
    "sweep": [
        lambda store, _: store.sweep(margin=timedelta(0)),
        lambda store, _: store.sweep(orphans=True, margin=timedelta(0)),
        lambda store, ids: store.sweep(tenant=ids.tenant),
    ],
    "check_lifecycle": [lambda store, _: store.check_lifecycle()],
    "apply_lifecycle": [lambda store, _: store.apply_lifecycle(dry_run=True)],
}
"""How to make each call; if a call of the protocol is missing here, a test fails."""

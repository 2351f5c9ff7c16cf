"""Measures the requests of each call on each cloud, for the table in core/README.md."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, Version, errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from statebucket import StateStore
    from statebucket.testing import Target

T = TypeVar("T")

KEYS = 20


def snapshot(number: int, execution_id: str = "e1") -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id=ExecutionId(execution_id),
        tenant_id=TenantId("acme"),
        state=ExecutionState.RUNNING,
        sequence_number=number,
    )


async def measure(target: Target) -> dict[str, int]:
    """The requests of each call, by what the page calls it."""
    counts: dict[str, int] = {}

    async def count(label: str, call: Callable[[], Awaitable[object]]) -> None:
        target.requests()
        with suppress(errors.VersionConflict):
            await call()
        counts[label] = target.requests() or 0

    async with target.open() as store:
        acme = store.tenant("acme")
        await count("first save of a new execution", lambda: store.save_snapshot(snapshot(1)))
        await count("save, load, in a view or with the owner known", lambda: _both(store))
        counts["save, load, in a view or with the owner known"] //= 2
        await count("set", lambda: store.set("k", b"v", timedelta(days=1)))
        await count("get", lambda: store.get("k"))
        await count("exists", lambda: store.exists("k"))
        await count(
            "a conditional write that loses",
            lambda: store.set("k", b"v", if_version=Version.ABSENT),
        )
        await count("update", lambda: store.update("k", lambda _: b"w"))
        await count("delete", lambda: store.delete("k"))
        await count(
            "delete_many, up to a batch", lambda: store.delete_many(["k", "exec:e1:k", "k2"])
        )
        await count("list_snapshots, iter_keys, a page", lambda: store.list_snapshots("acme"))
        await count("scan_snapshots, scan_keys, a page", lambda: _all(acme.scan_keys(after="a")))
        await count("iter_executions, 1,000 executions", lambda: _all(acme.iter_executions()))
        await count("iter_tenants, 1,000 tenants", lambda: _all(store.iter_tenants()))
        await count("health_check", store.health_check)
        target.clock.advance(61)
        await count(
            "save when the owner was last seen over a minute ago",
            lambda: store.save_snapshot(snapshot(2)),
        )
        await count("lease, taken and given up", lambda: _lease(acme))
        for number in range(KEYS):
            target.raw_put(f"tenants/acme/executions/e1/k{number}", b"v")
    async with target.open() as other:
        await count(
            "first save where another process had saved", lambda: other.save_snapshot(snapshot(3))
        )
    async with target.open() as other:
        await count("load without a tenant, owner not known", lambda: other.load_snapshot("e1"))
        await count(
            f"removing an execution of {KEYS} keys, in a view",
            lambda: other.tenant("acme").delete_execution_state("e1"),
        )
    async with target.open(owner_index=False) as plain:
        await count("save with owner_index=false", lambda: plain.save_snapshot(snapshot(1, "e2")))
    async with target.open(owner_index=False) as plain:
        await count(
            "only_newer, version not known",
            lambda: plain.save_snapshot(snapshot(2, "e2"), only_newer=True),
        )
    return counts


async def _both(store: StateStore) -> None:
    await store.save_snapshot(snapshot(1))
    await store.load_snapshot("e1")


async def _all(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


async def _lease(acme: StateStore) -> None:
    async with acme.lease("e1", ttl=timedelta(hours=1)):
        pass


def rendered(by_cloud: Mapping[str, Mapping[str, int]]) -> str:
    """The table, in Markdown."""
    labels = list(next(iter(by_cloud.values())))
    lines = [
        "| call | " + " | ".join(by_cloud) + " |",
        "|---|" + "---|" * len(by_cloud),
        *(
            f"| {label} | " + " | ".join(str(counts[label]) for counts in by_cloud.values()) + " |"
            for label in labels
        ),
    ]
    return "\n".join(lines) + "\n"

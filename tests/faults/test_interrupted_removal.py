"""A removal that is interrupted at any of its requests is finished by the next run."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession

from faults.interruption import cancelled_when
from faults.server_marks import every_cloud
from statebucket import ExecutionId, errors
from support.fault_proxy.proxy import BlackHole, DropReply, HangBeforeReply, Pass
from support.places import ACME, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.clouds import Cloud
    from statebucket import StateStore
    from support.fault_proxy.proxy import Fault

pytestmark = [pytest.mark.asyncio, every_cloud]

EXECUTIONS = ("e1", "e2")
MOST = 30
SESSION = AioSession()

REMOVALS: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "delete_execution_state": lambda store: store.delete_execution_state(ExecutionId("e1")),
    "delete_tenant": lambda store: store.delete_tenant(ACME),
}
FOREIGN = ["owners/other/beta", "tenants/beta/snapshots/other"]


def reopened(cloud: Cloud, **options: Any) -> StateStore:
    """A store that knows nothing of what others did, as a new process opens it, but sooner."""
    if cloud.service == "s3":
        options["session"] = SESSION  # what costs most of a client of S3
    return cloud.open(**options)


async def fill(cloud: Cloud) -> None:
    """Store two executions of one tenant, one of them with keys, and one of another tenant."""
    put = cloud.target.raw_put
    for execution in EXECUTIONS:
        put(f"owners/{execution}/acme", b'{"written_ms":0}')
        put(f"tenants/acme/snapshots/{execution}", snapshot(1, execution).to_json())
    for key in ("executions/e1/k0", "executions/e1/k1", "keys/k", "leases/e1"):
        put(f"tenants/acme/{key}", b"v")
    for name in FOREIGN:
        put(name, b"theirs")


def kept(names: list[str], removal: str) -> None:
    """Fail if what is left could not be found by the next run, or is another's."""
    assert set(FOREIGN) <= set(names)
    mine = [name for name in names if name.startswith("tenants/acme/")]
    if removal == "delete_tenant":
        # The tenant's prefix is what the next run goes by, so the records go before it.
        owners = {name.split("/")[1] for name in names if name.startswith("owners/")}
        named = {part for name in mine for part in name.split("/")}
        assert owners - {"other"} <= named
    elif any(name.endswith("snapshots/e1") or "/e1/" in name for name in mine):
        # The record is what the next run goes by, so it goes last.
        assert "owners/e1/acme" in names


def finished(names: list[str], removal: str) -> None:
    """Fail if something is left that should have gone, or more has gone."""
    if removal == "delete_tenant":
        assert names == FOREIGN
    else:
        others = [
            "owners/e2/acme",
            "tenants/acme/keys/k",
            "tenants/acme/leases/e1",
            "tenants/acme/snapshots/e2",
        ]
        assert names == sorted([*FOREIGN, *others])


@pytest.mark.parametrize("fault", [BlackHole(), HangBeforeReply()], ids=["before", "after"])
@pytest.mark.parametrize("removal", REMOVALS)
async def test_cancelled_at_each_request(cloud: Cloud, removal: str, fault: Fault) -> None:
    for count in range(MOST):
        await fill(cloud)
        async with reopened(cloud, deadline=3.0) as store:
            cloud.proxy.clear()
            cloud.proxy.plan(*[Pass()] * count, fault)
            task = asyncio.ensure_future(REMOVALS[removal](store))
            interrupted = await cancelled_when(task, cloud.proxy, count + 1)
            cloud.proxy.heal()
        kept(cloud.target.raw_names(), removal)
        async with reopened(cloud) as another:
            await REMOVALS[removal](another)
        finished(cloud.target.raw_names(), removal)
        if not interrupted:
            break
    assert 3 <= count < MOST - 1


@pytest.mark.parametrize("how", ["refused", "lost"])
@pytest.mark.parametrize("removal", REMOVALS)
async def test_failing_from_each_request_on(cloud: Cloud, removal: str, how: str) -> None:
    # What is refused is not tried again; what is lost is, until the deadline.
    fault, deadline = (cloud.says("forbidden"), 10) if how == "refused" else (DropReply(), 0.5)
    for count in range(MOST):
        await fill(cloud)
        failed = False
        async with reopened(cloud) as store:
            await store.exists("warm")
            cloud.proxy.clear()
            cloud.proxy.plan(*[Pass()] * count)
            cloud.proxy.always(fault)
            try:
                await REMOVALS[removal](store.with_deadline(deadline))
            except errors.StateBucketError:
                failed = True
            cloud.proxy.heal()
        kept(cloud.target.raw_names(), removal)
        async with reopened(cloud) as another:
            await REMOVALS[removal](another)
        finished(cloud.target.raw_names(), removal)
        if not failed:
            break
    assert 3 <= count < MOST - 1


async def test_a_process_that_forgot_everything_finishes_through_the_store(cloud: Cloud) -> None:
    # By the owner record alone: no tenant is named, and nothing is known of the execution.
    await fill(cloud)
    async with reopened(cloud) as store:
        cloud.proxy.plan(*[Pass()] * 3, cloud.says("forbidden"))
        with suppress(errors.StateBucketError):
            await store.delete_execution_state(ExecutionId("e1"))
    async with reopened(cloud) as another:
        await another.delete_execution_state(ExecutionId("e1"))
    finished(cloud.target.raw_names(), "delete_execution_state")

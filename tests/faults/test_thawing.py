"""A frozen process, whose connections have died in the meantime without notice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from faults.server_marks import every_cloud
from statebucket import errors
from support.fault_proxy.proxy import HoldReplyUntil

if TYPE_CHECKING:
    from faults.clouds import Cloud
    from statebucket import StateStore
    from support.fault_proxy.proxy import FaultProxy

pytestmark = pytest.mark.asyncio

WARM = 8


async def frozen(store: StateStore, proxy: FaultProxy) -> None:
    """Open several connections, which then die."""
    await store.set("k", b"v")
    proxy.clear()
    proxy.always(HoldReplyUntil(lambda: proxy.count() >= WARM))
    await asyncio.gather(*(store.get("k") for _ in range(WARM)))
    proxy.heal()
    assert proxy.freeze_idle() >= WARM


async def recovers(store: StateStore) -> None:
    """See that one call, which ends long before a connection counts as lost, fails, and no more."""
    with pytest.raises(errors.DeadlineExceeded):
        await store.with_deadline(0.5).get("k")
    before = store.stats().retries
    assert await store.get("k") == b"v"
    assert await store.get("k") == b"v"
    assert store.stats().retries == before


@every_cloud
async def test_a_call_that_is_cut_off_early_takes_the_dead_connections_with_it(
    cloud: Cloud,
) -> None:
    async with cloud.open() as store:
        await frozen(store, cloud.proxy)
        await recovers(store)


@every_cloud
async def test_so_it_is_on_the_http_engine(cloud: Cloud) -> None:
    async with cloud.open(engine="http") as store:
        await frozen(store, cloud.proxy)
        await recovers(store)

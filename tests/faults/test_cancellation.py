"""A call that is cancelled at any moment leaves the old value or the new one, and nothing open."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from faults.interruption import (
    at_each_await,
    cancelled_at,
    cancelled_when,
    no_connection_is_left,
    no_task_is_left,
    no_thread_is_left,
)
from faults.server_marks import every_cloud
from statebucket import ExecutionSnapshot, Version, errors
from support.fault_proxy.proxy import BlackHole, HangBeforeReply, Pass
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.clouds import Cloud
    from statebucket import StateStore
    from support.fault_proxy.proxy import Fault
    from support.warnings_guard import Noise

pytestmark = every_cloud

TENANT = f"tenants/{ACME}/"
BODIES = {number: f"{number}:" + str(number) * 3000 for number in range(3)}


def numbered(number: int) -> ExecutionSnapshot:
    return snapshot(number, variables={"body": BODIES[number]})


async def number_in(store: StateStore) -> int | None:
    """The number of the snapshot there is; fails if it is not whole."""
    found = await store.load_snapshot(E1)
    if found is None:
        return None
    assert found.variables == {"body": BODIES[found.sequence_number]}
    return found.sequence_number


SAVES: dict[str, Callable[[StateStore, Version], Awaitable[object]]] = {
    "save_snapshot": lambda store, _: store.save_snapshot(numbered(2)),
    "replace": lambda store, version: store.save_snapshot(numbered(2), if_version=version),
    "only_newer": lambda store, _: store.save_snapshot(numbered(2), only_newer=True),
}


@pytest.mark.parametrize("call", SAVES)
def test_a_save_that_is_cancelled_at_any_await(cloud: Cloud, call: str, noise: Noise) -> None:
    before = set(threading.enumerate())

    async def work() -> None:
        version = Version.ABSENT
        async with cloud.open() as store:

            async def prepare() -> None:
                nonlocal version
                version = await store.save_snapshot(numbered(1))

            async def check(_: int) -> None:
                assert await number_in(store) in {1, 2}
                await prepare()
                assert await number_in(store) in {1, 2}  # the cancelled one may come in late

            async def save() -> None:
                await SAVES[call](store, version)

            await prepare()
            try:
                assert await at_each_await(save, check) >= 1
            except errors.VersionConflict:
                # A cancelled save that came in late: the condition has done its duty.
                assert call == "replace"
            await no_task_is_left()

    asyncio.run(work())
    no_connection_is_left(cloud.proxy)
    no_thread_is_left(before)
    assert noise == []


@pytest.mark.parametrize("call", ["delete_execution_state", "delete_tenant", "sweep"])
def test_a_removal_that_is_cancelled_at_any_await(cloud: Cloud, call: str, noise: Noise) -> None:
    keys = [f"tenants/acme/executions/e1/k{number}" for number in range(3)]

    async def work() -> None:
        async with cloud.open() as store:
            acme = store.tenant(ACME)

            async def remove() -> None:
                if call == "sweep":
                    await store.sweep()
                elif call == "delete_tenant":
                    await store.delete_tenant(ACME)
                else:
                    await store.delete_execution_state(E1)

            async def prepare() -> None:
                await acme.save_snapshot(numbered(1))
                cloud.target.raw_put_many(keys)

            async def check(_: int) -> None:
                assert await number_in(acme) in {None, 1}
                await no_task_is_left()
                await remove()
                left = cloud.target.raw_names()
                assert left == (
                    ["owners/e1/acme", *keys, f"{TENANT}snapshots/e1"] if call == "sweep" else []
                )
                await prepare()

            await prepare()
            assert await at_each_await(remove, check) >= 1

    asyncio.run(work())
    no_connection_is_left(cloud.proxy)
    assert noise == []


@pytest.mark.parametrize("call", ["load", "list", "create"])
def test_other_calls_that_are_cancelled_at_any_await(cloud: Cloud, call: str, noise: Noise) -> None:
    async def work() -> None:
        async with cloud.open() as store:
            await store.save_snapshot(numbered(1))

            async def one() -> None:
                if call == "load":
                    assert await number_in(store) == 1
                elif call == "list":
                    assert await store.list_snapshots(ACME) == [E1]
                else:
                    try:
                        await store.set("k", b"new", if_version=Version.ABSENT)
                    except errors.VersionConflict:
                        assert await store.get("k") == b"new"  # of a cancelled run, come in late

            async def check(_: int) -> None:
                assert await store.get("k") in {None, b"new"}
                await store.delete("k")

            assert await at_each_await(one, check) >= 1
            await no_task_is_left()

    asyncio.run(work())
    no_connection_is_left(cloud.proxy)
    assert noise == []


def test_the_very_first_call_that_is_cancelled_at_any_await(cloud: Cloud, noise: Noise) -> None:
    # When the client, and its credentials, are still being made.
    async def work() -> None:
        for number in range(0, 200, 3):
            store = cloud.open()

            async def save(store: StateStore = store) -> None:
                await store.save_snapshot(numbered(2))

            async def check(_: int, store: StateStore = store) -> None:
                assert await number_in(store) in {None, 1, 2}  # 1 of the run before
                await store.save_snapshot(numbered(1))
                await store.shutdown()

            done = not await cancelled_at(save(), number)
            await check(number)
            if done:
                break
        await no_task_is_left()

    asyncio.run(work())
    no_connection_is_left(cloud.proxy)
    assert noise == []


@pytest.mark.parametrize("fault", [BlackHole(), HangBeforeReply()], ids=["before", "after"])
def test_a_save_that_is_cancelled_at_any_request(cloud: Cloud, fault: Fault, noise: Noise) -> None:
    async def work() -> None:
        count = 0
        interrupted = True
        while interrupted:
            # The deadline is that of a thread that no one waits for any more, too.
            async with cloud.open(deadline=6.0) as store:
                await store.with_deadline(10).exists("warm")
                cloud.proxy.clear()
                cloud.proxy.plan(*[Pass()] * count, fault)
                task = asyncio.create_task(_save(store))
                interrupted = await cancelled_when(task, cloud.proxy, count + 1)
                cloud.proxy.heal()
                assert await number_in(store) in {None, 1}
                await store.save_snapshot(numbered(2))
                assert await number_in(store) == 2
                await store.delete_execution_state(E1)
            count += 1
        assert count == 3  # the owner record, the snapshot, and none more
        await no_task_is_left()

    asyncio.run(work())
    no_connection_is_left(cloud.proxy)
    assert noise == []


async def _save(store: StateStore) -> None:
    await store.save_snapshot(numbered(1))

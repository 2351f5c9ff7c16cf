"""A process killed with SIGKILL in the middle of a save leaves the last snapshot or the next."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from faults.clouds import of, write
from faults.server_marks import every_cloud
from support.competing_processes import environ
from support.fault_proxy.proxy import BlackHole, HangBeforeReply, Pass
from support.patience import happened
from support.places import E1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.clouds import Cloud
    from support.fault_proxy.proxy import Fault

pytestmark = [pytest.mark.asyncio, every_cloud, pytest.mark.slow]

SNAPSHOT = of("snapshots/e1", write)


@contextmanager
def saving(cloud: Cloud) -> Iterator[subprocess.Popen[str]]:
    """Run a process that saves; it is killed at the end."""
    seen = cloud.server.via(cloud.proxy.url)
    with subprocess.Popen(
        [sys.executable, "-m", "faults.saver", cloud.url],
        env=environ(seen.environ),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def rest(process: subprocess.Popen[str], said: int) -> int:
    """Kill the process, and give the last number that it said, whole."""
    process.kill()
    assert process.stdout is not None
    text = process.stdout.read().rpartition("\n")[0]
    return int(text.split("\n")[-1]) if text else said


async def loaded(cloud: Cloud) -> int:
    """The number of the snapshot there is, which is whole."""
    async with cloud.open() as store:
        found = await store.load_snapshot(E1)
    assert found is not None
    assert found.variables == {"body": str(found.sequence_number) * 20_000}
    return found.sequence_number


@pytest.mark.parametrize(
    ("fault", "next_one"), [(BlackHole(when=SNAPSHOT), 0), (HangBeforeReply(when=SNAPSHOT), 1)]
)
async def test_before_and_after_the_service_has_stored_it(
    cloud: Cloud, fault: Fault, next_one: int
) -> None:
    cloud.proxy.plan(Pass(when=SNAPSHOT), Pass(when=SNAPSHOT), fault)
    with saving(cloud) as process:
        saves = 0
        while saves < 3 or not cloud.requests(SNAPSHOT)[2].fault:
            await asyncio.sleep(0.02)
            saves = len(cloud.requests(SNAPSHOT))
        if next_one:
            await happened(lambda: cloud.requests(SNAPSHOT)[2].server_status)
        assert rest(process, 0) == 2
    assert await loaded(cloud) == 2 + next_one


async def test_at_any_moment(cloud: Cloud) -> None:
    chance = random.Random(11)
    said = 0
    for _ in range(2):
        with saving(cloud) as process:
            assert process.stdout is not None
            said = int(await asyncio.to_thread(process.stdout.readline))
            await asyncio.sleep(chance.uniform(0, 0.05))
            said = rest(process, said)
        assert await loaded(cloud) in {said, said + 1}

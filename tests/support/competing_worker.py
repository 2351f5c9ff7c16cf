"""A process that competes with others for one execution; run by `support.competing_processes`.

Each line that it prints is a JSON object that describes what it did, in order.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from statebucket import errors, open_store
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket import StateStore


def say(**what: object) -> None:
    """Print what happened, without buffering."""
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


async def hold(acme: StateStore, seconds: float) -> None:
    """Take the lease, save, and hang: the parent process will kill this one."""
    async with acme.lease(E1, ttl=timedelta(seconds=seconds)) as lease:
        await acme.save_snapshot(snapshot(1), lease=lease)
        say(fence=lease.fence, number=1)
        await asyncio.sleep(600)


async def increment(acme: StateStore, seconds: float) -> None:
    """Add one to the number in the snapshot, under a lease, over and over."""
    until = time.monotonic() + seconds
    ttl = timedelta(seconds=20)  # longer than a process pauses on a busy machine
    while time.monotonic() < until:
        async with acme.lease(E1, ttl=ttl, wait=timedelta(seconds=30)) as lease:
            entered = time.monotonic()
            before = await acme.load_snapshot(E1)
            number = 0 if before is None else before.sequence_number
            await acme.save_snapshot(snapshot(number + 1), lease=lease)
            lease.check()
            say(fence=lease.fence, number=number + 1, entered=entered, left=time.monotonic())
        await asyncio.sleep(random.uniform(0.01, 0.08))


async def newer(acme: StateStore, seconds: float, ahead: int) -> None:
    """Continue from the stored snapshot, partly out of order, and save only newer ones."""
    until = time.monotonic() + seconds
    last, stale, rounds = 0, 0, 0
    while time.monotonic() < until or rounds < 10:  # however slow the machine is
        rounds += 1
        found = await acme.load_snapshot(E1)
        stored = 0 if found is None else found.sequence_number
        for late in (4, 0, 2):
            # The other worker saves in the meantime.
            await asyncio.sleep(random.uniform(0, 0.01))
            try:
                await acme.save_snapshot(snapshot(stored + late + ahead), only_newer=True)
                last = max(last, stored + late + ahead)
            except errors.StaleSnapshot:
                stale += 1
    say(last=last, stale=stale)


async def main(url: str, mode: str, seconds: float, ahead: int) -> None:
    """Open the store and do the requested job."""
    modes: dict[str, Callable[[StateStore], Awaitable[None]]] = {
        "hold": lambda acme: hold(acme, seconds),
        "increment": lambda acme: increment(acme, seconds),
        "newer": lambda acme: newer(acme, seconds, ahead),
    }
    async with open_store(url) as store:
        await modes[mode](store.tenant(ACME))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))

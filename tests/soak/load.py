"""The load of one store, in its own process, so that its figures contain nothing else.

    python -m soak.load URL SECONDS PAUSE

Prints a `Report` as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from soak.figures import Figures, Report, now
from soak.tenant import Doubt, Tenant
from statebucket import errors, open_store

if TYPE_CHECKING:
    from statebucket import StateStore

NAMES = ["acme", "acm", "a/b", "~é"]
WARM_UP = 0.35
"""The part of the time after which memory and pools have their size."""

SAMPLES = 6
"""How often the figures are taken after that, the last time at the end."""

_TRIES = 20
_MANY = 64  # more than are in flight at one time


async def load(url: str, seconds: float, pause: float) -> Report:
    """Run the load and check everything at its end.

    Args:
        url: The store.
        seconds: How long.
        pause: Seconds between two calls of a tenant.
    """
    figures: list[Figures] = []
    begun = time.monotonic()
    times = [seconds * (WARM_UP + (1 - WARM_UP) * n / (SAMPLES - 1)) for n in range(SAMPLES)]
    async with open_store(url, deadline=5.0) as store:
        tenants = [
            Tenant(name, store, [o for o in NAMES if o != name], seed=6, pause=pause)
            for name in NAMES
        ]
        await _fill_pools(store)
        number = 0
        for until in times:
            # All pause between two cycles while the figures are taken.
            while time.monotonic() < begun + until:
                await asyncio.gather(*(tenant.cycle(number) for tenant in tenants))
                number += 1
            figures.append(now())
        for tenant in tenants:
            await _checked(tenant)
        # A process that knows nothing yet finds the same.
        async with open_store(url, deadline=5.0) as fresh:
            for tenant in tenants:
                tenant.view, tenant._store = fresh.tenant(tenant.name), fresh
                await _checked(tenant)
        stats = msgspec.to_builtins(store.stats())
    calls, failed = Counter[str](), Counter[str]()
    for tenant in tenants:
        calls += tenant.calls
        failed += tenant.failed
    return Report(
        wrong=[message for tenant in tenants for message in tenant.wrong],
        calls=calls,
        failed=failed,
        stats=stats,
        figures=figures,
        seconds=time.monotonic() - begun,
    )


async def _fill_pools(store: StateStore) -> None:
    """Have as many threads and connections as there will ever be."""

    async def ask() -> None:
        with suppress(errors.StateBucketError):
            await store.exists("k")

    for _ in range(2):
        await asyncio.gather(*(ask() for _ in range(_MANY)))


async def _checked(tenant: Tenant) -> None:
    """Compare everything, again where a call failed."""
    for _ in range(_TRIES):
        with suppress(Doubt):
            await tenant.check_all()
            return
    tenant.wrong.append(f"{tenant.name}: could not be checked")


if __name__ == "__main__":
    report = asyncio.run(load(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(report))

"""Sweep, copy, removal and inventory of many objects: in one process, in two, and on Dask.

``make bench-scale`` prints tables: objects a second, requests, the memory of the largest process,
and how even the parts are. The server answers from one process of this machine, so that the figures
say what the clients cost, and not what a cloud allows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import distributed

from benchmarks.server.process import CONTAINER, Server, running
from statebucket import open_store
from statebucket.admin import inventory
from statebucket.scale.jobs import Job, Stores
from statebucket.scale.parallel import in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from statebucket import Partition

MB = 1_000_000
LATENCY = 0.02  # seconds, of the second server
PARTS = 8


class Run(NamedTuple):
    """What one command took."""

    seconds: float
    requests: int
    peak: int


def url_of(server: Server, prefix: str = "app") -> str:
    """The store of the server's S3."""
    endpoint = server.url("s3")
    return f"s3://{CONTAINER}/{prefix}?endpoint_url={endpoint}&region=us-east-1&engine=http"


def share_of_t3(objects: int, *, skewed: bool) -> int:
    """How many of the objects are the tenant's that is removed."""
    return objects * 9 // 10 if skewed else objects // 10


def seed(server: Server, objects: int, *, skewed: bool) -> None:
    """Fills the store: ten tenants with the same number of keys, or one with 90 %."""
    server.clear("s3")
    for tenant in range(10):
        share = share_of_t3(objects, skewed=True) if tenant == 3 else objects // 90
        count = share if skewed else objects // 10
        server.seed("s3", f"app/tenants/t{tenant}/keys/run-{{0:09d}}", count, "x" * 64)


# A process begins with the peak of the one that started it: between us and it stands a small one.
RUNNER = """
import os, sys
null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def command(server: Server, *words: str) -> Run:
    """Runs the command line, in a process of its own."""
    line = [sys.executable, "-m", "statebucket", *words, "--json"]
    before, began = server.count("s3"), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-S", "-c", RUNNER, *line], stdout=subprocess.PIPE, check=True
    )
    seconds = time.perf_counter() - began
    return Run(seconds, server.count("s3") - before, int(done.stdout))


@contextmanager
def ways(name: str) -> Iterator[tuple[list[str], Callable[[], int]]]:
    """The words for a way to run a command, and what tells the memory of its Dask workers."""
    kind, _, number = name.partition(" ")
    if kind != "Dask":
        yield ([] if number == "1" else ["--jobs", number]), lambda: 0
        return
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=int(number), threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        yield ["--dask", cluster.scheduler_address], lambda: max(client.run(_peak).values())


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def commands(server: Server, objects: int) -> None:
    """The table of commands."""
    # A sweep and a copy on S3 send requests for each object, so that a part of them tells the rate.
    url, few = url_of(server), max(1000, objects // 20)
    _row("tenants", "command", "way", "objects", "objects/s", "requests", "peak MB")
    _row(*["---"] * 7)
    for skewed in (True, False):
        for name, seeded, call in (
            ("inventory", objects, ["inventory", "--url", url]),
            ("sweep", few, ["sweep", "--yes", "--url", url]),
            ("copy", few, ["copy", url, url_of(server, "copy")]),
            ("rm-tenant t3", objects, ["rm-tenant", "t3", "--yes", "--url", url]),
        ):
            for way in ("processes 1", "processes 2", "Dask 1", "Dask 2", "Dask 4"):
                seed(server, seeded, skewed=skewed)
                with ways(way) as (words, workers):
                    done = command(server, *call, *words)
                    peak = max(done.peak, workers())
                number = share_of_t3(seeded, skewed=skewed) if name.startswith("rm") else seeded
                _row(
                    "one has 90 %" if skewed else "ten alike",
                    name,
                    way,
                    f"{number:,}",
                    f"{number / done.seconds:,.0f}",
                    f"{done.requests:,}",
                    f"{peak / MB:.0f}",
                )


async def shares(server: Server, objects: int) -> None:
    """The table of how even parts are."""
    _row("objects", "parts", "largest ÷ even", "smallest ÷ even", "requests")
    _row(*["---"] * 5)
    for skewed in (False, True):
        seed(server, objects, skewed=skewed)
        for number in (PARTS, 4 * PARTS):
            async with open_store(url_of(server)) as store:
                before = server.count("s3")
                parts = await store.partitions(number)
                asked = server.count("s3") - before
                found = [(await inventory(store, partition=part)).listed for part in parts]
            even = sum(found) / number
            kind = "one tenant has 90 %" if skewed else "ten tenants alike"
            _row(kind, number, f"{max(found) / even:.2f}", f"{min(found) / even:.2f}", asked)


async def listing(server: Server, objects: int) -> None:
    """What pages in flight at once bring, with latency added."""
    seed(server, objects, skewed=True)
    url = url_of(server)
    async with open_store(url) as store:
        began = time.perf_counter()
        await inventory(store)
        alone = time.perf_counter() - began
        began = time.perf_counter()
        parts: Sequence[Partition] = await store.partitions(PARTS)
        await in_this_process(Stores(Job(command="inventory", url=url), store), parts)
        together = time.perf_counter() - began
    _row("listing", "seconds")
    _row("---", "---")
    _row(f"{objects:,} objects, one page after the other", f"{alone:.1f}")
    _row(f"the same in {len(parts)} parts at a time, one process", f"{together:.1f}")
    _row("quotient", f"{together / alone:.2f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["commands", "shares", "listing"])
    given = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    if given.only in {None, "listing"}:
        with running(LATENCY) as server:
            asyncio.run(listing(server, given.objects))
    with running() as server:
        if given.only in {None, "shares"}:
            asyncio.run(shares(server, given.objects))
        if given.only in {None, "commands"}:
            commands(server, given.objects)


def _row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)  # noqa: T201  (a table is its output)


if __name__ == "__main__":
    main()

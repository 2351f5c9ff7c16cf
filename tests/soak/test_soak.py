"""The long load on S3, Cloud Storage, Azure and SQLite side by side, with faults on.

``make soak`` runs it for an hour, ``SOAK_SECONDS`` for as long as you like. Azurite hangs in its
own clean-up some ten minutes after its start, so that Azure's load ends before that.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from soak.figures import Report
from support.fault_proxy.proxy import (
    CutBody,
    DelayReply,
    DropBeforeSend,
    DropReply,
    Fault,
    FaultProxy,
    HangBeforeReply,
    azure_error,
    gcs_error,
    on,
    s3_error,
)
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.fault_proxy.proxy import Predicate, Recorded
    from support.servers import Server

SECONDS = float(os.environ.get("SOAK_SECONDS", "50"))
AZURITE_SECONDS = 480.0
PAUSE_S = 0.06
MOST_MEMORY_KIB = 12 * 1024
"""How much resident memory may grow after warm-up, however long the load: SDKs load modules and
tables on their first errors, and the caches of owners and versions fill."""

MOST_MORE = 38
"""How many sockets or files more than after warm-up there may be where pools are at their least: a
pool's, and some. A leak would be one for each of the hundreds of connections that were lost."""

MOST_SOCKETS = 104
"""How many there may be at any time: three times those of requests in flight, and some. After a
lost connection requests use a new pool; what lies idle in the old one is closed within 24 s."""


def share(mark: str, part: float, method: str | None = None) -> Predicate:
    """Choose a part of the requests, always the same ones."""
    count = 0

    def chosen(_: Recorded) -> bool:
        nonlocal count
        count += 1
        drawn = hashlib.sha256(f"{mark}:{count}".encode()).digest()
        return int.from_bytes(drawn[:4]) < part * 2**32

    return on(method, test=chosen)


def faults(service: str) -> list[Fault]:
    """What goes wrong: one request in twenty-five or so."""
    when = share("busy", 0.01)
    busy = {
        "s3": s3_error(503, "SlowDown", when=when),
        "gcs": gcs_error(429, "rateLimitExceeded", when=when),
        "azure": azure_error(503, "ServerBusy", when=when),
    }
    return [
        DropReply(when=share("drop reply", 0.01)),
        DropBeforeSend(when=share("drop", 0.01)),
        busy[service],
        CutBody(after_bytes=10, when=share("cut", 0.01, "GET")),
        DelayReply(0.3, when=share("late", 0.005)),
        HangBeforeReply(when=share("hang", 0.001)),
    ]


@contextmanager
def locking(path: Path) -> Iterator[None]:
    """Someone else takes SQLite's write lock again and again, for a moment."""
    done = threading.Event()

    def work() -> None:
        # SQLite looks only ten times a second, and may find the lock held each time on a busy disk.
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
            while not done.wait(0.5):
                db.execute("BEGIN IMMEDIATE")
                done.wait(0.15)
                db.execute("ROLLBACK")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def started(url: str, seconds: float, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    # With an arena of the C library's for each of 32 threads, resident memory creeps up for an
    # hour while nothing is kept.
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "soak.load", url, str(seconds), str(PAUSE_S)],
        env=os.environ | environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def shown(service: str, report: Report, broken: int) -> str:
    """The figures, for people."""
    lines = [
        (
            f"{service}: {report.seconds:.0f} s, {sum(report.calls.values())} calls, "
            f"{report.stats['requests']} requests, {broken} of the last broken, "
            f"{report.stats['retries']} retries, {sum(report.failed.values())} calls failed "
            f"{report.failed}"
        ),
        *(f"  {figures}" for figures in report.figures),
        *report.wrong,
    ]
    return "\n".join(lines)


def check(report: Report) -> None:
    """Demand that nothing was lost or mixed, and that nothing grew after warm-up."""
    assert report.wrong == []
    calls, failed = sum(report.calls.values()), sum(report.failed.values())
    assert calls > 100
    assert failed < 0.05 * calls
    warm, *later = report.figures
    for figures in later:
        assert figures.memory <= warm.memory + MOST_MEMORY_KIB
        assert figures.sockets <= MOST_SOCKETS
        assert figures.tasks <= warm.tasks
        assert figures.threads <= warm.threads + 1
    # A pool has more connections now and less then; what leaks has more each time.
    ended = later[-3:]
    assert min(figures.sockets for figures in ended) <= warm.sockets + MOST_MORE
    assert min(figures.files for figures in ended) <= warm.files + MOST_MORE


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 240)
def test_nothing_is_lost_or_mixed_and_nothing_grows(
    moto: Server, fake: Server, azurite: Server, tmp_path: Path
) -> None:
    running, proxies = {}, {}
    with ExitStack() as stack:
        servers = {"s3": moto, "gcs": fake, "gcs+http": fake, "azure": azurite}
        for name, server in (servers | {"azure+http": azurite}).items():
            service, _, engine = name.partition("+")
            deployment = stack.enter_context(
                deployment_on(service, server, tmp_path, engine or "sdk")
            )
            proxy = stack.enter_context(FaultProxy("127.0.0.1", deployment.port, keep=5000))
            for fault in faults(service):
                proxy.always(fault)
            seconds = min(SECONDS, AZURITE_SECONDS) if service == "azure" else SECONDS
            environ = {
                name: value.replace(deployment.endpoint, proxy.url)
                for name, value in deployment.environ.items()
            }
            running[name] = started(deployment.seen(proxy.url), seconds, environ)
            proxies[name] = proxy
        path = tmp_path / "state.db"
        stack.enter_context(locking(path))
        running["sqlite"] = started(f"sqlite:///{path}", SECONDS, {})
        # Each is read by a thread of its own, so that none waits for another's pipe.
        outputs: dict[str, tuple[bytes, bytes]] = {}
        readers = [
            threading.Thread(target=lambda s=s, p=p: outputs.update({s: p.communicate()}))
            for s, p in running.items()
        ]
        for reader in readers:
            reader.start()
        try:
            for reader in readers:
                reader.join()
        finally:
            for process in running.values():
                process.kill()
        broken = {
            service: sum(bool(request.fault) for request in proxy.requests)
            for service, proxy in proxies.items()
        }
    reports = {}
    for service, process in running.items():
        out, complaints = outputs[service]
        assert process.returncode == 0, complaints.decode()[-3000:]
        reports[service] = msgspec.json.decode(out, type=Report)
        print(shown(service, reports[service], broken.get(service, 0)))  # noqa: T201  (figures)
    for service, report in reports.items():
        check(report)
        if service in proxies:
            assert broken[service] > 5
            assert report.stats["retries"] > 5

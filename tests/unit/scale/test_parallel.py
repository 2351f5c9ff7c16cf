"""Parts in this process and in several, some of which die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio

from statebucket import errors, open_store
from statebucket.admin import inventory
from statebucket.scale.jobs import Job, Stores, checked
from statebucket.scale.parallel import in_processes, in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

OBJECTS = 800


@pytest_asyncio.fixture
async def url(tmp_path: Path) -> str:
    """A store whose objects have expired."""
    url = f"sqlite:///{tmp_path}/state.db"
    async with open_store(url, clock=lambda: time.time() - 7200) as store:
        acme = store.tenant("acme")
        for at in range(OBJECTS):
            await acme.set(f"k{at}", b"v", 60)
    return url


def workers() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(
            psutil.Error
        ):  # it has ended, and perhaps no one has waited for it
            if "statebucket.scale.worker" in one.cmdline():
                found.append(one)
    return found


def killing_one(notes: list[str]) -> Callable[[int], None]:
    """Kill a worker, until a note says that one has died."""

    def kill(_: int) -> None:
        if not notes and (running := workers()):
            running[0].kill()

    return kill


async def left(url: str) -> int:
    async with open_store(url) as store:
        return (await inventory(store)).listed


async def test_parts_in_one_process_add_up(url: str) -> None:
    job = Job(command="sweep", url=url)
    stores = Stores(job)
    seen: list[int] = []
    parts = await stores.source.partitions(5)
    report: Any = checked(job, await in_this_process(stores, parts, seen.append))
    await stores.close()
    assert (report.removed, seen[-1], sorted(seen)) == (OBJECTS, OBJECTS, seen)
    assert await left(url) == 0


async def test_a_worker_that_dies_is_told_and_another_runs_its_parts(url: str) -> None:
    job = Job(command="sweep", url=url)
    notes: list[str] = []

    async with open_store(url) as store:
        parts = await store.partitions(16)
    outcome = await in_processes(job, parts, 2, progress=killing_one(notes), note=notes.append)
    assert outcome.failed == 0
    assert outcome.repeated > 0
    assert any("was ended by signal 9 (SIGKILL)" in note and "run again" in note for note in notes)
    assert await left(url) == 0
    assert not workers()


async def test_no_worker_takes_more_than_its_share_of_few_parts(url: str) -> None:
    job = Job(command="sweep", url=url)
    notes: list[str] = []
    async with open_store(url) as store:
        parts = await store.partitions(2)
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        database.execute("BEGIN IMMEDIATE")  # until a worker has died, no part comes to its end
        running = asyncio.create_task(in_processes(job, parts, 2, note=notes.append))
        while not (found := workers()):  # noqa: ASYNC110  (the timeout of pytest ends it)
            await asyncio.sleep(0.02)
        found[0].kill()
        while not notes:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    outcome = await running
    assert (len(parts), outcome.failed, outcome.repeated) == (2, 0, 1)
    assert all("; its 1 part will be run again" in note for note in notes)
    assert await left(url) == 0


async def test_how_a_worker_died_is_told_however_late_asyncio_learns_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waitpid = os.waitpid

    def late(pid: int, options: int) -> tuple[int, int]:
        if not options & os.WNOHANG:  # asyncio's thread, up to Python 3.11
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            time.sleep(0.3)
        return waitpid(pid, options)

    monkeypatch.setattr(os, "waitpid", late)
    notes: list[str] = []

    async with open_store(url) as store:
        parts = await store.partitions(16)
    job = Job(command="sweep", url=url)
    await in_processes(job, parts, 2, progress=killing_one(notes), note=notes.append)
    assert notes
    assert all("was ended by signal 9 (SIGKILL)" in note for note in notes)


async def test_parts_over_which_workers_always_die_are_given_up(url: str) -> None:
    unreadable: Any = "long"  # a worker ends over it
    job = Job(command="sweep", url=url, margin=unreadable)
    async with open_store(url) as store:
        parts = await store.partitions(3)
    outcome = await in_processes(job, parts, 2, note=lambda _: None)
    assert outcome.failed == len(parts)
    with pytest.raises(errors.Unavailable, match="3 worker processes died over part"):
        checked(job, outcome)


async def test_errors_of_the_parts_come_back_as_they_are(tmp_path: Path) -> None:
    job = Job(command="inventory", url=f"sqlite:///{tmp_path}/none/state.db")
    store = open_store("memory://")
    outcome = await in_processes(job, await store.partitions(1), 1)
    with pytest.raises(errors.StateBucketError) as caught:
        checked(job, outcome)
    assert type(caught.value) is type(outcome.errors[0])


async def test_a_call_that_is_cancelled_ends_its_workers(url: str) -> None:
    job = Job(command="sweep", url=url)
    begun = asyncio.Event()
    async with open_store(url) as store:
        parts = await store.partitions(16)
    task = asyncio.create_task(in_processes(job, parts, 2, progress=lambda _: begun.set()))
    await begun.wait()
    running = workers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(running, timeout=60)
    assert running
    assert not alive


async def test_workers_end_with_whoever_started_them(url: str) -> None:
    """As where the command is killed, and can end nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statebucket", "sweep", "--yes", "--jobs", "2", "--url", url),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    command = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while not (children := command.children(recursive=True)) and time.monotonic() < deadline:
        time.sleep(0.02)  # noqa: ASYNC251  (nothing else runs in this loop)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert children
    assert not alive
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute("pragma integrity_check")
    job = Job(command="sweep", url=url)
    stores = Stores(job)
    checked(job, await in_this_process(stores, await stores.source.partitions(4)))
    await stores.close()
    assert await left(url) == 0


async def test_a_part_that_raises_what_no_store_raises_is_told_and_holds_up_nothing(
    url: str,
) -> None:
    job = Job(command="copy", url=url)  # without a target, which no command makes
    async with open_store(url) as store:
        parts = await store.partitions(5)
    outcome = await asyncio.wait_for(in_processes(job, parts, 2), 100)
    assert outcome.failed == len(parts)
    with pytest.raises(errors.StateBucketError, match=r"copy: part \d of \d: AssertionError"):
        checked(job, outcome)


async def test_no_process_creates_the_database_that_it_is_to_work_on(tmp_path: Path) -> None:
    job = Job(command="sweep", url=f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(errors.BucketNotFound):
        Stores(job)
    copy = Job(command="copy", url=f"sqlite:///{tmp_path}/none.db", target="memory://")
    with pytest.raises(errors.BucketNotFound):
        Stores(copy)
    async with open_store("memory://") as source:
        to = Job(command="copy", url="memory://", target=f"sqlite:///{tmp_path}/none.db")
        with pytest.raises(errors.BucketNotFound):
            Stores(to, source)
    outcome = await in_processes(job, await open_store("memory://").partitions(1), 1)
    with pytest.raises(errors.BucketNotFound):
        checked(job, outcome)

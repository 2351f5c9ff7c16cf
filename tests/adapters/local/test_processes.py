"""SQLite under several processes, under SIGKILL, and under someone else's lock."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from support.selection import examples

if TYPE_CHECKING:
    from pathlib import Path

HAMMER = """
    import asyncio, sys, time
    from statebucket import Version, errors, open_store

    async def main(url, name, seconds):
        done = conflicts = own = 0
        async with open_store(url) as store:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                stored = await store.get_stored("counter")
                number = 0 if stored is None else int(stored.value)
                version = Version.ABSENT if stored is None else stored.version
                try:
                    await store.set("counter", str(number + 1).encode(), if_version=version)
                    done += 1
                except errors.VersionConflict:
                    conflicts += 1
                await store.set(f"{name}-{own}", b"v")
                own += 1
        print(done, conflicts, own)

    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""
SAVER = """
    import asyncio, sys
    from statebucket import ExecutionSnapshot, ExecutionState, open_store

    async def main(url):
        async with open_store(url) as store:
            loaded = await store.load_snapshot("e1")
            number = 0 if loaded is None else loaded.sequence_number
            while True:
                number += 1
                await store.save_snapshot(ExecutionSnapshot(
                    execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING,
                    sequence_number=number, variables={"body": str(number) * 5000}))
                print(number, flush=True)

    asyncio.run(main(sys.argv[1]))
"""


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.asyncio
async def test_two_processes_for_seconds_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    seconds = examples(4.0, 6.0)
    workers = [started(HAMMER, url, name, str(seconds)) for name in ("a", "b")]
    said = [(await asyncio.to_thread(worker.communicate))[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    counts = [[int(number) for number in line] for line in said]
    assert all(done > 50 for done, _, _ in counts)
    assert sum(conflicts for _, conflicts, _ in counts) > 0  # they did meet
    async with open_store(url) as store:
        assert int(await store.get("counter") or b"") == sum(done for done, _, _ in counts)
        keys = {key async for key in store.iter_keys()} - {"counter"}
    assert keys == {
        f"{name}-{number}"
        for name, (_, _, own) in zip("ab", counts, strict=True)
        for number in range(own)
    }


@pytest.mark.asyncio
async def test_a_kill_leaves_the_old_or_the_new_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    url = f"sqlite:///{path}"
    chance = random.Random(7)
    for _ in range(12):
        worker = started(SAVER, url)
        assert worker.stdout is not None
        said = int(await asyncio.to_thread(worker.stdout.readline))
        await asyncio.sleep(chance.uniform(0, 0.05))
        worker.kill()
        rest = await asyncio.to_thread(worker.stdout.read)
        worker.wait()
        whole = rest.rpartition("\n")[0].split("\n")[-1]
        said = int(whole) if whole else said
        async with open_store(url) as store:
            loaded = await store.load_snapshot("e1")
        assert loaded is not None
        # What was said to be saved is there; the next one may be, whole.
        assert loaded.sequence_number >= said
        assert loaded.variables == {"body": str(loaded.sequence_number) * 5000}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.asyncio
async def test_the_event_loop_does_not_wait_for_anothers_lock(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_store(f"sqlite:///{path}")
    await store.set("k", b"old")
    beats = 0

    async def heart() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    task = asyncio.create_task(heart())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started_at = time.monotonic()
        with pytest.raises((errors.Throttled, errors.DeadlineExceeded)):
            await store.with_deadline(1.0).set("k", b"new")
        assert time.monotonic() - started_at < 4.5  # SQLite itself waits for five seconds
        assert await store.get("k") == b"old"  # readers do not wait for writers
        other.execute("ROLLBACK")
    task.cancel()
    assert beats > 5  # of a hundred, on an idle machine
    await store.set("k", b"new")
    await store.shutdown()


@pytest.mark.asyncio
async def test_what_is_no_database_is_said_and_left(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are notes, not a database" * 100)
    async with open_store(f"sqlite:///{path}") as store:
        with pytest.raises(errors.CorruptObject, match=r"notes\.txt"):
            await store.get("k")
    assert path.read_bytes() == b"these are notes, not a database" * 100


@pytest.mark.asyncio
async def test_a_directory_that_is_missing_is_said_and_not_made(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'missing' / 'state.db'}") as store:
        with pytest.raises(errors.BucketNotFound):
            await store.health_check()
    assert not (tmp_path / "missing").exists()

"""SQLite: other processes' locks, and the rights of a file and its folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statebucket import Version, errors, open_store, sync
from statebucket.store.retry import MAX_TRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCKER = """
    import sqlite3, sys
    with sqlite3.connect(sys.argv[1], isolation_level=None) as db:
        db.execute(sys.argv[2])
        db.execute("BEGIN EXCLUSIVE")
        print("locked", flush=True)
        sys.stdin.read()
"""


@contextmanager
def locked(path: Path, mode: str = "SELECT 1") -> Iterator[None]:
    """Another process holds the file's lock meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOCKER), str(path), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


async def made(path: Path) -> None:
    """Makes the file, with a value in it."""
    async with open_store(f"sqlite:///{path}") as store:
        await store.set("k", b"old")


@pytest.mark.asyncio
async def test_a_lock_that_is_there_when_the_file_is_opened_ends_at_the_deadline_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    await made(path)
    async with open_store(f"sqlite:///{path}", deadline=30) as store:
        with locked(path):
            began = time.perf_counter()
            with pytest.raises((errors.Throttled, errors.DeadlineExceeded)) as caught:
                await store.with_deadline(0.6).set("k", b"new")
            assert time.perf_counter() - began < 4.5  # SQLite itself waits for five seconds
            assert caught.value.transient
            assert await store.get("k") == b"old"
        await store.set("k", b"new")


@pytest.mark.asyncio
async def test_a_lock_against_readers_ends_at_the_deadline_too(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await made(path)
    async with open_store(f"sqlite:///{path}", deadline=30) as store:
        with locked(path, "PRAGMA locking_mode = EXCLUSIVE"):
            began = time.perf_counter()
            with pytest.raises((errors.Throttled, errors.DeadlineExceeded)):
                await store.with_deadline(0.6).get("k")
            assert time.perf_counter() - began < 4.5  # SQLite itself waits for five seconds
        assert await store.get("k") == b"old"


@pytest.mark.asyncio
async def test_writes_wait_for_a_lock_that_is_given_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await made(path)
    async with open_store(f"sqlite:///{path}", deadline=20) as store:
        with locked(path):
            writes = [asyncio.create_task(store.set(f"k{n}", b"new")) for n in range(4)]
            done, _ = await asyncio.wait(writes, timeout=0.4)
            assert not done
        assert all(isinstance(version, Version) for version in await asyncio.gather(*writes))


@pytest.mark.asyncio
async def test_a_lock_is_looked_for_more_often_than_a_request_is_tried(tmp_path: Path) -> None:
    # A process that writes all the time frees it for moments only.
    path = tmp_path / "state.db"
    async with open_store(f"sqlite:///{path}", max_in_flight=1) as store:
        await store.set("k", b"old")
        (workers,) = store.context.objects.bucket._workers.values()  # type: ignore[attr-defined]
        (connection,) = workers._connections
        looks: list[str] = []
        connection.set_trace_callback(looks.append)
        with locked(path):
            write = asyncio.create_task(store.set("k", b"new"))
            while len(looks) <= MAX_TRIES and not (await asyncio.wait({write}, timeout=0.01))[0]:
                pass
        await write
        connection.set_trace_callback(None)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["blocking", "async"])
async def test_a_lock_that_is_held_throughout_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.db"
    await made(path)
    url = f"sqlite:///{path}?deadline=0.8"
    async with open_store(url) as store:
        blocking = sync.open_store(url)
        calls = {
            "blocking": lambda: asyncio.to_thread(blocking.set, "k", b"new"),
            "async": lambda: store.set("k", b"new"),
        }
        with locked(path), pytest.raises(errors.StateBucketError) as caught:
            await calls[kind]()
        assert "another process holds the lock" in str(caught.value)
        blocking.shutdown()


@pytest.mark.asyncio
@pytest.mark.parametrize("held", [0.0, 0.1])
async def test_a_write_that_is_given_up_while_it_waits_for_the_lock_is_not_done_later(
    tmp_path: Path, held: float
) -> None:
    path = tmp_path / "state.db"
    await made(path)
    async with open_store(f"sqlite:///{path}") as store:
        with locked(path):
            write = asyncio.create_task(store.set("k", b"late"))
            await asyncio.sleep(0.1)
            write.cancel()
            with pytest.raises(asyncio.CancelledError):
                await write
            await asyncio.sleep(held)
        await store.set("other", b"v")
        await asyncio.sleep(0.3)
        assert await store.get("k") == b"old"


# In a process without root's rights, for which modes of files hold.
WITHOUT_RIGHTS = """
    import asyncio, os, sys, tempfile
    from statebucket import errors, open_store

    async def main(path):
        with tempfile.TemporaryDirectory() as own:  # loads what a call needs: root may read it
            async with open_store(f"sqlite:///{own}/state.db") as store:
                await store.set("k", b"v")
        if os.geteuid() == 0:
            os.setegid(65534)
            os.seteuid(65534)
        for call in (lambda s: s.set("k", b"v"), lambda s: s.health_check()):
            try:
                async with open_store("sqlite:///" + path, deadline=2) as store:
                    await call(store)
            except errors.StateBucketError as error:
                print(type(error).__name__, error.outcome)
            else:
                print("done")

    asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter."""
    with tempfile.TemporaryDirectory(prefix="statebucket-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


def said_without_rights(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_RIGHTS), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_file_that_may_not_be_written_is_access_denied(folder: Path) -> None:
    path = folder / "state.db"
    asyncio.run(made(path))
    path.chmod(0o444)
    folder.chmod(0o555)
    assert said_without_rights(path) == ["AccessDenied none"] * 2


def test_a_file_that_may_not_be_read_is_access_denied(folder: Path) -> None:
    path = folder / "state.db"
    asyncio.run(made(path))
    path.chmod(0o000)
    folder.chmod(0o555)
    assert said_without_rights(path) == ["AccessDenied none"] * 2


def test_a_folder_in_which_nothing_may_be_made_is_access_denied(folder: Path) -> None:
    folder.chmod(0o555)
    assert said_without_rights(folder / "new.db") == ["AccessDenied none"] * 2


@pytest.mark.asyncio
async def test_a_folder_in_the_files_place_is_access_denied(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}") as store:
        with pytest.raises(errors.AccessDenied, match="directory"):
            await store.get("k")


def modes_in(folder: Path, *, links: bool = False) -> dict[str, str]:
    return {
        file.name: oct(file.stat(follow_symlinks=not links).st_mode & 0o777)
        for file in folder.iterdir()
    }


@pytest.mark.asyncio
async def test_what_is_created_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "private %41 é.db"
    before = os.umask(0)
    try:
        async with open_store(f"sqlite:///{path}") as store:
            await store.set("k", b"v")
            modes = modes_in(tmp_path)
    finally:
        os.umask(before)
    assert modes == {f"{path.name}{end}": "0o600" for end in ("", "-wal", "-shm")}


@pytest.mark.asyncio
async def test_the_rights_of_a_file_that_is_there_are_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    path.touch()
    path.chmod(0o640)
    async with open_store(f"sqlite:///{path}") as store:
        await store.set("k", b"v")
        assert set(modes_in(tmp_path).values()) == {"0o640"}


@pytest.mark.asyncio
async def test_a_link_to_nothing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere.db")
    async with open_store(f"sqlite:///{tmp_path}/state.db") as store:
        with pytest.raises(errors.AccessDenied, match="link to a file that does not exist"):
            await store.set("k", b"v")
        assert list(modes_in(tmp_path, links=True)) == ["state.db"]
        (tmp_path / "elsewhere.db").touch()
        await store.set("k", b"v")
        assert await store.get("k") == b"v"

"""SQLite: damaged files, and disks that are full or fail."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from support.targets.local import SQLiteTarget

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.asyncio
async def test_a_file_that_was_cut_short_is_corrupt_and_left(tmp_path: Path, share: float) -> None:
    path = tmp_path / "state.db"
    async with open_store(f"sqlite:///{path}") as store:
        for number in range(20):
            await store.set(f"k{number}", bytes(3000))
    whole = path.read_bytes()
    cut = whole[: int(len(whole) * share)]
    path.write_bytes(cut)
    async with open_store(f"sqlite:///{path}") as store:
        reads = [store.get(f"k{number}") for number in range(20)]
        said = await asyncio.gather(*reads, return_exceptions=True)
    wrong = [error for error in said if not isinstance(error, bytes)]
    assert wrong
    assert {type(error) for error in wrong} == {errors.CorruptObject}
    assert str(path) in str(wrong[0])
    assert path.read_bytes() == cut


@pytest.mark.asyncio
async def test_a_damaged_name_that_sqlite_quotes_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.set("k", b"v")
    # No text in UTF-8, and so no error of SQLite's that Python can read.
    damaged = path.read_bytes().replace(b"statebucket_objects", b"\x80tatebucket_objects", 1)
    path.write_bytes(damaged)
    async with open_store(f"sqlite:///{path}") as store:
        with pytest.raises(errors.CorruptObject, match="can read"):
            await store.get("k")


@pytest.mark.asyncio
async def test_metadata_that_cannot_be_read_is_corrupt(tmp_path: Path) -> None:
    target = SQLiteTarget(tmp_path)
    async with target.open() as store:
        await store.set("k", b"v")
        with closing(sqlite3.connect(target.path)) as db, db:
            db.execute("UPDATE statebucket_objects SET metadata = 'not JSON'")
        with pytest.raises(errors.CorruptObject) as caught:
            await store.get("k")
        assert caught.value.object_name == "shared/keys/k"


@pytest.mark.asyncio
async def test_a_full_disk_is_not_tried_again_and_nothing_was_written(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/state.db", max_in_flight=1) as store:
        await store.set("k", b"old")
        (workers,) = store.context.objects.bucket._workers.values()  # type: ignore[attr-defined]
        (connection,) = workers._connections
        connection.execute("PRAGMA max_page_count = 1")  # the file may not grow any more
        before = store.stats().requests
        with pytest.raises(errors.OutOfSpace, match="no space is left") as full:
            await store.set("k", bytes(1_000_000))
        assert (store.stats().requests - before, full.value.outcome) == (1, "none")
        assert await store.get("k") == b"old"


FAILING_DISK = """
    import asyncio, os, resource, sys
    from statebucket import open_store, errors
    from statebucket.store import retry

    async def main():
        retry.MAX_TRIES = 3  # all of them take five seconds
        path = sys.argv[1]
        async with open_store("sqlite:///" + path, max_in_flight=1) as store:
            await store.set("k", b"old")
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            # Each write behind what is there fails with EFBIG, an I/O error to SQLite.
            resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + "-wal"), before[1]))
            try:
                await store.set("k", bytes(1_000_000))
            except errors.StateBucketError as error:
                print(type(error).__name__, error.outcome, error.code)
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            print(await store.get("k"))
    asyncio.run(main())
"""


def test_a_disk_that_fails_to_write_leaves_the_old_value_and_no_doubt(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FAILING_DISK), f"{tmp_path}/state.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["Unavailable none SQLITE_IOERR_WRITE", "b'old'"]

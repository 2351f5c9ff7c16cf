"""SQLite: other people's locks and rights, damaged files, several loops, threads and forks."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statebucket import Version, errors, open_store
from support.targets.local import SQLiteTarget

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
    async with open_store(f"sqlite:///{path}", deadline=0.6) as store:
        with locked(path):
            began = time.perf_counter()
            with pytest.raises((errors.Throttled, errors.DeadlineExceeded)) as caught:
                await store.set("k", b"new")
            assert time.perf_counter() - began < 3
            assert caught.value.transient
            assert await store.get("k") == b"old"
        await store.set("k", b"new")


@pytest.mark.asyncio
async def test_a_lock_against_readers_ends_at_the_deadline_too(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await made(path)
    async with open_store(f"sqlite:///{path}", deadline=0.6) as store:
        with locked(path, "PRAGMA locking_mode = EXCLUSIVE"):
            began = time.perf_counter()
            with pytest.raises((errors.Throttled, errors.DeadlineExceeded)):
                await store.get("k")
            assert time.perf_counter() - began < 3
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


# In a process without root's rights, for which modes of files hold.
WITHOUT_RIGHTS = """
    import asyncio, os, sys
    from statebucket import errors, open_store
    import statebucket_local.sqlite

    async def main(path):
        open_store("sqlite:///" + path)
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
async def test_a_relative_file_stays_the_same_when_the_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with open_store("sqlite:///state.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        await store.set("k", b"v")
        await store.shutdown()
        assert await store.get("k") == b"v"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "state.db"]  # noqa: PTH208  (a name each)
    assert os.listdir(tmp_path / "elsewhere") == []  # noqa: PTH208


def test_threads_may_shut_a_store_down_while_others_use_it(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    stop = threading.Event()

    async def use(name: str) -> int:
        count = 0
        while not stop.is_set():
            await store.set(name, str(count).encode())
            assert await store.get(name) == str(count).encode()
            count += 1
        return count

    async def shut_down() -> None:
        for _ in range(150):
            await store.shutdown()
            await asyncio.sleep(0)
        stop.set()

    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(asyncio.run, use(name)) for name in ("a", "b")]
        try:
            pool.submit(asyncio.run, shut_down()).result()
        finally:
            stop.set()
        assert all(user.result() for user in users)
    asyncio.run(store.shutdown())


FORK = """
    import asyncio, os, sys
    from statebucket import open_store

    store = open_store("sqlite:///" + sys.argv[1])

    async def count(name):
        for number in range(30):
            await store.set(name, str(number).encode())
        return await store.get(name)

    print(asyncio.run(count("parent")), flush=True)
    child = os.fork()
    if child == 0:
        assert asyncio.run(count("child")) == b"29"
        asyncio.run(store.shutdown())
        grandchild = os.fork()
        assert asyncio.run(count("child" if grandchild else "grandchild")) == b"29"
        if grandchild:
            assert os.waitpid(grandchild, 0)[1] == 0
        print("child is done", flush=True)
        sys.exit(0)
    print(asyncio.run(count("parent")), flush=True)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(store.shutdown())
    print(asyncio.run(count("parent")), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_store_goes_on_in_a_fork_and_in_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    # Python warns of every fork of a process with threads.
    warnings = ["-W", "error::ResourceWarning", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *warnings, "-c", textwrap.dedent(FORK), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == ["b'29'"] * 3 + ["child is done"] * 2
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(db.execute("SELECT name FROM statebucket_objects").fetchall()) == 3


FORKED_AND_LEFT = """
    import os, sqlite3, subprocess, sys
    from statebucket.sync import open_store

    path, how = sys.argv[1:]
    store = open_store("sqlite:///" + path)
    store.set("parent", b"v")
    go_on, gone = os.pipe()
    child = os.fork()
    if child == 0:
        store.set("first", b"v")  # opens the child's own connection
        os.read(go_on, 1)
        store.set("second", b"v")
        assert store.get("second") == b"v"
        os._exit(0)
    while len(list(store.iter_keys())) < 2:
        pass
    if how == "shut down":
        store.shutdown()
    else:  # by another process, the last to close the file as far as it can tell
        store.shutdown()
        look = "import sqlite3, sys; print(list(sqlite3.connect(sys.argv[1]).execute('{}')))"
        look = look.format("SELECT count(*) FROM statebucket_objects")
        subprocess.run([sys.executable, "-c", look, path], check=True, stdout=subprocess.DEVNULL)
    os.write(gone, b"!")
    assert os.waitpid(child, 0)[1] == 0
    print(*open_store("sqlite:///" + path).iter_keys())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("how", ["shut down", "closed by another process"])
def test_what_a_child_writes_stays_when_its_parent_has_closed_the_file(
    tmp_path: Path, how: str
) -> None:
    code = textwrap.dedent(FORKED_AND_LEFT)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "state.db"), how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["first", "parent", "second"]


BLOCKING = """
    import atexit, os, sys
    atexit.register(lambda: print(os.path.exists(sys.argv[1] + "-wal")))  # the last to run
    from statebucket.sync import open_store

    store = open_store("sqlite:///" + sys.argv[1])
    store.set("k", b"v")
    print(os.path.exists(sys.argv[1] + "-wal"))
"""
ASYNCHRONOUS = """
    import asyncio, sys
    from statebucket import errors, open_store

    store = open_store("sqlite:///" + sys.argv[1])
    asyncio.run(store.set("k", b"v"))
    asyncio.run(store.set("k", b"v"))
    try:
        asyncio.run(open_store("sqlite:///" + sys.argv[1] + "/none").get("k"))
    except errors.BucketNotFound:
        print("none")
"""


@pytest.mark.parametrize(("code", "said"), [(BLOCKING, "True False"), (ASYNCHRONOUS, "none")])
def test_what_nobody_shuts_down_is_closed_at_exit(tmp_path: Path, code: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path / "state.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # From Python 3.13 on a connection that is left open is told on stderr.
    assert (done.stdout.split(), done.stderr) == (said.split(), "")
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


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


@pytest.mark.asyncio
async def test_a_full_disk_is_not_tried_again_and_nothing_was_written(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/state.db", max_in_flight=1) as store:
        await store.set("k", b"old")
        (connection,) = store.context.objects.bucket._workers._connections  # type: ignore[attr-defined]
        connection.execute("PRAGMA max_page_count = 1")  # the file may not grow any more
        before = store.stats().requests
        with pytest.raises(errors.RequestRejected, match="no space is left") as full:
            await store.set("k", bytes(1_000_000))
        assert (store.stats().requests - before, full.value.outcome) == (1, "none")
        assert await store.get("k") == b"old"


FAILING_DISK = """
    import asyncio, os, resource, sys
    from statebucket import open_store, errors

    async def main():
        path = sys.argv[1]
        async with open_store("sqlite:///" + path, deadline=1, max_in_flight=1) as store:
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


AT_EXIT = """
    import asyncio, atexit, sys, threading
    from statebucket import open_store, errors

    {module}

    store = open_store("sqlite:///" + sys.argv[1])

    async def call():
        await store.set("k", b"1")
        return await store.get("k")

    def late():
        try:
            print({call}, flush=True)
        except errors.StateBucketError as error:
            print(type(error).__name__, error.outcome, flush=True)

    def outlives():
        threading.main_thread().join()
        late()

    {when}
"""
WAYS = {
    "async": ("", "asyncio.run(call())"),
    "blocking": (
        "from statebucket.sync import open_store",
        "(store.set('k', b'1'), store.get('k'))[1]",
    ),
}
MOMENTS = {
    "thread": "threading.Thread(target=outlives).start()",
    "used-thread": "late(); threading.Thread(target=outlives).start()",
    "atexit": "atexit.register(late)",
    "used-atexit": "late(); atexit.register(late)",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_call_while_the_interpreter_shuts_down_works(
    tmp_path: Path, way: str, moment: str
) -> None:
    module, call = WAYS[way]
    code = textwrap.dedent(AT_EXIT).format(module=module, call=call, when=MOMENTS[moment])
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, f"{tmp_path}/state.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["b'1'"] * (2 if moment.startswith("used") else 1)


def test_a_blocking_call_behind_our_own_end_works_or_says_why(tmp_path: Path) -> None:
    # Registered before statebucket is imported, so that it runs after our own handler.
    first = "import atexit; atexit.register(lambda: late())\n"
    module, call = WAYS["blocking"]
    code = first + textwrap.dedent(AT_EXIT).format(module=module, call=call, when="late()")
    done = subprocess.run(
        [sys.executable, "-c", code, f"{tmp_path}/state.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() in (["b'1'", "b'1'"], ["b'1'", "UnsupportedOperation none"])

"""SQLite: several threads, forks, a changed directory, and the interpreter's end."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from statebucket import open_store
from support.at_exit import assert_works_at_exit

if TYPE_CHECKING:
    from pathlib import Path


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
    counts = {"a": 0, "b": 0}

    async def use(name: str) -> None:
        while not stop.is_set():
            count = str(counts[name]).encode()
            await store.set(name, count)
            assert await store.get(name) == count
            counts[name] += 1

    async def shut_down() -> None:
        times = 0
        while (times < 150 or min(counts.values()) < 10) and not stop.is_set():
            await store.shutdown()
            await asyncio.sleep(0)
            times += 1
        stop.set()

    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(asyncio.run, use(name)) for name in ("a", "b")]
        try:
            pool.submit(asyncio.run, shut_down()).result(60)
        finally:
            stop.set()
        for user in users:
            user.result()
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
def test_what_no_one_shuts_down_is_closed_at_exit(tmp_path: Path, code: str, said: str) -> None:
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


@pytest.mark.parametrize("warm", [False, True])
def test_calls_work_where_no_thread_is_started_at_exit(tmp_path: Path, *, warm: bool) -> None:
    assert_works_at_exit(f"sqlite:///{tmp_path}/state.db", warm=warm, threads=False)

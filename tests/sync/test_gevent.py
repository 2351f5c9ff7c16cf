"""The blocking store beside gevent: no greenlet may see its event loop."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

GREENLETS = """
    {first}
    from gevent import monkey
    monkey.patch_all({patched})
    import asyncio, sys
    import gevent
    from statebucket import errors
    from statebucket.sync import open_store

    def sees_a_loop():
        # As django.utils.asyncio.async_unsafe looks for one.
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def work(number):
        store.set(f"k{{number}}", str(number).encode())
        return store.get(f"k{{number}}"), sees_a_loop()

    store = open_store(sys.argv[1], deadline=60)
    try:
        workers = [gevent.spawn(work, number) for number in range(10)]
        gevent.joinall(workers, raise_error=True)
        assert [w.value for w in workers] == [(str(n).encode(), False) for n in range(10)]
        print("works")
    except errors.UnsupportedOperation as error:
        print(error.outcome, error)
    assert not gevent.spawn(sees_a_loop).get() and not sees_a_loop()
"""


def run(path: Path, patched: str, first: str) -> str:
    code = textwrap.dedent(GREENLETS).format(first=first, patched=patched)
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}/state.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", ["", "import statebucket.sync"], ids=["after", "before"])
def test_where_gevent_has_patched_threads_a_call_is_refused_with_what_to_do(
    tmp_path: Path, first: str
) -> None:
    said = run(tmp_path, "", first)
    assert said.startswith("none ")
    assert "patch_all(thread=False, queue=False, socket=False, select=False)" in said


def test_where_threads_are_left_as_they_are_no_greenlet_sees_a_loop(tmp_path: Path) -> None:
    assert run(tmp_path, "thread=False, queue=False, socket=False, select=False", "") == "works\n"

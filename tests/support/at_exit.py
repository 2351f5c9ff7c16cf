"""A store used while the interpreter shuts down."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE = """
import asyncio, atexit, sys, threading
from statebucket import open_store

def call(when):
    async def work():
        async with open_store(sys.argv[1]) as store:
            await store.set(when, b"v")
            print(when, await store.get(when))
    asyncio.run(work())

def start(_):
    raise RuntimeError("can't create new thread at interpreter shutdown")

def end():
    if sys.argv[3] == "no threads":
        threading.Thread.start = start  # as Python 3.12 and later have it by then

def outlive():
    threading.main_thread().join()
    end()
    call("thread")

if sys.argv[2] == "warm":
    call("main")
atexit.register(call, "atexit")
threading.Thread(target=outlive).start()
"""


def assert_works_at_exit(
    url: str, *, warm: bool, env: Mapping[str, str] | None = None, threads: bool = True
) -> None:
    """Uses a store from a thread that outlives the main one, and from an ``atexit`` handler.

    Args:
        url: The store's URL.
        warm: Whether the process also uses the store before that.
        env: Environment variables in addition to this process's.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-c", _CODE, url),
            "warm" if warm else "cold",
            "threads" if threads else "no threads",
        ],
        env=os.environ | dict(env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    before = ["main b'v'"] if warm else []
    assert done.stdout.splitlines() == [*before, "thread b'v'", "atexit b'v'"], done.stderr
    assert done.stderr == ""

"""A store works while the interpreter shuts down, also one that no one has used yet."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.at_exit import assert_works_at_exit
from support.targets.s3 import BUCKET

if TYPE_CHECKING:
    from support.servers import Server

# The name of a host is looked up in a thread, and by then threads take no more work.
SAVE = """
import asyncio, sys, threading
from statebucket import open_store

store = open_store(sys.argv[1])

async def save():
    async with store:
        await store.set("at-exit", b"v")
        print(await store.get("at-exit"))
"""
WAYS = {
    "an atexit handler": "import atexit; atexit.register(lambda: asyncio.run(save()))",
    "a thread that outlives main": """
def late():
    threading.main_thread().join()
    asyncio.run(save())

threading.Thread(target=late).start()
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_cold_store_saves_at_the_interpreters_exit(moto: Server, way: str) -> None:
    endpoint = moto.url.replace("127.0.0.1", "localhost")
    done = subprocess.run(
        [
            *(sys.executable, "-c", SAVE + WAYS[way]),
            f"s3://{BUCKET}/exit?endpoint_url={endpoint}&region=us-east-1&deadline=60",
        ],
        env=os.environ | moto.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stdout == "b'v'\n", done.stderr


@pytest.mark.parametrize("engine", ["sdk", "http"])
def test_a_warm_store_works_where_no_thread_is_started(moto: Server, engine: str) -> None:
    endpoint = moto.url.replace("127.0.0.1", "localhost")
    where = f"endpoint_url={endpoint}&region=us-east-1&deadline=60&engine={engine}"
    url = f"s3://{BUCKET}/exit-{engine}?{where}"
    assert_works_at_exit(url, warm=True, env=moto.environ, threads=False)

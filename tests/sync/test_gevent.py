"""The blocking store with gevent: no greenlet may see its event loop, or another's call."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.kinds import DelayReply
from support.fault_proxy.proxy import FaultProxy
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server

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

    store = open_store(sys.argv[1], deadline=60, **{options})
    try:
        workers = [gevent.spawn(work, number) for number in range(10)]
        gevent.joinall(workers, raise_error=True)
        assert [w.value for w in workers] == [(str(n).encode(), False) for n in range(10)]
        print("works")
        print(store.sweep())
    except errors.UnsupportedOperation as error:
        print(error.outcome, error)
    assert not gevent.spawn(sees_a_loop).get() and not sees_a_loop()
"""


def run(url: str, patched: str, first: str, **options: object) -> str:
    code = textwrap.dedent(GREENLETS).format(first=first, patched=patched, options=options)
    done = subprocess.run(
        [sys.executable, "-c", code, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", ["", "import statebucket.sync"], ids=["after", "before"])
def test_where_gevent_has_patched_threads_what_needs_a_loop_is_refused_with_what_to_do(
    tmp_path: Path, first: str
) -> None:
    works, refused = run(f"sqlite:///{tmp_path}/state.db", "", first).splitlines()
    assert works == "works"
    assert refused.startswith("none ")
    assert "patch_all(thread=False, queue=False, socket=False, select=False)" in refused


@pytest.mark.parametrize("first", ["", "import statebucket.sync"], ids=["after", "before"])
def test_greenlets_whose_requests_overlap_do_not_meet(moto: Server, first: str) -> None:
    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.always(DelayReply(0.2))
        said = run(S3Target(moto, raw_client(moto), proxy, "http").url, "", first)
        assert said.startswith("works\n")
        assert proxy.count() >= 20


def test_where_threads_are_left_as_they_are_no_greenlet_sees_a_loop(tmp_path: Path) -> None:
    kept = "thread=False, queue=False, socket=False, select=False"
    assert run(f"sqlite:///{tmp_path}/state.db", kept, "").startswith("works\nSweepReport(")

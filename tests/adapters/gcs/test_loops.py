"""Event loops, threads, processes and freezes: nothing is wrongly shared, or left open."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from adapters.http.peer import Connection, Peer, answer
from statebucket import open_store
from statebucket.errors import Unavailable
from support.dripping import FOUND, dripping
from support.fault_proxy.proxy import DelayReply, HoldReplyUntil
from support.targets.gcs_bucket import write
from support.targets.gcs_key import use_key

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy
    from support.targets.gcs_bucket import Around, Opened


@pytest.mark.asyncio
async def test_a_longer_deadline_than_the_stores_lasts_longer(engine: str) -> None:
    async with dripping(FOUND, 30) as url:
        endpoint = f"gs://some-bucket?anonymous=true&engine={engine}&endpoint_url={url}"
        async with open_store(endpoint, deadline=0.6) as store:
            assert await store.with_deadline(10).get("a") == b"x" * 30


@pytest.mark.asyncio
async def test_the_loop_goes_on_while_requests_are_under_way(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    # A third of the deadline without an answer would end a try.
    bucket = opened(proxy.url, around.bucket, deadline=60)
    await bucket.put(write("a"), None)
    proxy.always(DelayReply(3.0))
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - started)

    heart = asyncio.create_task(beat())
    await asyncio.gather(*(bucket.get("a") for _ in range(8)), bucket.put(write("b"), None))
    heart.cancel()
    assert longest < 2.5  # which a machine that is busy may take


@pytest.mark.asyncio
async def test_after_a_freeze_one_try_fails_and_the_next_has_a_new_connection(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=4.5)
    await bucket.put(write("a"), None)
    proxy.clear()
    proxy.always(HoldReplyUntil(lambda: proxy.count() >= 6))
    await asyncio.gather(*(bucket.get("a") for _ in range(6)))
    proxy.heal()
    assert proxy.freeze_idle() == 6
    proxy.clear()
    with pytest.raises(Unavailable):
        await bucket.get("a")
    assert await bucket.get("a") is not None  # though five more dead ones were in the pool
    assert [request.fault for request in proxy.requests] == ["frozen", ""]


@pytest.mark.asyncio
async def test_connections_that_the_server_has_closed_are_replaced_unseen(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    bucket = opened(proxy.url, around.bucket)
    await bucket.put(write("a"), None)
    assert proxy.close_idle() == 1
    assert await bucket.get("a") is not None


def test_three_loops_one_after_the_other(proxy: FaultProxy, around: Around, opened: Opened) -> None:
    bucket = opened(proxy.url, around.bucket)
    for number in range(3):
        asyncio.run(bucket.put(write("a", str(number).encode()), None))
        found = asyncio.run(bucket.get("a"))
        assert found is not None
        assert found.body == str(number).encode()
        asyncio.run(bucket.delete_many(["b", "c"]))
    assert {request.connection for request in proxy.requests} <= {1, 2}  # kept over loops


def test_two_threads_and_a_close_in_one_of_them(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    bucket = opened(proxy.url, around.bucket)
    failures: list[BaseException] = []

    async def work(name: str) -> None:
        for number in range(40):
            await bucket.put(write(name, str(number).encode()), None)
            found = await bucket.get(name)
            assert found is not None
            assert found.body == str(number).encode()
            if number % 10 == 9:
                await bucket.close()

    def run(name: str) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as error:  # noqa: BLE001  (shown below)
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert proxy.count() == 160


SCRIPT = """
import asyncio, os, sys, gc
from support.targets.gcs_bucket import opened, with_credentials, write

url, name, how, engine = sys.argv[1:]
options = {}
if how == "caller":
    from google.oauth2.credentials import Credentials
    options = with_credentials(Credentials("token"), url, engine)
bucket = opened(url, name, engine=engine, **options)

async def work(who):
    for number in range(20):
        await bucket.put(write(who, b"%s%d" % (who.encode(), number)), None)
        found = await bucket.get(who)
        assert found.body == b"%s%d" % (who.encode(), number), found

asyncio.run(work("before"))
if how == "warnings":
    asyncio.run(bucket.close())
    asyncio.run(work("again"))
    del bucket
    gc.collect()
    sys.exit()
child = os.fork()
asyncio.run(work("parent" if child else "child"))
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def script(proxy: FaultProxy, around: Around, how: str, engine: str) -> str:
    """Run the script in a process without threads of its own, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SCRIPT, proxy.url, around.bucket, how, engine],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("how", ["own", "caller"])
def test_a_forked_process_shares_no_connection(
    proxy: FaultProxy, around: Around, how: str, engine: str
) -> None:
    script(proxy, around, how, engine)
    used: dict[str, set[int]] = {}
    for request in proxy.requests:
        who = next(
            who
            for who in ("before", "parent", "child")
            if who in request.target + str(request.body)
        )
        used.setdefault(who, set()).add(request.connection)
    assert used["parent"] == used["before"]
    assert used["child"].isdisjoint(used["parent"])


def test_nothing_is_left_open(proxy: FaultProxy, around: Around, engine: str) -> None:
    printed = script(proxy, around, "warnings", engine)
    lines = [line for line in printed.splitlines() if "ResourceWarning" in line]
    assert lines == []


@pytest.mark.parametrize("renews", [False, True], ids=["first", "renewed"])
def test_a_token_that_another_threads_shutdown_overtakes_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, renews: bool
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    token = b'{"access_token":"t","expires_in":3600,"token_type":"Bearer"}'
    found = b'{"name":"shared/keys/k","generation":"1","size":"1"}'

    def give_token(connection: Connection) -> None:
        while True:
            connection.request()
            if len(tokens.requests) == (2 if renews else 1):
                asyncio.run(store.shutdown())
            connection.send(head % len(token) + token)

    def store_it(connection: Connection) -> None:
        if renews:
            connection.request()
            connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        answer(head % len(found) + found)(connection)

    gc.disable()  # or what no one refers to may be closed by chance
    try:
        with Peer(store_it) as storage, Peer(give_token) as tokens:
            use_key(monkeypatch, tmp_path, f"http://127.0.0.1:{tokens.port}/token")
            endpoint = f"http://127.0.0.1:{storage.port}"
            store = open_store(f"gs://some-bucket?endpoint_url={endpoint}")
            assert asyncio.run(store.exists("k"))
            assert storage.until(lambda: not storage.open)
            assert tokens.until(lambda: not tokens.open)
    finally:
        gc.enable()

"""Threads, event loops and processes: nothing hangs, starves or is shared that must not be."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped]

from statebucket import open_store
from statebucket.errors import Unavailable
from support.fault_proxy.proxy import BlackHole, DelayReply, on
from support.targets.gcs_bucket import opened, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.gcs_bucket import Around


async def given_up(call: Awaitable[object], after: float) -> None:
    """Wait for a call that does not answer, as the core does until its deadline."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after):
            await call


def held(bucket: GCSBucket) -> int:
    """How many threads are held by calls whose callers have gone."""
    count: int = bucket.sender.held_threads  # type: ignore[attr-defined]  # of the SDK's engine
    return count


async def until_free(bucket: GCSBucket, within: float) -> float:
    """Wait until no thread is held any more, and give the seconds that it took."""
    started = time.monotonic()
    while held(bucket):
        assert time.monotonic() - started < within
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.asyncio
async def test_a_hung_server_cannot_starve_the_calls_to_come(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=6.0, max_in_flight=8)
    await bucket.put(write("good"), None)
    proxy.always(BlackHole(when=on(contains="hung")))
    started = time.monotonic()
    await asyncio.gather(*(given_up(bucket.get(f"hung{n}"), 0.2) for n in range(8)))
    assert time.monotonic() - started < 1.8  # each caller has its answer by its deadline
    assert held(bucket) == 8

    found = await asyncio.gather(*(bucket.get("good") for _ in range(50)))
    assert None not in found
    assert held(bucket) == 8  # the others still hang
    await until_free(bucket, 4.0)  # the socket's own time-out, a third of the deadline


@pytest.mark.asyncio
async def test_threads_are_bounded_and_an_error_reports_their_end(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=3.0, max_in_flight=2)
    proxy.always(BlackHole(when=on(contains="hung")))
    await asyncio.gather(*(given_up(bucket.get(f"hung{n}"), 0.2) for n in range(4)))
    with pytest.raises(Unavailable, match="all 4 threads are busy") as caught:
        await bucket.put(write("a"), None)
    assert caught.value.outcome == "none"
    await until_free(bucket, 2.0)
    await bucket.put(write("a"), None)


@pytest.mark.asyncio
async def test_a_write_that_waits_for_a_thread_is_not_sent_once_its_caller_has_gone(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=1.5, max_in_flight=1)
    proxy.always(BlackHole(when=on(contains="hung")))
    await asyncio.gather(
        *(given_up(bucket.get(f"hung{n}"), 0.3) for n in range(2)),
        given_up(bucket.put(write("late"), None), 0.2),
    )
    assert held(bucket) == 2
    await until_free(bucket, 2.0)
    await bucket.get("absent")
    assert proxy.count("POST") == 0


@asynccontextmanager
async def dripping(head: bytes, size: int) -> AsyncIterator[str]:
    """A server whose answer comes byte for byte, some 20 a second."""
    over = False

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + f"Content-Length: {size}\r\n\r\n".encode())
        with suppress(ConnectionError):
            for _number in range(size):
                if over:
                    break
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over = True
        await asyncio.sleep(0.1)


FOUND = b"HTTP/1.1 200 OK\r\nx-goog-generation: 1\r\nx-goog-meta-writeid: 1\r\n"


@pytest.mark.parametrize("head", [FOUND, b"HTTP/1.1 404 Not Found\r\n"])
@pytest.mark.asyncio
async def test_an_answer_that_drips_in_ends_with_its_caller(head: bytes) -> None:
    async with dripping(head, 10_000) as url:
        bucket = opened(url, "some-bucket", deadline=30)
        await given_up(bucket.get("a"), 0.3)
        assert held(bucket) == 1
        await until_free(bucket, 0.5)


@pytest.mark.asyncio
async def test_a_longer_deadline_than_the_stores_lasts_longer() -> None:
    async with dripping(FOUND, 30) as url:
        endpoint = f"gs://some-bucket?anonymous=true&endpoint_url={url}"
        async with open_store(endpoint, deadline=0.6) as store:
            assert await store.with_deadline(10).get("a") == b"x" * 30


@pytest.mark.asyncio
async def test_the_loop_goes_on_while_requests_are_under_way(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket)
    await bucket.put(write("a"), None)
    proxy.always(DelayReply(0.8))
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
    assert longest < 0.4


@pytest.mark.asyncio
async def test_after_a_freeze_one_try_fails_and_the_next_has_a_new_connection(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=0.9)
    await bucket.put(write("a"), None)
    proxy.always(DelayReply(0.1))
    await asyncio.gather(*(bucket.get("a") for _ in range(6)))
    proxy.heal()
    assert proxy.freeze_idle() == 6
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await bucket.get("a")
    assert await bucket.get("a") is not None  # though five more dead ones were in the pool
    assert time.monotonic() - started < 0.6


@pytest.mark.asyncio
async def test_connections_that_the_server_has_closed_are_replaced_unseen(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket)
    await bucket.put(write("a"), None)
    assert proxy.close_idle() == 1
    assert await bucket.get("a") is not None


def test_three_loops_one_after_the_other(proxy: FaultProxy, around: Around) -> None:
    bucket = opened(proxy.url, around.bucket)
    for number in range(3):
        asyncio.run(bucket.put(write("a", str(number).encode()), None))
        found = asyncio.run(bucket.get("a"))
        assert found is not None
        assert found.body == str(number).encode()
        asyncio.run(bucket.delete_many(["b", "c"]))
    assert {request.connection for request in proxy.requests} <= {1, 2}  # kept over loops


def test_two_threads_and_a_close_in_one_of_them(proxy: FaultProxy, around: Around) -> None:
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


@pytest.mark.parametrize("hung", [False, True])
@pytest.mark.asyncio
async def test_a_client_of_the_callers_is_left_open(
    proxy: FaultProxy, around: Around, monkeypatch: pytest.MonkeyPatch, *, hung: bool
) -> None:
    client = Client(
        "p",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": proxy.url},
    )
    closed: list[str] = []
    monkeypatch.setattr(client, "close", lambda: closed.append("client"))
    monkeypatch.setattr(client._http, "close", lambda: closed.append("session"))
    bucket = opened("", around.bucket, client=client)
    await bucket.put(write("a"), None)
    if hung:
        proxy.plan(BlackHole())
        task = asyncio.create_task(bucket.get("a"))
        await asyncio.sleep(0.1)
        task.cancel()
    await bucket.close()
    assert closed == []
    assert client.bucket(around.bucket).blob("a").download_as_bytes(retry=None) == b"{}"


SCRIPT = """
import asyncio, os, sys, gc
from support.targets.gcs_bucket import opened, write

url, name, how = sys.argv[1:]
client = None
if how == "client":
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client
    client = Client("p", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
bucket = opened(url, name, **({} if client is None else {"client": client}))

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


def script(proxy: FaultProxy, around: Around, how: str) -> str:
    """Run the script in a process without threads of its own, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SCRIPT, proxy.url, around.bucket, how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("how", ["own", "client"])
def test_a_forked_process_shares_no_connection(proxy: FaultProxy, around: Around, how: str) -> None:
    script(proxy, around, how)
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


def test_nothing_is_left_open(proxy: FaultProxy, around: Around) -> None:
    printed = script(proxy, around, "warnings")
    lines = [line for line in printed.splitlines() if "ResourceWarning" in line]
    assert lines == []

"""Threads, event loops and processes: nothing hangs, starves or is wrongly shared."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client  # type: ignore[import-untyped]

from statebucket.errors import Unavailable
from support.dripping import FOUND, dripping
from support.fault_proxy.proxy import BlackHole, on
from support.patience import happened
from support.targets.gcs_bucket import opened, write

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.gcs_bucket import Around


async def given_up(call: Awaitable[object], after: float) -> None:
    """Wait for a call that does not answer, as the core does until its deadline."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after):
            await call


async def left(*calls: asyncio.Task[object]) -> None:
    """Cancel calls, as their deadlines would."""
    for call in calls:
        call.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


async def hung(bucket: GCSBucket, proxy: FaultProxy, count: int) -> list[asyncio.Task[object]]:
    """That many calls, each of which holds a thread by now."""
    calls = [asyncio.create_task(bucket.get(f"hung{n}")) for n in range(count)]
    await happened(lambda: proxy.count(contains="hung") == count)
    return [*calls]


def held(bucket: GCSBucket) -> int:
    """How many threads are held by calls whose callers have gone."""
    count: int = bucket.sender._current().threads.held  # type: ignore[attr-defined]  # of the SDK's engine
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
    bucket = opened(proxy.url, around.bucket, deadline=15.0, max_in_flight=8)
    await bucket.put(write("good"), None)
    proxy.always(BlackHole(when=on(contains="hung")))
    calls = await hung(bucket, proxy, 8)
    started = time.monotonic()
    await left(*calls)
    assert time.monotonic() - started < 4.5  # a caller that leaves is not held up
    assert held(bucket) == 8

    found = await asyncio.gather(*(bucket.get("good") for _ in range(50)))
    assert None not in found
    assert held(bucket) == 8  # the others still hang
    await until_free(bucket, 14.0)  # the socket's own time-out, a third of the deadline


@pytest.mark.asyncio
async def test_threads_are_bounded_and_an_error_reports_their_end(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=9.0, max_in_flight=2)
    proxy.always(BlackHole(when=on(contains="hung")))
    await left(*await hung(bucket, proxy, 4))
    with pytest.raises(Unavailable, match="all 4 threads are busy") as caught:
        await bucket.put(write("a"), None)
    assert caught.value.outcome == "none"
    await until_free(bucket, 8.0)
    await bucket.put(write("a"), None)


@pytest.mark.asyncio
async def test_a_write_that_waits_for_a_thread_is_not_sent_once_its_caller_has_gone(
    proxy: FaultProxy, around: Around
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=6.0, max_in_flight=1)
    proxy.always(BlackHole(when=on(contains="hung")))
    calls = await hung(bucket, proxy, 2)
    await given_up(bucket.put(write("late"), None), 0.1)
    await left(*calls)
    assert held(bucket) == 2
    await until_free(bucket, 5.0)
    await bucket.get("absent")
    assert proxy.count("POST") == 0


@pytest.mark.parametrize("head", [FOUND, b"HTTP/1.1 404 Not Found\r\n"])
@pytest.mark.asyncio
async def test_an_answer_that_drips_in_ends_with_its_caller(head: bytes) -> None:
    async with dripping(head, 10_000) as url:
        bucket = opened(url, "some-bucket", deadline=30)
        await given_up(bucket.get("a"), 0.3)
        await until_free(bucket, 8.0)  # not only when its 500 seconds are over


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
        proxy.clear()
        proxy.plan(BlackHole())
        task = asyncio.create_task(bucket.get("a"))
        await asyncio.to_thread(proxy.wait_for)
        task.cancel()
    await bucket.close()
    assert closed == []
    assert client.bucket(around.bucket).blob("a").download_as_bytes(retry=None) == b"{}"

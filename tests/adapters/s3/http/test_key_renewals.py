"""Keys are renewed before they expire, once for all callers, in the background."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from adapters.s3.http.sources import (
    SOURCES,
    Source,
    container,
    keys_of,
    of_container,
    opened,
)
from statebucket import errors
from statebucket.sync import open_store as open_blocking
from support.competing_processes import environ
from support.fault_proxy.proxy import Answer, BlackHole, Delay, Together, s3_error

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import Fault, FaultProxy


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["container", "web identity"])
async def test_a_key_is_renewed_beside_the_calls_and_once(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    source = SOURCES[name]
    source.environment(monkeypatch, service, tmp_path)
    due_at_once(monkeypatch)
    service.plan(source.granted("K1", 60))
    service.always(Together((Delay(0.3), source.granted("K2"))))
    async with opened(bucket) as store:
        await store.get("a")
        began = time.monotonic()
        while keys_of(bucket)[-1] == "K1":
            await asyncio.gather(*(store.get("a") for _ in range(4)))
            await asyncio.sleep(0.05)
            assert time.monotonic() - began < 60
    assert service.count() == 2


def due_at_once(patch: pytest.MonkeyPatch) -> None:
    """Has keys renewed as soon as they end within the quarter of an hour."""
    patch.setattr("statebucket_s3.http.credentials._SHARE", 1.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Answer(503), Answer(401), BlackHole()])
async def test_a_renewal_that_fails_or_hangs_is_no_error_while_the_key_lasts(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: Fault,
) -> None:
    container(monkeypatch, service, tmp_path)
    due_at_once(monkeypatch)
    service.plan(of_container("K1", 60))
    service.always(fault)
    async with opened(bucket) as store:
        await store.get("a")
        began = time.monotonic()
        while time.monotonic() - began < 1.5 or service.count() < 2:
            await asyncio.gather(*(store.get("a") for _ in range(4)))
            await asyncio.sleep(0.01)
    assert set(keys_of(bucket)) == {"K1"}
    assert 2 <= service.count() <= 2 + (time.monotonic() - began)


def test_all_loops_and_threads_share_one_load(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.always(Together((Delay(0.1), source.granted("K1"))))
    store = opened(bucket)
    blocking = open_blocking(f"s3://bucket/app?endpoint_url={bucket.url}&engine=http")

    async def several() -> None:
        await asyncio.gather(*(store.get(f"a{number}") for number in range(4)))

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(asyncio.run, several()) for _ in range(3)]
        for blocked in [pool.submit(blocking.get, "a") for _ in range(2)]:
            blocked.result(60)
        for call in calls:
            call.result(60)
    for _ in range(2):
        asyncio.run(several())
    assert keys_of(bucket) == ["K1"] * 22
    assert service.count() == 2 * source.requests  # of two stores
    blocking.shutdown()


FORKED_MEANWHILE = """
import os, sys, threading
from statebucket.sync import open_store
store = open_store(sys.argv[1], deadline=30)
threading.Thread(target=store.get, args=("a",), daemon=True).start()
sys.stdin.readline()
child = os.fork()
if not child:
    store.get("b")
    os._exit(0)
print(os.waitpid(child, 0)[1], flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_does_not_wait_for_its_parents_load(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container(monkeypatch, service, tmp_path)
    service.plan(BlackHole())
    service.always(of_container("K1"))
    url = f"s3://bucket/app?endpoint_url={bucket.url}&engine=http"
    command = [sys.executable, "-c", FORKED_MEANWHILE, url]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environ({}), text=True, **pipes) as process:
        service.wait_for()  # the parent's load hangs
        said, _ = process.communicate("\n", timeout=60)
    assert said == "0\n"
    assert "K1" in keys_of(bucket)


FORKED = """
import os, sys
from statebucket.sync import open_store
store = open_store(sys.argv[1])
store.get("a")
child = os.fork()
if not child:
    store.get("a")
    os._exit(0)
print(os.waitpid(child, 0)[1], "botocore" in sys.modules, "asyncio" in sys.modules)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_blocking_store_in_a_fork_imports_neither_botocore_nor_asyncio(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.always(source.granted("K1"))
    url = f"s3://bucket/app?endpoint_url={bucket.url}&engine=http"
    run = subprocess.run(
        [sys.executable, "-c", FORKED, url],
        env=environ({}),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "0 False False\n"
    assert keys_of(bucket) == ["K1"] * 2
    assert service.count() == source.requests


@pytest.mark.asyncio
async def test_a_key_that_s3_calls_expired_is_replaced_once(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.plan(*[source.granted("K1")] * source.requests)
    service.always(source.granted("K2"))
    bucket.plan(s3_error(400, "ExpiredToken"))
    async with opened(bucket) as store:
        assert await store.get("a") is None
        assert keys_of(bucket) == ["K1", "K2"]
        bucket.clear()
        bucket.plan(s3_error(400, "ExpiredToken"))
        with pytest.raises(errors.InvalidCredentials, match="ExpiredToken"):
            await store.get("a")
    assert keys_of(bucket) == ["K2"]  # not sent again with the same
    assert service.count() == 3 * source.requests


@pytest.mark.asyncio
async def test_a_key_that_s3_refuses_to_a_head_without_a_word_is_replaced(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.plan(*[source.granted("K1")] * source.requests)
    service.always(source.granted("K2"))
    refused = s3_error(400, "ExpiredToken")
    bucket.plan(refused, refused)
    async with opened(bucket).tenant("a") as store:
        assert not await store.exists("a")
        assert keys_of(bucket) == ["K1", "K1", "K2"]  # a HEAD, and a GET, whose reply says why
        bucket.clear()
        bucket.plan(refused, refused)
        with pytest.raises(errors.InvalidCredentials, match="ExpiredToken"):
            await store.exists("a")
    assert keys_of(bucket) == ["K2", "K2"]  # not sent again with the same
    assert service.count() == 3 * source.requests


@pytest.mark.asyncio
async def test_a_region_that_s3_names_to_a_head_asks_for_no_other_key(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.plan(*[source.granted("K1")] * source.requests)
    service.always(source.granted("K2"))
    bucket.plan(Answer(400, (("x-amz-bucket-region", "eu-north-1"),)))
    async with opened(bucket).tenant("a") as store:
        assert not await store.exists("a")
    assert keys_of(bucket) == ["K1", "K1"]
    assert service.count() == source.requests


@pytest.mark.asyncio
async def test_a_snapshot_last_seen_long_ago_is_saved_though_its_key_has_expired(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.plan(*[source.granted("K1")] * source.requests)
    service.always(source.granted("K2"))
    now = time.time()
    bucket.heal()
    bucket.always(Answer(200, (("ETag", '"e"'), ("Content-Length", "9"))))
    async with opened(bucket, clock=lambda: now).tenant("a") as store:
        await store.save_snapshot(store.snapshot("e"))
        now += 61
        bucket.clear()
        refused = s3_error(400, "ExpiredToken")
        bucket.plan(refused, refused, s3_error(404, "NoSuchKey"))
        await store.save_snapshot(store.snapshot("e"))
    assert [one.method for one in bucket.requests][:3] == ["HEAD", "GET", "GET"]
    assert keys_of(bucket)[:3] == ["K1", "K1", "K2"]


@pytest.mark.asyncio
async def test_how_long_a_key_is_extended_is_no_random_number_of_the_programs(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = SOURCES["instance"]
    source.environment(monkeypatch, service, tmp_path)
    service.always(source.granted("K1", -60))
    before = random.getstate()
    async with opened(bucket) as store:
        assert await store.get("a") is None
    assert random.getstate() == before  # a seed would have a whole fleet ask at one time


@pytest.mark.asyncio
async def test_a_refused_key_that_its_source_gives_again_is_not_sent_again(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = SOURCES["instance"]
    source.environment(monkeypatch, service, tmp_path)
    monkeypatch.setattr("statebucket.port.renewal._PAUSE", 600.0)
    service.always(source.granted("K1", -60))  # the instance's key is extended, to another end
    bucket.heal()
    bucket.always(s3_error(400, "ExpiredToken"))
    async with opened(bucket) as store:
        for calls in 1, 2, 3:
            with pytest.raises(errors.InvalidCredentials, match="ExpiredToken"):
                await store.get("a")
            assert keys_of(bucket) == ["K1"] * calls
    assert service.count() == 2 * source.requests

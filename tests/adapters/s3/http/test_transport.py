"""The engine's requests on the wire, and its handling of failed connections."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from base64 import b64encode
from binascii import crc32
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from statebucket import errors, open_store
from statebucket.port.bucket import Location, Write
from statebucket.port.url import StoreURL
from statebucket_s3 import open_bucket_over_http
from support.competing_processes import environ
from support.fault_proxy.proxy import (
    Answer,
    CorruptBody,
    CutBody,
    Delay,
    DripBody,
    DropReply,
    FaultProxy,
    HangBeforeReply,
    RewriteReply,
    Together,
    on,
)
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from pathlib import Path

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Recorded, Reply
    from support.servers import Server

REFUSED = "http://127.0.0.1:1"
AT_EXAMPLE = "s3://b/p?engine=http&endpoint_url=http://s3.example&insecure_endpoint=true"


WRITE = Write("statebucket/k", b"v", "text/plain", {}, None)


def once(url: str) -> Bucket:
    """The adapter itself, which tries once."""
    read = StoreURL(url)
    options = {name: value for name, value in read.parameters.items() if name != "engine"}
    return open_bucket_over_http(
        Location(read.scheme, read.host, read.path, options, 1.0, 4)
    ).bucket


def checksum(body: bytes) -> str:
    return b64encode(crc32(body).to_bytes(4, "big")).decode()


@pytest.mark.asyncio
async def test_over_plain_http_the_body_is_signed(target: S3Target, proxy: FaultProxy) -> None:
    async with target.open() as store:
        await store.set("k", b"value")
    (put,) = [request for request in proxy.requests if request.method == "PUT"]
    assert put.header("x-amz-content-sha256") == hashlib.sha256(put.body).hexdigest()
    assert put.header("x-amz-checksum-crc32") == checksum(put.body)
    assert put.header("expect") is None


@pytest.mark.asyncio
async def test_over_tls_a_checksum_stands_for_the_signature_and_trust_is_asked_for(
    moto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultProxy(moto.host, moto.port, tls="untrusted") as proxy:
        target = S3Target(moto, raw_client(moto), proxy, "http")
        with pytest.raises(errors.UntrustedCertificate, match="AWS_CA_BUNDLE") as told:
            await once(target.url).put(WRITE, None)
        assert told.value.outcome == "none"
        assert proxy.requests == []
        issuer = tmp_path / "ca.pem"
        issuer.write_bytes(proxy.ca_pem or b"")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(issuer))
        async with target.open() as store:
            await store.set("k", b"value")
            assert await store.get("k") == b"value"
        (put,) = [request for request in proxy.requests if request.method == "PUT"]
        assert put.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
        assert put.header("x-amz-checksum-crc32") == checksum(put.body)


@pytest.mark.asyncio
async def test_a_large_value_is_in_memory_once(moto: Server) -> None:
    target = S3Target(moto, raw_client(moto), None, "http")  # a proxy would be in this process
    value = b"0123456789abcdef" * 2**18  # 4 MiB
    async with target.open() as store:
        await store.set("k", value)
        assert await store.get("k") == value  # what is loaded once
        tracemalloc.start()
        try:
            found = await store.get("k")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == value
    assert peak < 1.5 * len(value)


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [CorruptBody(), CutBody(3), CutBody(3, reset=True)])
async def test_a_body_that_is_not_what_was_stored_is_read_again(
    target: S3Target, proxy: FaultProxy, fault: CorruptBody | CutBody
) -> None:
    async with target.open() as store:
        await store.set("k", b"a value that is long enough")
        proxy.plan(fault)
        assert await store.get("k") == b"a value that is long enough"
        assert proxy.count("GET") == 2
    gc.collect()  # CPython 3.12.1 crashed on what the lost connection's error had left


def unframed(reply: Reply, _: Recorded) -> Reply:
    """A body that ends with the connection, as behind an old proxy."""
    return replace(reply, framed=False)


def unchecked(reply: Reply, _: Recorded) -> Reply:
    kept = tuple(pair for pair in reply.headers if "checksum" not in pair[0].lower())
    return replace(reply, headers=kept)


@pytest.mark.asyncio
async def test_a_body_that_ends_with_the_connection_counts_if_its_checksum_does(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        await store.set("k", b"a value that is long enough")
        proxy.clear()
        proxy.plan(Together((RewriteReply(unframed), DripBody(0))))
        assert await store.get("k") == b"a value that is long enough"
        assert proxy.count("GET") == 1
        proxy.plan(Together((RewriteReply(unchecked), RewriteReply(unframed), CutBody(12))))
        assert await store.get("k") == b"a value that is long enough"
        assert proxy.count("GET") == 3


@pytest.mark.asyncio
async def test_nothing_is_sent_twice_unseen(target: S3Target, proxy: FaultProxy) -> None:
    async with target.open() as store:
        await store.set("warm", b"v")
        proxy.clear()
        before = store.stats().retries
        proxy.plan(DropReply())
        await store.set("k", b"v")
        assert proxy.count("PUT") == 2
        assert store.stats().retries == before + 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(target: S3Target, proxy: FaultProxy, status: int) -> None:
    async with target.open() as store:
        with FaultProxy("127.0.0.1", 1) as other:
            proxy.always(Answer(status, (("Location", f"{other.url}/there"),)))
            with pytest.raises(errors.RequestRejected):
                await store.get("k")
            assert other.requests == []


@pytest.mark.asyncio
async def test_the_region_that_the_service_tells_is_signed_for(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        proxy.plan(Answer(301, (("x-amz-bucket-region", "eu-north-1"),)))
        assert await store.get("k") is None
        assert await store.get("k") is None
    scopes = [str(request.header("authorization")).split("/")[2] for request in proxy.requests]
    assert scopes == ["us-east-1", "eu-north-1", "eu-north-1"]


@pytest.mark.asyncio
async def test_calls_beside_the_one_that_learns_the_region_learn_it_too(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        elsewhere = on(test=lambda request: "/us-east-1/" in str(request.header("authorization")))
        told = Answer(301, (("x-amz-bucket-region", "eu-north-1"),))
        proxy.always(Together((Delay(0.1), told), when=elsewhere))  # late, so that all have asked
        assert await asyncio.gather(*map(store.get, "abc")) == [None] * 3


@pytest.mark.asyncio
async def test_only_a_lost_connection_leaves_open_what_was_written(
    target: S3Target, proxy: FaultProxy
) -> None:
    with pytest.raises(errors.Unavailable, match="cannot be reached") as told:
        await once(f"s3://b/p?region=us-east-1&endpoint_url={REFUSED}").put(WRITE, None)
    assert told.value.outcome == "none"
    bucket = once(target.url)
    for fault in (DropReply(), DropReply(reset=True), HangBeforeReply()):
        proxy.plan(fault)
        with pytest.raises(errors.Unavailable, match="was lost") as told:
            await bucket.put(WRITE, None)
        assert told.value.outcome == "unknown"


@pytest.mark.asyncio
async def test_a_cancelled_call_does_not_keep_its_connection_for_long(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open(deadline=120) as store:  # a try would end by itself after 40 seconds
        proxy.always(HangBeforeReply())
        call = asyncio.create_task(store.set("k", b"v"))
        await asyncio.to_thread(proxy.wait_for)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await closed(proxy)


async def closed(proxy: FaultProxy) -> bool:
    """Whether no connection is open, at the latest in twenty seconds."""
    for _ in range(2000):
        if not proxy.connections:
            return True
        await asyncio.sleep(0.01)
    return False


def drain(listener: socket.socket, seconds: float) -> None:
    """Take one request of 1 MiB, steadily, in that time, and answer it as done."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb", buffering=16384) as sent:
        while sent.readline() != b"\r\n":
            pass
        for _ in range(16):  # few: on a busy machine each takes some time more
            time.sleep(seconds / 16)
            sent.read(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 0\r\n\r\n')
        connection.recv(1)


@pytest.mark.asyncio
async def test_an_upload_that_moves_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drain, args=(listener, 4.0), daemon=True)
        thread.start()
        url = f"s3://b/p?engine=http&endpoint_url=http://127.0.0.1:{listener.getsockname()[1]}"
        store = open_store(url, region="x", deadline=9)  # limit 3 s
        await store.set("k", b"x" * 2**20)
        assert store.stats().requests == 1
        await store.shutdown()
        thread.join(60)


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches what was sent")
async def test_an_upload_that_does_not_move_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        url = f"s3://b/p?engine=http&endpoint_url=http://127.0.0.1:{listener.getsockname()[1]}"
        store = open_store(url, region="x", deadline=3)
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)) as told:
            await store.set("k", bytes(8 * 2**20))  # no one reads it
        assert told.value.outcome == "unknown"
        assert store.stats().requests > 1


@pytest.mark.asyncio
async def test_shutdown_closes_what_is_idle(target: S3Target, proxy: FaultProxy) -> None:
    store = target.open()
    await store.set("k", b"v")
    assert proxy.connections == 1
    await store.shutdown()
    assert await closed(proxy)


def asked_of(listener: socket.socket, lines: list[str]) -> None:
    """Take the first line of what is asked, and answer that there is no such object."""
    connection, _ = listener.accept()
    with connection:
        lines.append(connection.recv(65536).decode().partition("\r\n")[0])
        body = b"<Error><Code>NoSuchKey</Code></Error>"
        connection.sendall(b"HTTP/1.1 404 -\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.asyncio
async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "elsewhere.example")
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=asked_of, args=(listener, lines), daemon=True)
        thread.start()
        store = open_store(
            "s3://b/p?engine=http&insecure_endpoint=true&endpoint_url=http://s3.example", region="x"
        )
        assert await store.get("k") is None
        thread.join(60)
    assert lines == ["GET http://s3.example/b/p/shared/keys/k HTTP/1.1"]
    monkeypatch.setenv("no_proxy", "s3.example")
    store = open_store(
        "s3://b/p?engine=http&insecure_endpoint=true&endpoint_url=http://s3.example",
        region="x",
        deadline=0.5,
    )
    with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
        await store.get("k")


@pytest.mark.asyncio
@pytest.mark.parametrize("proxy_url", ["http://u:hunter2@[bad", "::::"])
async def test_a_proxy_that_is_no_url_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, proxy_url: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    store = open_store(
        "s3://b/p?engine=http&insecure_endpoint=true&endpoint_url=http://s3.example", region="x"
    )
    with pytest.raises(errors.InvalidArgument, match="proxy") as told:
        await store.get("k")
    assert "hunter2" not in str(told.value)


LOAD = """
    import asyncio, sys
    from statebucket import open_store

    async def main():
        store = open_store(sys.argv[1])
        await asyncio.gather(*(store.get("k") for _ in range(8)))

    asyncio.run(main())
    slow = {"botocore", "boto3", "aiobotocore", "aiohttp", "http.client", "email",
            "urllib.request", "concurrent.futures.thread", "xml.etree", "configparser"}
    print(sorted(slow & set(sys.modules)))
"""


def test_no_sdk_is_loaded_and_the_process_ends_in_peace(target: S3Target, moto: Server) -> None:
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-W", "always::ResourceWarning", "-c", dedent(LOAD), target.url],
            env=environ(moto.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_sends_on_connections_of_its_own(target: S3Target, moto: Server) -> None:
    code = f"""
import os
from statebucket.sync import open_store
store = open_store({target.url!r})
before = os.fork()
if not before:
    store.set("k", b"v")  # nothing had been sent
    os._exit(0)
assert os.waitpid(before, 0)[1] == 0
assert store.get("k") == b"v"
child = os.fork()
if not child:
    assert store.get("k") == b"v"
    store.set("k", b"child")
    raise SystemExit(0)  # as a worker that a server has forked ends
assert os.waitpid(child, 0)[1] == 0
assert store.get("k") == b"child"
store.set("k", b"v")
assert store.get("k") == b"v"
print("done")
"""
    # From 3.12 on Python warns of each fork of a process with threads.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env=environ(moto.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")

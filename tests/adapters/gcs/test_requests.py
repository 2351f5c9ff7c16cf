"""Requests on the wire: how many, where they go, and what they contain."""

from __future__ import annotations

import base64
import gzip
import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import google_crc32c
import pytest
from google.oauth2.credentials import Credentials

from statebucket.contract.versions import Version
from statebucket.errors import Unavailable
from statebucket_gcs import wire
from support.fault_proxy.proxy import Answer, CorruptBody, CutBody, RewriteReply, on
from support.targets.gcs_bucket import with_credentials, write

if TYPE_CHECKING:
    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import FaultProxy, Recorded, Reply
    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio

# The table of requests in core/README.md is this one.
REQUESTS: dict[str, tuple[Any, int]] = {
    "put": (lambda b: b.put(write("new"), None), 1),
    "put, conditional": (lambda b: b.put(write("new"), Version.ABSENT), 1),
    "put, 20 MiB": (lambda b: b.put(write("new", bytes(20 << 20)), Version.ABSENT), 1),
    "get": (lambda b: b.get("a"), 1),
    "get, absent": (lambda b: b.get("absent"), 1),
    "head": (lambda b: b.head("a"), 1),
    "delete": (lambda b: b.delete("a"), 1),
    "delete, conditional": (lambda b: b.delete("absent", Version("1")), 1),
    "delete_many of 7": (lambda b: b.delete_many([f"x{n}" for n in range(7)]), 1),
    "list": (lambda b: b.list("", after=None, limit=1000), 1),
    "list_prefixes": (lambda b: b.list_prefixes("", after=None, limit=1000), 1),
    "check": (lambda b: b.check(""), 1),
}


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that names were looked up for."""
    hosts: list[str] = []
    look_up = socket.getaddrinfo

    def watch(host: str, *rest: Any, **more: Any) -> Any:
        hosts.append(host if isinstance(host, str) else bytes(host).decode())
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watch)
    return hosts


@pytest.mark.parametrize("call", REQUESTS)
async def test_requests_per_call(
    proxy: FaultProxy, around: Around, dialled: list[str], call: str, opened: Opened
) -> None:
    await opened(proxy.url, around.bucket).put(write("a"), None)
    proxy.clear()
    run, expected = REQUESTS[call]
    # A new client: nothing is asked at the start. On a busy machine 20 MiB stand still for seconds.
    await run(opened(proxy.url, around.bucket, deadline=60))
    assert proxy.count() == expected
    for request in proxy.requests:
        names = f"/{around.bucket}"  # a batch has them in its body
        assert names in request.target or names.encode() in request.body
    assert set(dialled) == {"127.0.0.1"}


@pytest.mark.parametrize("how", ["http://", "", "own"])
async def test_other_ways_to_a_server_cost_no_request_more(
    proxy: FaultProxy,
    around: Around,
    dialled: list[str],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    engine: str,
    opened: Opened,
) -> None:
    if how == "own":
        credentials = Credentials("token")  # type: ignore[no-untyped-call]
        own = with_credentials(credentials, proxy.url, engine)
        bucket = opened("", around.bucket, **own)
    else:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url.replace("http://", how))
        bucket = opened("", around.bucket, endpoint_url=None, anonymous=False)
    version = await bucket.put(write("a"), None)
    found = await bucket.get("a")
    assert found is not None
    assert found.info.version == version
    await bucket.close()
    assert proxy.count() == 2
    assert set(dialled) == {"127.0.0.1"}


async def test_a_closed_bucket_opens_again(bucket: GCSBucket, proxy: FaultProxy) -> None:
    await bucket.put(write("a"), None)
    await bucket.close()
    await bucket.close()
    assert await bucket.get("a") is not None
    assert proxy.count() == 2


async def test_a_connection_is_kept(bucket: GCSBucket, proxy: FaultProxy) -> None:
    for _ in range(5):
        await bucket.put(write("a"), None)
        await bucket.get("a")
        await bucket.list("", after=None, limit=10)
    assert len({request.connection for request in proxy.requests}) == 1


async def test_the_checksum_of_what_is_written_goes_with_it(
    bucket: GCSBucket,
    proxy: FaultProxy,
    around_emulator: Around,
    monkeypatch: pytest.MonkeyPatch,
    opened: Opened,
) -> None:
    await bucket.put(write("a", b"123456789"), None)
    sent = proxy.requests[0].body
    assert json.loads(sent.split(b"\r\n")[3])["crc32c"] == "4waSgw=="  # the polynomial's check
    assert google_crc32c.value(b"123456789") == 0xE3069283
    # gcp-storage-emulator compares it, as Cloud Storage does.
    monkeypatch.setattr(wire, "field_of", lambda _: {"crc32c": "AAAAAA=="})
    with pytest.raises(Unavailable, match="doesn't match calculated") as caught:
        await opened(around_emulator.url, around_emulator.bucket).put(write("a"), None)
    assert caught.value.outcome == "none"


@pytest.mark.parametrize("size", [2, 100_000])
@pytest.mark.parametrize("fault", [CorruptBody(at=0), CorruptBody(at=-1), CutBody(after_bytes=1)])
async def test_a_body_that_is_cut_or_altered_is_never_returned(
    bucket: GCSBucket,
    proxy: FaultProxy,
    size: int,
    fault: Any,
) -> None:
    await bucket.put(write("a", b"x" * size), None)
    proxy.plan(fault)
    with pytest.raises(Unavailable) as caught:
        await bucket.get("a")
    assert caught.value.outcome == "none"
    assert await bucket.get("a") is not None


async def test_a_body_with_a_wrong_length_is_never_returned(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    await bucket.put(write("a", b"abc"), None)

    def shorten(reply: Reply, _request: Recorded) -> Reply:
        headers = (*reply.headers, ("x-goog-stored-content-length", "3"))
        kept = tuple(pair for pair in headers if pair[0].lower() != "x-goog-hash")
        return type(reply)(reply.status, kept, b"ab")

    proxy.plan(RewriteReply(shorten))
    with pytest.raises(Unavailable, match="truncated: 2 of 3 bytes"):
        await bucket.get("a")


async def test_an_object_that_is_stored_as_gzip_reads_as_the_service_unpacks_it(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    packed = gzip.compress(b"{}")
    crc32c = base64.b64encode(google_crc32c.value(packed).to_bytes(4)).decode()
    proxy.plan(
        Answer(
            200,
            (
                ("x-goog-generation", "5"),
                ("x-goog-stored-content-encoding", "gzip"),
                ("x-goog-stored-content-length", str(len(packed))),
                ("x-goog-hash", f"crc32c={crc32c}"),
                ("x-goog-hash", "md5=xxx"),
                ("X-Goog-Meta-ExpiresAt", "17"),
            ),
            b"{}",
        )
    )
    found = await bucket.get("a")
    assert found is not None
    assert found.body == b"{}"
    assert found.info.metadata == {"expiresat": "17"}
    assert proxy.requests[0].header("Accept-Encoding") == "identity"


@pytest.mark.parametrize("engine", ["sdk"])  # the other asks for none
async def test_listings_may_come_packed(bucket: GCSBucket, proxy: FaultProxy) -> None:
    page = gzip.compress(
        b'{"kind":"storage#objects","items":[{"name":"a","generation":"7","size":"2"}]}'
    )
    proxy.plan(Answer(200, (("Content-Encoding", "gzip"),), page))
    (info,) = (await bucket.list("", after=None, limit=10)).objects
    assert (info.name, info.version, info.size) == ("a", Version("7"), 2)
    assert proxy.requests[0].header("Accept-Encoding") == "gzip"
    assert "gzip" in (proxy.requests[0].header("User-Agent") or "")


async def test_a_replaced_object_is_not_read_half_and_half(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    """Without the XML API a read is two requests, and a write may come in between."""
    bucket = opened(proxy.url, around.bucket)
    await bucket.put(write("a", b"1"), None)
    proxy.always(Answer(404), times=1)  # as a server without the XML API
    await bucket.get("a")
    proxy.clear()
    found = await bucket.get("a")
    assert found is not None
    assert proxy.count() == 2
    stale = proxy.requests[0].target
    assert "fields" in stale
    proxy.plan(CorruptBody(when=on("GET", "alt=media")))
    with pytest.raises(Unavailable, match="CRC32C"):
        await bucket.get("a")
    described = around.resource("a")
    await bucket.put(write("a", b"2"), None)
    proxy.plan(Answer(200, body=json.dumps(described).encode(), when=on("GET", "fields")))
    with pytest.raises(Unavailable, match="replaced between"):
        await bucket.get("a")


async def test_a_stored_length_that_is_not_a_number_is_refused(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    def rewrite(reply: Reply, _: Recorded) -> Reply:
        kept = [pair for pair in reply.headers if pair[0].lower() != "x-goog-stored-content-length"]
        return replace(reply, headers=(*kept, ("x-goog-stored-content-length", "abc")))

    await bucket.put(write("a", b"1"), None)
    proxy.plan(RewriteReply(rewrite))
    with pytest.raises(Unavailable, match="x-goog-stored-content-length"):
        await bucket.get("a")

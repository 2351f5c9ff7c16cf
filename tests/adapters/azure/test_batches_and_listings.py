"""Batch deletes and listings."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.azure.test_port import write
from statebucket.contract.versions import Version
from statebucket.errors import AccessDenied, Throttled, Unavailable
from statebucket.port.bucket import ObjectInfo, PrefixPage
from support.fault_proxy.proxy import RewriteReply, azure_error, on
from support.targets.azure import opened

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy, Recorded, Reply
    from support.servers import Server

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("engine")]


@pytest.mark.parametrize("count", [0, 1, 100, 255, 256])
async def test_delete_many(
    azurite: Server, raw: ContainerClient, proxy: FaultProxy, count: int
) -> None:
    # On a busy machine Azurite has not accepted a connection for 3 s, a third of ten.
    bucket = opened(azurite.via(proxy.url), raw.container_name, deadline=100)
    names = [f"keys/~{number:02X}" for number in range(count)]
    await asyncio.gather(*(bucket.put(write(name), None) for name in names[::2]))
    await bucket.put(write("keys/other"), None)
    proxy.clear()
    done = await bucket.delete_many(names)
    assert [entry.name for entry in done] == names
    assert [entry.existed for entry in done] == [index % 2 == 0 for index in range(count)]
    assert all(entry.error is None for entry in done)
    assert proxy.count() == (1 if names else 0)
    assert list(raw.list_blob_names()) == ["keys/other"]
    await bucket.close()


async def test_delete_many_reports_each_failure(bucket: Bucket, proxy: FaultProxy) -> None:
    def fail(reply: Reply, _: Recorded) -> Reply:
        start, *parts = reply.body.split(b"HTTP/1.1 202 Accepted\r\n")
        assert len(parts) == 3
        lines = [
            b"503 Server Busy\r\nx-ms-error-code: ServerBusy\r\nRetry-After: 2",
            b"403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch",
            b"202 Accepted",
        ]
        answers = [b"HTTP/1.1 %s\r\n%s" % pair for pair in zip(lines, parts, strict=True)]
        return replace(reply, body=start + b"".join(answers))

    for name in "abc":
        await bucket.put(write(name), None)
    proxy.plan(RewriteReply(fail, when=on("POST")))
    busy, forbidden, gone = await bucket.delete_many(["a", "b", "c"])
    assert isinstance(busy.error, Throttled)
    assert (busy.error.retry_after, busy.error.outcome, busy.existed) == (2.0, "none", None)
    assert isinstance(forbidden.error, AccessDenied)
    assert (gone.existed, gone.error) == (True, None)


@pytest.mark.parametrize("lost", [False, True])
async def test_answers_of_a_batch_belong_to_what_they_name(
    bucket: Bucket, proxy: FaultProxy, *, lost: bool
) -> None:
    def turn(reply: Reply, _: Recorded) -> Reply:
        bound = reply.body.split(b"\r\n", 1)[0]
        start, *parts, end = reply.body.split(bound)
        assert len(parts) == 3
        parts[1] = parts[1].replace(b"202 Accepted", b"503 Busy\r\nx-ms-error-code: ServerBusy")
        first = [] if lost else [parts[0]]
        return replace(reply, body=bound.join([start, parts[1], parts[2], *first, end]))

    for name in "abc":
        await bucket.put(write(name), None)
    proxy.plan(RewriteReply(turn, when=on("POST")))
    first, busy, last = await bucket.delete_many(["a", "b", "c"])
    assert isinstance(busy.error, Throttled)
    assert (last.existed, last.error) == (True, None)
    if lost:
        assert isinstance(first.error, Unavailable)
        assert (first.error.outcome, first.existed) == ("unknown", None)
    else:
        assert (first.existed, first.error) == (True, None)


async def test_a_batch_that_fails_whole(bucket: Bucket, proxy: FaultProxy) -> None:
    proxy.plan(azure_error(503, "ServerBusy", retry_after=1))
    with pytest.raises(Throttled) as caught:
        await bucket.delete_many(["a"])
    assert caught.value.retry_after == 1.0


async def test_listing_by_pages(bucket: Bucket, proxy: FaultProxy) -> None:
    names = [f"p/{number:03}" for number in range(7)]
    for name in [*names, "q/other"]:
        await bucket.put(write(name), None)
    proxy.clear()
    found, after, pages = [], None, 0
    while True:
        page = await bucket.list("p/", after=after, limit=3)
        found += [info.name for info in page.objects]
        after, pages = page.following, pages + 1
        if after is None:
            break
    assert (found, pages) == (names, 3)
    sent = [parse_qs(urlsplit(request.target).query) for request in proxy.requests]
    assert [query["maxresults"] for query in sent] == [["3"]] * 3
    assert [query["include"] for query in sent] == [["metadata"]] * 3


async def test_listing_while_deleting(bucket: Bucket) -> None:
    names = [f"p/{number:03}" for number in range(20)]
    for name in names:
        await bucket.put(write(name), None)
    found, after = [], None
    while True:
        page = await bucket.list("p/", after=after, limit=6)
        found += [info.name for info in page.objects]
        await bucket.delete_many([info.name for info in page.objects])
        after = page.following
        if after is None:
            break
    assert found == names


async def test_an_empty_page_with_a_token(bucket: Bucket, proxy: FaultProxy) -> None:
    def empty(reply: Reply, _: Recorded) -> Reply:
        head, rest = reply.body.split(b"<Blobs>")
        rest = rest.partition(b"</Blobs>")[2].replace(b"<NextMarker/>", b"")
        body = head + b"<Blobs/><NextMarker>m!1</NextMarker>" + rest
        return replace(reply, body=body)

    await bucket.put(write("a"), None)
    proxy.plan(RewriteReply(empty))
    page = await bucket.list("", after=None, limit=5)
    assert (page.objects, page.following) == ([], "m!1")


async def test_directories_and_encoded_names_in_a_listing(
    bucket: Bucket, proxy: FaultProxy
) -> None:
    folder = (
        b"<Blob><Name>a/dir</Name><Properties><Etag>0x1</Etag><Content-Length>0</Content-Length>"
        b"</Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>"
        b'<Blob><Name Encoded="true">a/%EF%BF%BF</Name><Properties><Etag>0x2</Etag>'
        b"<Content-Length>3</Content-Length></Properties><Metadata/></Blob>"
    )

    def add(reply: Reply, _: Recorded) -> Reply:
        body = reply.body.replace(b"<Blobs>", b"<Blobs>" + folder)
        return replace(reply, body=body)

    await bucket.put(write("a"), None)
    proxy.plan(RewriteReply(add))
    objects = (await bucket.list("", after=None, limit=5)).objects
    assert objects[0] == ObjectInfo("a/\uffff", Version('"0x2"'), 3, {})
    assert [info.name for info in objects[1:]] == ["a"]


async def test_listing_prefixes(bucket: Bucket) -> None:
    for name in ("t/a/1", "t/a/2", "t/b~20/1", "t/c/1", "t/d", "u/x"):
        await bucket.put(write(name), None)
    assert await bucket.list_prefixes("t/", after=None, limit=1000) == PrefixPage(
        ["t/a/", "t/b~20/", "t/c/"], None
    )
    found, after = [], None
    while True:
        page = await bucket.list_prefixes("t/", after=after, limit=1)
        assert len(page.prefixes) <= 1
        found += page.prefixes
        after = page.following
        if after is None:
            break
    assert found == ["t/a/", "t/b~20/", "t/c/"]

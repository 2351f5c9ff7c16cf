"""Replies are compared with requests: one about another blob or page is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import requires
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from adapters.azure.test_port import write
from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, open_store
from statebucket.errors import Unavailable
from support.fault_proxy.proxy import (
    Answer,
    DripBody,
    Reply,
    RewriteReply,
    Together,
    replace_header,
)
from support.targets.azure import credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault, FaultProxy, Recorded
    from support.servers import Server

ETAG = ("ETag", '"0x1"')
SNAPSHOT = ExecutionSnapshot(
    execution_id=ExecutionId("e1"),
    tenant_id=TenantId("acme"),
    state=ExecutionState.RUNNING,
    sequence_number=1,
)


def rewritten(old: bytes, new: bytes) -> Fault:
    """The server's reply, with something else in its body."""
    return RewriteReply(lambda reply, _: replace(reply, body=reply.body.replace(old, new)))


def of_another_request(reply: Reply, _: Recorded) -> Reply:
    return replace(reply, headers=replace_header(reply.headers, "x-ms-client-request-id", "other"))


def of_another_container(reply: Reply, request: Recorded) -> Reply:
    container = request.target.partition("?")[0].rpartition("/")[2].encode()
    return replace(reply, body=reply.body.replace(container, b"other"))


def without_size(reply: Reply, _: Recorded) -> Reply:
    return replace(reply, headers=(ETAG, ("Transfer-Encoding", "chunked")))


def without_an_end(reply: Reply, _: Recorded) -> Reply:
    """A body that ends with the connection, as behind an old proxy, and no checksum of it."""
    return replace(reply, headers=(ETAG,), framed=False)


# A call, a reply that is not its own, and what is known of a write after it.
OTHERS: dict[str, tuple[Callable[[Bucket], Any], Fault, str]] = {
    "put, another request": (
        lambda b: b.put(write("a"), None),
        RewriteReply(of_another_request),
        "unknown",
    ),
    "get, another request": (lambda b: b.get("a"), RewriteReply(of_another_request), "none"),
    "head, another request": (lambda b: b.head("a"), RewriteReply(of_another_request), "none"),
    "delete, another request": (
        lambda b: b.delete("a"),
        RewriteReply(of_another_request),
        "unknown",
    ),
    "get, a part": (lambda b: b.get("a"), Answer(206, (ETAG,), b"v"), "none"),
    "list, another prefix": (
        lambda b: b.list("a", after=None, limit=9),
        rewritten(b"<Prefix>a</Prefix>", b"<Prefix>b</Prefix>"),
        "none",
    ),
    "list, another container": (
        lambda b: b.list("a", after=None, limit=9),
        RewriteReply(of_another_container),
        "none",
    ),
    "prefixes, another prefix": (
        lambda b: b.list_prefixes("a", after=None, limit=9),
        rewritten(b"<Prefix>a</Prefix>", b"<Prefix>b</Prefix>"),
        "none",
    ),
    "list, a document without blobs": (
        lambda b: b.list("a", after=None, limit=9),
        Answer(200, (), b"<EnumerationResults/>"),
        "none",
    ),
    "prefixes, a document without blobs": (
        lambda b: b.list_prefixes("a", after=None, limit=9),
        Answer(200, (), b"<EnumerationResults/>"),
        "none",
    ),
    "put, a body that cannot be unpacked": (
        lambda b: b.put(write("a"), None),
        Answer(201, (ETAG, ("Content-Encoding", "gzip")), b"not gzip"),
        "unknown",
    ),
    "get, a body that cannot be unpacked": (
        lambda b: b.get("a"),
        Answer(200, (ETAG, ("Content-Encoding", "gzip")), b"not gzip"),
        "none",
    ),
    "list, a next-page token that repeats": (
        lambda b: b.list("a", after="t", limit=9),
        rewritten(b"<NextMarker/>", b"<NextMarker>t</NextMarker>"),
        "none",
    ),
    "prefixes, a next-page token that repeats": (
        lambda b: b.list_prefixes("a", after="t", limit=9),
        rewritten(b"<NextMarker/>", b"<NextMarker>t</NextMarker>"),
        "none",
    ),
    "list, a page that does not say whether more follows": (
        lambda b: b.list("a", after=None, limit=9),
        rewritten(b"<NextMarker/>", b""),
        "none",
    ),
    "prefixes that do not say whether more follow": (
        lambda b: b.list_prefixes("a", after=None, limit=9),
        rewritten(b"<NextMarker/>", b""),
        "none",
    ),
    "head, no size": (lambda b: b.head("a"), RewriteReply(without_size), "none"),
    "get, a body that ends with the connection": (
        lambda b: b.get("a"),
        Together((RewriteReply(without_an_end), DripBody(0))),
        "none",
    ),
    "batch, a part twice": (
        lambda b: b.delete_many(["a", "b"]),
        rewritten(b"Content-ID: 1", b"Content-ID: 0"),
        "unknown",
    ),
    "batch, a part of another": (
        lambda b: b.delete_many(["a", "b"]),
        rewritten(b"Content-ID: 1", b"Content-ID: 7"),
        "unknown",
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize(("call", "reply", "outcome"), OTHERS.values(), ids=OTHERS)
async def test_a_reply_to_something_else_is_not_taken(
    bucket: Bucket,
    proxy: FaultProxy,
    call: Callable[[Bucket], Any],
    reply: Fault,
    outcome: str,
) -> None:
    await bucket.put(write("a"), None)
    proxy.always(reply)
    with pytest.raises(Unavailable) as caught:
        await call(bucket)
    assert caught.value.outcome == outcome


def with_two_servers(reply: Reply, _: Recorded) -> Reply:
    return replace(reply, headers=(*reply.headers, ("Server", "one"), ("Server", "two")))


@pytest.mark.asyncio
@pytest.mark.usefixtures("engine")
async def test_two_server_headers_in_a_reply(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    proxy.always(RewriteReply(with_two_servers))
    url = f"az://{raw.container_name}?endpoint_url={azurite.via(proxy.url).account_url}"
    async with open_store(url, credential=credential(azurite)) as store:
        acme = store.tenant("acme")
        await acme.save_snapshot(SNAPSHOT)
        assert await store.list_snapshots(TenantId("acme"), 10) == ["e1"]
        await store.health_check()
        await store.delete_tenant(TenantId("acme"))
        assert await store.list_snapshots(TenantId("acme"), 10) == []


def test_the_release_of_aiohttp_that_refuses_them_is_excluded() -> None:
    (found,) = (
        requirement
        for requirement in map(Requirement, requires("statebucket") or [])
        if requirement.name == "aiohttp" and 'extra == "azure"' in str(requirement.marker)
    )
    assert "3.13.4" not in found.specifier
    assert "3.13.5" in found.specifier


STRICT = """
import asyncio, sys
from statebucket import errors, open_store

async def main():
    async with open_store(sys.argv[1], deadline=2) as store:
        try:
            await store.health_check()
        except errors.StateBucketError as error:
            print(error)
        else:
            print("accepted")

asyncio.run(main())
"""


def test_a_reply_that_python_in_development_mode_refuses_is_named(
    azurite: Server, proxy: FaultProxy, raw: ContainerClient
) -> None:
    proxy.always(RewriteReply(with_two_servers))
    text = azurite.via(proxy.url).connection_string
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", STRICT, f"az://{raw.container_name}"],
        env=os.environ | {"AZURE_STORAGE_CONNECTION_STRING": text},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    # Older releases of aiohttp accept them there, too.
    assert "Duplicate 'Server' header" in done.stdout or done.stdout == "accepted\n", done.stderr

"""Directory buckets (S3 Express), whose listings take whole folders and come in no order.

No server here has them: the proxy opens sessions and refuses what they refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from statebucket import StateStore, open_store
from support.fault_proxy.proxy import Answer, on, s3_error
from support.places import snapshot

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy, Recorded
    from support.servers import Server

pytestmark = pytest.mark.asyncio

SESSION = b"""<CreateSessionResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Credentials>
<SessionToken>token</SessionToken><SecretAccessKey>secret</SecretAccessKey>
<AccessKeyId>key</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></CreateSessionResult>"""
REFUSAL = (
    "This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path "
    "ending with a delimiter and try again."
)


def in_a_folder(request: Recorded) -> bool:
    """Whether a request lists a part of a folder."""
    query = parse_qs(urlsplit(request.target).query)
    prefix = query.get("prefix", [""])[0]
    return "list-type" in query and not prefix.endswith("/")


@pytest.fixture(params=["--x-s3", "--xa-s3"])
def store(moto: Server, proxy: FaultProxy, request: pytest.FixtureRequest) -> StateStore:
    bucket = f"{uuid4().hex[:16]}--use1-az4{request.param}"
    urlopen(Request(f"{moto.url}/{bucket}", method="PUT")).close()  # boto3 would open a session
    kind = (("Content-Type", "application/xml"),)
    proxy.always(Answer(200, kind, SESSION, when=on("GET", "?session")))
    proxy.always(s3_error(400, "InvalidRequest", REFUSAL, when=in_a_folder))
    return open_store(f"s3://{bucket}/p?endpoint_url={proxy.url}&region=us-east-1&ttl_tags=false")


async def test_listings_of_what_begins_in_some_way_list_the_whole_folder(store: StateStore) -> None:
    async with store:
        acme = store.tenant("acme")
        for name in ("a1", "a2", "b1"):
            await acme.set(f"exec:{name}:k1", b"v")
            await acme.set(name, b"v")
        await acme.save_snapshot(snapshot(1, "a3"))
        assert [one async for one in acme.iter_executions(prefix="a")] == ["a3", "a1", "a2"]
        assert [one async for one in acme.iter_executions(prefix="a", limit=2)] == ["a1", "a2"]
        assert [one async for one in acme.iter_keys(prefix="a")] == ["a1", "a2"]
        assert [one async for one in acme.iter_keys("a1", prefix="exec:a1:k")] == ["exec:a1:k1"]
        assert [one async for one in acme.iter_snapshots(prefix="a")] == ["a3"]
        assert [one async for one in store.iter_tenants()] == ["acme"]


async def test_nothing_is_left_of_a_tenant(store: StateStore) -> None:
    async with store:
        acme = store.tenant("acme")
        await acme.save_snapshot(snapshot(1))
        await acme.set("exec:e1:k", b"v")
        await acme.set("k", b"v")
        for part in await store.partitions(3):
            await store.sweep(partition=part)
        await store.delete_tenant("acme")
        assert [one async for one in store.iter_tenants()] == []

"""Pages that are empty, malformed, stale or repeated, and replies that are not the service's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from faults.clouds import listing
from faults.server_marks import every_cloud
from statebucket import Version, errors
from support.fault_proxy.proxy import Answer, Recorded, Reply, RewriteReply
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.clouds import Cloud
    from statebucket import StateStore
    from statebucket.store.store import ObjectStateStore

pytestmark = [pytest.mark.asyncio, every_cloud]

NO_ANSWER = (errors.Unavailable, errors.DeadlineExceeded)
TOKENS = {"s3": "continuation-token", "gcs": "pageToken", "azure": "marker"}
HTML = b"<html><head><title>Log in</title></head><body>Welcome to our hotel</body></html>"
MALFORMED = {
    "nothing": b"",
    "HTML": HTML,
    "HTML that is no XML": b"<!DOCTYPE html><html><p>Log in<br></html>",
    "bytes": b"\x00\xff\xfe",
    "an empty object": b"[]",
    "the start of a page": b'<?xml version="1.0"?><ListBucketResult><Contents><Key>',
    "the start of JSON": b'{"items": [{"name": "a"',
    "JSON of nothing": b"{}",
    "JSON of something else": b'{"status": "ok", "items": []}',
}


def empty_page(cloud: Cloud, token: str) -> Answer:
    """A page without entries, after which more follow."""
    if cloud.service == "gcs":
        body = json.dumps({"kind": "storage#objects", "nextPageToken": token})
        return Answer(200, (("Content-Type", "application/json"),), body.encode(), when=listing)
    if cloud.service == "s3":
        body = (
            f"<ListBucketResult><Name>{cloud.container}</Name><Prefix/><KeyCount>0</KeyCount>"
            "<MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
        )
    else:
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
            f'ServiceEndpoint="{cloud.proxy.url}" ContainerName="{cloud.container}">'
            f"<Prefix/><Blobs/><NextMarker>{token}</NextMarker></EnumerationResults>"
        )
    return Answer(200, (("Content-Type", "application/xml"),), body.encode(), when=listing)


async def collected(items: Any) -> list[Any]:
    return [item async for item in items]


LISTINGS: dict[str, Callable[[StateStore], Awaitable[list[Any]]]] = {
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "iter_keys": lambda store: collected(store.tenant(ACME).iter_keys(E1)),
    "iter_tenants": lambda store: collected(store.iter_tenants()),
}


@pytest.fixture
def captured() -> list[Reply]:
    """The pages that a server gave."""
    return []


@pytest.mark.parametrize("call", LISTINGS)
async def test_an_empty_page_with_a_token_is_not_the_last(
    cloud: Cloud, call: str, captured: list[Reply]
) -> None:
    def capture(reply: Reply, _: Recorded) -> Reply:
        captured.append(reply)
        return reply

    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1))
        await store.tenant(ACME).set("exec:e1:k", b"v")
        cloud.proxy.plan(RewriteReply(capture, when=listing))
        expected = await LISTINGS[call](store)
        assert len(expected) == 1
        page = captured[0]
        # Without the id of the request that it answered, which Azure repeats.
        kept = tuple(h for h in page.headers if h[0].lower() != "x-ms-client-request-id")
        whole = Answer(page.status, kept, page.body, when=listing)
        cloud.proxy.clear()
        cloud.proxy.plan(empty_page(cloud, "t1"), empty_page(cloud, "t2"), whole)
        assert await LISTINGS[call](store) == expected
        sent = [parse_qs(urlsplit(request.target).query) for request in cloud.proxy.requests]
        assert [query.get(TOKENS[cloud.service]) for query in sent] == [None, ["t1"], ["t2"]]


@pytest.mark.parametrize("call", ["list_snapshots", "iter_tenants", "delete_tenant"])
async def test_pages_that_do_not_move_on_end_in_an_error(cloud: Cloud, call: str) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        cloud.proxy.always(empty_page(cloud, "again"))
        quick = store.with_deadline(0.3)
        with pytest.raises(errors.StateBucketError):
            await (quick.delete_tenant(ACME) if call == "delete_tenant" else LISTINGS[call](quick))
        assert cloud.proxy.count() <= 11


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_a_malformed_page_is_fetched_again_and_is_never_an_empty_one(
    cloud: Cloud, malformed: str
) -> None:
    kind = "application/json" if cloud.service == "gcs" else "application/xml"
    page = Answer(200, (("Content-Type", kind),), MALFORMED[malformed], when=listing)
    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1))
        await store.tenant(ACME).set("exec:e1:k", b"v")
        for call, listed in LISTINGS.items():
            cloud.proxy.plan(page)
            assert len(await listed(store)) == 1, call
        cloud.proxy.always(page)
        quick = store.with_deadline(0.2)
        for call, listed in LISTINGS.items():
            with pytest.raises(NO_ANSWER):
                pytest.fail(f"{call} gave {await listed(quick)}")
        with pytest.raises(errors.StateBucketError):
            await quick.delete_tenant(ACME)
        cloud.proxy.heal()
        await store.delete_tenant(ACME)
        assert cloud.target.raw_names() == []


async def test_a_stale_page_does_no_harm(cloud: Cloud) -> None:
    async with cloud.open() as store:
        acme = store.tenant(ACME)
        for execution in ("e1", "e2"):
            await acme.save_snapshot(snapshot(1, execution))
        pages: list[Reply] = []

        def keep(reply: Reply, _: Recorded) -> Reply:
            pages.append(reply)
            return reply

        cloud.proxy.plan(RewriteReply(keep, when=listing))
        assert await acme.list_snapshots(ACME) == ["e1", "e2"]
        await acme.delete_snapshot(E1)
        stale = Answer(pages[0].status, pages[0].headers, pages[0].body, when=listing)
        cloud.proxy.plan(stale)
        alive = await collected(acme.iter_snapshots(ACME, live=True))
        # Where metadata is listed, no look at each entry is promised.
        assert alive in (["e2"], ["e1", "e2"])
        assert await acme.load_snapshot(E1) is None
        cloud.proxy.plan(stale)
        assert (await acme.sweep()).removed == 0
        loaded = await acme.load_snapshot("e2")
        assert loaded is not None


async def test_what_is_deleted_while_it_is_listed_skips_nothing(cloud: Cloud) -> None:
    names = [f"tenants/acme/executions/e1/k{number:02}" for number in range(6)]
    cloud.target.raw_put_many(names)
    async with cloud.open() as store:
        acme = store.tenant(ACME)
        seen = []
        async for key in acme.iter_keys(E1):
            seen.append(key)
            await acme.delete(key)
        assert len(seen) == 6
    assert cloud.target.raw_names() == []


ANSWERED: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "set": lambda store: store.set("k", b"v"),
    "create": lambda store: store.set("k", b"v", if_version=Version.ABSENT),
    "save_snapshot": lambda store: store.save_snapshot(snapshot(2)),
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "load_snapshot": lambda store: store.load_snapshot(E1),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "delete_execution_state": lambda store: store.tenant(ACME).delete_execution_state(E1),
}


@pytest.mark.parametrize("call", ANSWERED)
async def test_a_success_that_is_no_services_is_none(cloud: Cloud, call: str) -> None:
    # Such as the page on which a hotel asks for the room's number.
    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1))
        cloud.proxy.always(Answer(200, (("Content-Type", "text/html"),), HTML))
        with pytest.raises(errors.StateBucketError) as caught:
            pytest.fail(f"{call} gave {await ANSWERED[call](store.with_deadline(0.2))}")
        assert isinstance(caught.value, (*NO_ANSWER, errors.DeleteIncomplete))
        cloud.proxy.heal()
        loaded = await store.load_snapshot(E1)
        assert loaded is not None


def asks(*, folders: bool) -> Callable[[Recorded], bool]:
    """A listing of objects, or of the prefixes one level below."""
    return lambda request: listing(request) and ("delimiter" in request.target) == folders


@pytest.mark.parametrize("engine", ["sdk", "http"])
async def test_a_gateway_that_ignores_the_prefix_shows_and_removes_nothing_of_others(
    cloud: Cloud, engine: str
) -> None:
    """Each listing answers with everything that is in the bucket."""
    if engine == "http" and cloud.service not in {"s3", "gcs"}:
        pytest.skip("this cloud has one engine")
    pages: list[Reply] = []

    def keep(reply: Reply, _: Recorded) -> Reply:
        pages.append(reply)
        return reply

    async with cloud.open(engine=engine) as opened:
        store = cast("ObjectStateStore", opened)
        for tenant in ("aaa", ACME, "zzz"):
            theirs = msgspec.structs.replace(snapshot(1, f"{tenant}-1"), tenant_id=tenant)
            await store.tenant(tenant).save_snapshot(theirs)
            await store.tenant(tenant).set(f"exec:{tenant}-1:k", b"v")
        before = cloud.target.raw_names()
        bucket, root = store.context.objects.bucket, store.context.layout.root
        for folders, listed in ((False, bucket.list), (True, bucket.list_prefixes)):
            cloud.proxy.plan(RewriteReply(keep, when=listing))
            await listed(root.partition("/")[0] if not folders else root, after=None, limit=1000)
            page = pages.pop()
            whole = Answer(page.status, page.headers, page.body, when=asks(folders=folders))
            cloud.proxy.always(whole)
        quick = store.with_deadline(1)
        for call, listed_of in LISTINGS.items():
            with pytest.raises(NO_ANSWER):
                pytest.fail(f"{call} gave {await listed_of(quick)}")
        removals: list[Callable[[], Awaitable[Any]]] = [
            lambda: quick.delete_tenant(ACME),
            lambda: quick.delete_execution_state("acme-1"),
            lambda: quick.tenant(ACME).delete_execution_state("acme-1"),
            lambda: quick.sweep(tenant=ACME),
        ]
        for removal in removals:
            with pytest.raises((*NO_ANSWER, errors.DeleteIncomplete)):
                pytest.fail(f"a removal reported {await removal()}")
        cloud.proxy.heal()
        left = set(cloud.target.raw_names())
        # Whose snapshot and record are known without a listing may be gone.
        assert {name for name in before if "acme-1" not in name} <= left
        for tenant in ("aaa", "zzz"):
            assert await store.tenant(tenant).load_snapshot(f"{tenant}-1") is not None

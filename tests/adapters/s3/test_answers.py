"""Replies that do not match the request, on both engines, are never partly read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import StateStore, errors
from support.fault_proxy.proxy import Answer, Reply, RewriteReply, on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.fault_proxy.proxy import Fault, FaultProxy, Recorded
    from support.targets.s3 import S3Target

pytestmark = pytest.mark.asyncio

ETAG = ("ETag", '"0123456789abcdef0123456789abcdef"')


def page(inner: bytes, *, truncated: bytes = b"false") -> Answer:
    body = b"<ListBucketResult><IsTruncated>%b</IsTruncated>%b</ListBucketResult>"
    return Answer(200, (), body % (truncated, inner))


def without_length(_reply: Reply, _: Recorded) -> Reply:
    return Reply(200, (ETAG, ("Transfer-Encoding", "chunked")))


async def tenants(store: StateStore) -> list[str]:
    return [tenant async for tenant in store.iter_tenants()]


CALLS: dict[str, Callable[[StateStore], Awaitable[Any]]] = {
    "set": lambda store: store.set("k", b"v"),
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "snapshots": lambda store: store.list_snapshots("acme"),
    "tenants": tenants,
}
ENTRY = b"<Key>k</Key><ETag>&quot;a&quot;</ETag><Size>1</Size>"
ODD: dict[str, tuple[str, Fault]] = {
    "no version of what was written": ("set", Answer(200, (("ETag", ""),))),
    "an error in place of what was written": (
        "set",
        Answer(200, (ETAG,), b"<Error><Code>InternalError</Code><Message>m</Message></Error>"),
    ),
    "no version of what is read": ("get", Answer(200, (("ETag", ""),), b"v")),
    "no size": ("exists", RewriteReply(without_length)),
    "an entry without a name": ("snapshots", page(b"<Contents><Size>1</Size></Contents>")),
    "an entry without a version": (
        "snapshots",
        page(b"<Contents><Key>k</Key><Size>1</Size></Contents>"),
    ),
    "an entry without a size": (
        "snapshots",
        page(b"<Contents><Key>k</Key><ETag>a</ETag></Contents>"),
    ),
    "a prefix without a name": ("tenants", page(b"<CommonPrefixes/>")),
    "more to come, no one knows where": (
        "snapshots",
        page(b"<Contents>%b</Contents>" % ENTRY, truncated=b"true"),
    ),
    "more prefixes, no one knows where": ("tenants", page(b"", truncated=b"true")),
    "a listing of another prefix": ("snapshots", page(b"<Prefix>other/</Prefix>")),
    "prefixes below another prefix": ("tenants", page(b"<Prefix>other/</Prefix>")),
    "an entry whose size is not a number": (
        "snapshots",
        page(b"<Contents><Key>k</Key><ETag>a</ETag><Size>x</Size></Contents>"),
    ),
    "a page that says neither that more follows nor that none does": (
        "snapshots",
        page(b"", truncated=b"yes"),
    ),
    "a page that says nothing of what follows": ("snapshots", page(b"", truncated=b"")),
    "a page of which the entries say whether more follows": (
        "snapshots",
        Answer(
            200,
            (),
            b"<ListBucketResult><Contents><IsTruncated>false</IsTruncated></Contents>"
            b"</ListBucketResult>",
        ),
    ),
    "prefixes that say neither that more follow nor that none does": (
        "tenants",
        page(b"", truncated=b"True"),
    ),
    "a page that does not say whether more follows": (
        "snapshots",
        Answer(200, (), b"<ListBucketResult/>"),
    ),
    "prefixes that do not say whether more follow": (
        "tenants",
        Answer(200, (), b"<ListBucketResult><Prefix/></ListBucketResult>"),
    ),
}


@pytest.mark.parametrize(("call", "fault"), ODD.values(), ids=ODD)
async def test_what_lacks_something_is_unreadable(
    engine: S3Target, proxy: FaultProxy, call: str, fault: Fault
) -> None:
    async with engine.open() as store:
        proxy.plan(fault)
        await CALLS[call](store)
        assert store.stats().retries == 1
        proxy.always(fault)
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as caught:
            await CALLS[call](store.with_deadline(0.6))
    assert caught.value.outcome == ("unknown" if call == "set" else "none")


@pytest.mark.parametrize("truncated", [b"yes", b"", b"TRUE", b"1", b" true "])
async def test_a_clean_up_is_not_over_with_a_page_that_does_not_say_so(
    engine: S3Target, proxy: FaultProxy, truncated: bytes
) -> None:
    def not_said(reply: Reply, _: Recorded) -> Reply:
        body = reply.body.replace(b"<IsTruncated>true<", b"<IsTruncated>%b<" % truncated)
        return replace(
            reply, body=body.replace(b"<IsTruncated>false<", b"<IsTruncated>%b<" % truncated)
        )

    names = [f"tenants/acme/executions/e1/{key}" for key in "ab"]
    for name in names:
        engine.raw_put(name, b"v")
    async with engine.open() as store:
        await store.exists("warm")  # making a client takes time of its own
        proxy.always(RewriteReply(not_said, when=on("GET", contains="list-type")))
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await store.with_deadline(0.6).tenant("acme").delete_execution_state("e1")
    assert [engine.raw_get(name) is not None for name in names] == [True, True]


async def test_what_the_sdk_cannot_read_in_a_reply_to_a_write_may_have_been_written(
    target: S3Target, proxy: FaultProxy
) -> None:
    async with target.open() as store:
        await store.exists("warm")  # making a client takes time of its own
        proxy.always(Answer(200, (ETAG, ("x-amz-object-size", "many"))))
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as caught:
            await store.with_deadline(0.6).set("k", b"v")
    assert caught.value.outcome == "unknown"


async def test_a_listing_that_goes_on_where_it_began_ends(
    engine: S3Target, proxy: FaultProxy
) -> None:
    token = b"<NextContinuationToken>t</NextContinuationToken>"
    async with engine.open() as store:
        await store.exists("warm")  # making a client takes time of its own
        proxy.always(page(token, truncated=b"true"))
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await store.with_deadline(1).list_snapshots("acme")


OF_THE_BUCKET: dict[str, Callable[[StateStore], Awaitable[Any]]] = {
    "list": lambda store: store.list_snapshots("acme"),
    "prefixes": tenants,
    "check": lambda store: store.health_check(),
    "rules": lambda store: store.check_lifecycle(),
}


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
@pytest.mark.parametrize("call", OF_THE_BUCKET.values(), ids=OF_THE_BUCKET)
async def test_a_missing_object_is_no_answer_about_the_bucket(
    engine: S3Target,
    proxy: FaultProxy,
    call: Callable[[StateStore], Awaitable[Any]],
    code: str,
) -> None:
    async with engine.open() as store:
        proxy.always(Answer(404, (), f"<Error><Code>{code}</Code></Error>".encode()))
        with pytest.raises(errors.RequestRejected, match=code):
            await call(store)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
async def test_a_missing_object_is_no_answer_to_a_batch(
    engine: S3Target, proxy: FaultProxy, code: str
) -> None:
    async with engine.open() as store:
        proxy.always(Answer(404, (), f"<Error><Code>{code}</Code></Error>".encode()))
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_many(["a", "b"])
    assert [*caught.value.failures] == ["a", "b"]
    assert {type(error) for error in caught.value.failures.values()} == {errors.RequestRejected}

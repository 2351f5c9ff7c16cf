"""Replies are compared with requests: one about another object or page is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import open_store
from statebucket.contract.versions import Version
from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    RequestRejected,
    StateBucketError,
    Unavailable,
)
from support.fault_proxy.proxy import (
    Answer,
    AnswerWith,
    DripBody,
    Reply,
    RewriteReply,
    Together,
    gcs_error,
    on,
)
from support.servers.strict_gcs import batch_of
from support.targets.gcs_bucket import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import Fault, FaultProxy, Recorded
    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio

PAGE = Answer(200, (("Content-Type", "text/html"),), b"<html>Log in, please</html>")
HEADERS = (("x-goog-generation", "7"), ("x-goog-meta-writeid", "1"))


def described(**fields: object) -> Answer:
    return Answer(
        200, body=json.dumps({"name": "a", "generation": "7", "size": "2"} | fields).encode()
    )


# A call, a reply that is not its own, and what is known of a write after it.
OTHERS: dict[str, tuple[Callable[[GCSBucket], Any], Fault, str]] = {
    "put, another object": (
        lambda b: b.put(write("a"), None),
        described(name="b"),
        "unknown",
    ),
    "put, another size": (
        lambda b: b.put(write("a"), None),
        described(size="3"),
        "unknown",
    ),
    "put, 202": (lambda b: b.put(write("a"), None), Answer(202), "unknown"),
    "put, no generation": (
        lambda b: b.put(write("a"), None),
        described(generation="0"),
        "unknown",
    ),
    "head, another object": (lambda b: b.head("a"), described(name="b"), "none"),
    "head, no size": (
        lambda b: b.head("a"),
        Answer(200, body=b'{"name": "a", "generation": "7"}'),
        "none",
    ),
    "list, an object without a size": (
        lambda b: b.list("", after=None, limit=9),
        Answer(
            200,
            body=b'{"kind": "storage#objects", "items": [{"name": "a", "generation": "7"}]}',
        ),
        "none",
    ),
    "get, no generation": (
        lambda b: b.get("a"),
        Answer(200, (("x-goog-generation", "x"), HEADERS[1]), b"v"),
        "none",
    ),
    "head, a page": (lambda b: b.head("a"), PAGE, "none"),
    "get, a part": (lambda b: b.get("a"), Answer(206, HEADERS, b"v"), "none"),
    "get, another length": (
        lambda b: b.get("a"),
        Answer(200, (*HEADERS, ("x-goog-stored-content-length", "9")), b"v"),
        "none",
    ),
    "get, another checksum": (
        lambda b: b.get("a"),
        Answer(200, (*HEADERS, ("x-goog-hash", "crc32c=AAAAAA==")), b"v"),
        "none",
    ),
    "get, another checksum in the first of several lines": (
        lambda b: b.get("a"),
        Answer(
            200,
            (*HEADERS, ("x-goog-hash", "crc32c=AAAAAA=="), ("x-goog-hash", "md5=x")),
            b"v",
        ),
        "none",
    ),
    "delete, a page": (lambda b: b.delete("a"), PAGE, "unknown"),
    "list, a page": (lambda b: b.list("", after=None, limit=9), PAGE, "none"),
    "list, a next-page token that repeats": (
        lambda b: b.list("", after="t", limit=9),
        Answer(200, body=b'{"kind": "storage#objects", "nextPageToken": "t"}'),
        "none",
    ),
    "prefixes, a next-page token that repeats": (
        lambda b: b.list_prefixes("", after="t", limit=9),
        Answer(200, body=b'{"kind": "storage#objects", "nextPageToken": "t"}'),
        "none",
    ),
}


@pytest.mark.parametrize(("call", "reply", "outcome"), OTHERS.values(), ids=OTHERS)
async def test_a_reply_to_something_else_is_not_taken(
    bucket: GCSBucket,
    proxy: FaultProxy,
    call: Callable[[GCSBucket], Any],
    reply: Fault,
    outcome: str,
) -> None:
    await bucket.put(write("a"), None)
    proxy.always(reply)
    with pytest.raises(Unavailable) as caught:
        await call(bucket)
    assert caught.value.outcome == outcome


@pytest.mark.parametrize("number", [b"0", b"2", b"9999"])
async def test_parts_of_another_batch_are_not_taken(
    bucket: GCSBucket, proxy: FaultProxy, number: bytes
) -> None:
    whole = batch_of([Reply(204), Reply(204)])
    other = whole.body.replace(b"<response-1>", b"<response-%s>" % number)
    proxy.plan(AnswerWith(lambda _: replace(whole, body=other)))
    with pytest.raises(Unavailable, match="other requests") as caught:
        await bucket.delete_many(["d/1", "d/2"])
    assert caught.value.outcome == "unknown"


async def test_parts_without_numbers_are_taken_only_if_none_is_missing(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    whole = batch_of([Reply(204), Reply(204)])
    bound = whole.body.split(b"\r\n", 1)[0]
    start, first, second, end = whole.body.split(bound)
    unnumbered = [part.replace(b"Content-ID", b"X-ID") for part in (first, second)]
    proxy.plan(
        AnswerWith(lambda _: replace(whole, body=bound.join([start, *unnumbered, end]))),
        AnswerWith(lambda _: replace(whole, body=bound.join([start, unnumbered[1], end]))),
    )
    assert [one.existed for one in await bucket.delete_many(["d/1", "d/2"])] == [True, True]
    with pytest.raises(Unavailable, match="1 parts instead of 2") as caught:
        await bucket.delete_many(["d/1", "d/2"])
    assert caught.value.outcome == "unknown"


async def test_an_empty_next_page_token_is_none(bucket: GCSBucket, proxy: FaultProxy) -> None:
    proxy.always(Answer(200, body=b'{"kind": "storage#objects", "nextPageToken": ""}'))
    assert (await bucket.list("", after=None, limit=9)).following is None
    assert (await bucket.list_prefixes("", after=None, limit=9)).following is None


async def test_a_body_of_another_generation_is_not_taken(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    bucket = opened(proxy.url, around.bucket)
    await bucket.put(write("a"), None)
    proxy.plan(Answer(404), described(), Answer(200, (("x-goog-generation", "8"),), b"{}"))
    with pytest.raises(Unavailable, match="another generation"):
        await bucket.get("a")


def unframed(reply: Reply, _: Recorded) -> Reply:
    """A body that ends with the connection, as behind an old proxy."""
    return replace(reply, framed=False)


def unchecked(reply: Reply, _: Recorded) -> Reply:
    """One that is also without its length and checksums."""
    kept = tuple(
        header
        for header in reply.headers
        if header[0].lower() not in {"x-goog-hash", "x-goog-stored-content-length"}
    )
    return replace(reply, headers=kept, framed=False)


async def test_a_body_that_ends_with_the_connection_is_whole_where_something_says_so(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    await bucket.put(write("a", b"value"), None)
    proxy.plan(Together((RewriteReply(unframed), DripBody(0))))
    found = await bucket.get("a")
    assert found is not None
    assert found.body == b"value"
    proxy.plan(Together((RewriteReply(unchecked), DripBody(0))))
    with pytest.raises(Unavailable, match="may be truncated"):
        await bucket.get("a")


def without_metadata(reply: Reply, _: Recorded) -> Reply:
    """As servers do whose XML API leaves metadata out."""
    left = tuple(h for h in reply.headers if not h[0].lower().startswith("x-goog-meta-"))
    return replace(reply, headers=left)


async def test_a_ttl_holds_where_the_xml_api_omits_metadata(
    proxy: FaultProxy, around: Around, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.always(RewriteReply(without_metadata, when=on("GET", contains=f"/{around.bucket}/")))
    now = datetime.now(UTC)
    moments = [now]
    url = f"gs://{around.bucket}?anonymous=true&endpoint_url={proxy.url}"
    async with open_store(url, clock=lambda: moments[0]) as store:
        await store.set("k", b"v", ttl=timedelta(hours=1))
        assert await store.get("k") == b"v"
        proxy.clear()
        moments[0] = now + timedelta(hours=2)
        assert await store.get("k") is None
        assert await store.exists("k") is False
    assert caplog.text.count("each read is two requests") == 1


async def test_what_others_wrote_reads_as_before(
    bucket: GCSBucket, around: Around, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    around.write("plain", b"1")
    around.write("tagged", b"2", {"owner": "x"})
    for name, body, metadata in (("plain", b"1", {}), ("tagged", b"2", {"owner": "x"})):
        found = await bucket.get(name)
        assert found is not None
        assert (found.body, found.info.metadata) == (body, metadata)
        assert found.info == await bucket.head(name)
    proxy.clear()
    assert await bucket.put(write("a"), None)
    assert await bucket.get("a")
    assert proxy.count() == 2  # the XML API is still used
    assert "two requests" not in caplog.text


@pytest.mark.parametrize("status", [501, 505])
async def test_what_a_server_does_not_implement_is_not_sent_again(
    proxy: FaultProxy, around: Around, status: int, opened: Opened
) -> None:
    url = f"gs://{around.bucket}?anonymous=true&endpoint_url={proxy.url}"
    async with open_store(url) as store:
        await store.tenant("acme").set("a", b"v")
        proxy.clear()
        proxy.always(gcs_error(status, "notImplemented", when=on(contains="/batch")))
        with pytest.raises(StateBucketError, match=str(status)):
            await store.delete_tenant("acme")
        assert len([sent for sent in proxy.requests if "/batch" in sent.target]) == 1
        proxy.always(gcs_error(status, "notImplemented"))
    with pytest.raises(RequestRejected) as caught:
        await opened(proxy.url, around.bucket).put(write("a"), Version("1"))
    assert caught.value.outcome == "none"


async def test_a_forbidden_read_says_that_the_object_may_be_missing(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    proxy.always(gcs_error(403, "forbidden", "x does not have storage.objects.list access"))
    for call in (bucket.get("a"), bucket.head("a")):
        with pytest.raises(AccessDenied, match=r"does not exist.*storage\.objects\.list on the"):
            await call
    with pytest.raises(AccessDenied, match=r"the identity needs storage\.objects\.get,"):
        await bucket.list("", after=None, limit=1)


async def test_what_the_service_says_is_cut_and_put_on_one_line(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    body = (
        "<Error><Code>Bad</Code><Message>one\ntwo\x1b[31m" + "x" * 5_000_000 + "</Message></Error>"
    )
    proxy.always(Answer(400, body=body.encode()))
    with pytest.raises(RequestRejected) as caught:
        await bucket.get("a")
    assert "one two\\x1b[31mxxx" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("learned", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(
    "page",
    [
        b"<html><title>404</title>Page not found</html>",
        b"404 page not found\n",
        b'{"error": "no such route"}',
    ],
    ids=["html", "text", "json"],
)
async def test_a_gateways_404_does_not_make_an_object_missing(
    bucket: GCSBucket, proxy: FaultProxy, page: bytes, *, learned: bool
) -> None:
    await bucket.put(write("a"), None)
    if learned:
        assert await bucket.get("a") is not None
    proxy.always(Answer(404, body=page))
    for call in (
        bucket.get("a"),
        bucket.head("a"),
        bucket.get_range("a", 0, 1),
        bucket.delete("a"),
        bucket.delete_many(["a"]),
        bucket.put(write("a"), None),
        bucket.list("", after=None, limit=1),
    ):
        with pytest.raises(RequestRejected, match=r"404 \(is endpoint_url that of Cloud Storage"):
            await call


@pytest.mark.parametrize(
    "text",
    [
        b"No such object: bucket/a",
        b'{"code":404,"message":"{}"}\n',  # of Google's storage-testbench
    ],
)
async def test_a_download_of_a_missing_object_is_answered_in_words(
    bucket: GCSBucket, proxy: FaultProxy, text: bytes
) -> None:
    proxy.plan(Answer(404, (("Content-Type", "text/html"),), text))
    assert await bucket.get_range("a", 0, 1) is None


async def test_a_download_from_a_missing_bucket_is_answered_in_words(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    proxy.plan(
        Answer(404, (("Content-Type", "text/html"),), b"The specified bucket does not exist.")
    )
    with pytest.raises(BucketNotFound):
        await bucket.get_range("a", 0, 1)

"""Both engines turn the same reply into the same error, for each code and operation.

The adapters are called directly, below the core's retries: one call is one request.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from statebucket import Version, errors
from statebucket.port.bucket import Deletion, Location, Write
from statebucket.port.lifecycle import Lifecycle, Rule, UnreadableRules
from statebucket_s3 import open_bucket, open_bucket_over_http
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import Answer
from support.targets.s3 import BUCKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import FaultProxy
    from support.targets.s3 import S3Target

pytestmark = pytest.mark.asyncio

ENGINES = {"sdk": open_bucket, "http": open_bucket_over_http}
RULE = Rule(id="ours", prefixes=("p/",), expiration_days=1)
VERSION = Version('"0123456789abcdef0123456789abcdef"')


def _put(condition: Version | None) -> Callable[[Bucket], Awaitable[Any]]:
    write = Write("p/k", b"v", "application/json", {"writeid": "1"}, None)
    return lambda bucket: bucket.put(write, condition)


OPERATIONS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "put": _put(None),
    "create": _put(Version.ABSENT),
    "replace": _put(VERSION),
    "get": lambda bucket: bucket.get("p/k"),
    "head": lambda bucket: bucket.head("p/k"),
    "delete": lambda bucket: bucket.delete("p/k"),
    "delete a version": lambda bucket: bucket.delete("p/k", VERSION),
    "delete many": lambda bucket: bucket.delete_many(["p/k", "p/l"]),
    "list": lambda bucket: bucket.list("p/", after=None, limit=10),
    "list prefixes": lambda bucket: bucket.list_prefixes("p/", after=None, limit=10),
    "check": lambda bucket: bucket.check("p/"),
    "read lifecycle": lambda bucket: bucket.read_lifecycle(),
    "write lifecycle": lambda bucket: bucket.write_lifecycle([RULE], Lifecycle(rules=())),
    "remove lifecycle": lambda bucket: bucket.write_lifecycle([], Lifecycle(rules=())),
}

CODES: dict[str, tuple[int, type[errors.StateBucketError], bool, str]] = {
    # code: status, error, transient, outcome; for every operation whose reply has a body
    "AccessDenied": (403, errors.AccessDenied, False, "none"),
    "AllAccessDisabled": (403, errors.AccessDenied, False, "none"),
    "AuthorizationHeaderMalformed": (400, errors.InvalidCredentials, False, "none"),
    "BadDigest": (400, errors.Unavailable, True, "none"),
    "ConditionalRequestConflict": (409, errors.Unavailable, True, "none"),
    "ExpiredRequest": (400, errors.InvalidCredentials, False, "none"),  # R2
    "ExpiredToken": (400, errors.InvalidCredentials, False, "none"),
    "IDPCommunicationError": (400, errors.Unavailable, True, "none"),  # of STS
    "IncompleteBody": (400, errors.Unavailable, True, "none"),
    "InternalError": (500, errors.Unavailable, True, "unknown"),
    "InvalidAccessKeyId": (403, errors.InvalidCredentials, False, "none"),
    "InvalidIdentityToken": (400, errors.InvalidCredentials, False, "none"),  # of STS
    "InvalidObjectState": (403, errors.RequestRejected, False, "none"),  # archived
    "InvalidRequest": (400, errors.RequestRejected, False, "none"),
    "InvalidToken": (400, errors.InvalidCredentials, False, "none"),
    "InvalidTokenId": (403, errors.InvalidCredentials, False, "none"),  # MinIO
    "KMS.DisabledException": (400, errors.RequestRejected, False, "none"),
    "KMS.ThrottlingException": (400, errors.Throttled, True, "none"),
    "KeyTooLongError": (400, errors.RequestRejected, False, "none"),
    "MethodNotAllowed": (405, errors.RequestRejected, False, "none"),
    "MissingContentMD5": (400, errors.RequestRejected, False, "none"),
    "NoSuchAccessPoint": (404, errors.BucketNotFound, False, "none"),
    "NoSuchBucket": (404, errors.BucketNotFound, False, "none"),
    "NotImplemented": (501, errors.RequestRejected, False, "none"),
    "ObjectUnderActiveHold": (403, errors.RequestRejected, False, "none"),  # Google's S3 API
    "OperationAborted": (409, errors.Unavailable, True, "none"),
    "PreconditionFailed": (412, errors.PreconditionFailed, False, "none"),
    "QuotaExceeded": (403, errors.OutOfSpace, False, "none"),  # Ceph
    "RequestTimeTooSkewed": (403, errors.InvalidCredentials, False, "none"),
    "RequestTimeout": (400, errors.Unavailable, True, "none"),
    "RetentionPolicyNotMet": (403, errors.RequestRejected, False, "none"),  # Google's S3 API
    "ServiceUnavailable": (503, errors.Unavailable, True, "unknown"),
    "SignatureDoesNotMatch": (403, errors.InvalidCredentials, False, "none"),
    "SlowDown": (503, errors.Throttled, True, "none"),
    "SlowDownRead": (503, errors.Unavailable, True, "unknown"),  # MinIO, without enough drives
    "SlowDownWrite": (503, errors.Unavailable, True, "unknown"),
    "TemporaryRedirect": (307, errors.Unavailable, True, "none"),
    "TooManyRequests": (429, errors.Throttled, True, "none"),
    "XAmzContentChecksumMismatch": (400, errors.Unavailable, True, "none"),
    "XMinioStorageFull": (507, errors.OutOfSpace, False, "none"),
}
NO_LIFECYCLE = {"NotImplemented", "MethodNotAllowed"}  # a service without rules, no failure


class Seen(NamedTuple):
    """How a call ended.

    Attributes:
        kind: The error's class, or what was returned.
        transient: Whether the core would send the request again.
        outcome: What became of a write.
        message: The error's text.
        retry_after: Seconds that the service asked to wait.
        requests: How many were sent.
    """

    kind: object
    transient: bool
    outcome: str
    message: str
    retry_after: float | None
    requests: int


@asynccontextmanager
async def opened(proxy: FaultProxy, engine: str) -> AsyncIterator[Any]:
    options = {"endpoint_url": proxy.url, "region": "us-east-1"}
    location = Location("s3", BUCKET, "/p", options, 10.0, 8)
    bucket = ENGINES[engine](location).bucket
    yield bucket
    await bucket.close()


async def seen(proxy: FaultProxy, bucket: Any, operation: str) -> Seen:
    before = proxy.count()
    try:
        returned = await OPERATIONS[operation](bucket)
    except errors.StateBucketError as error:
        return Seen(
            type(error),
            error.transient,
            error.outcome,
            error.message,
            error.retry_after,
            proxy.count() - before,
        )
    if isinstance(returned, list) and returned and isinstance(returned[0], Deletion):
        returned = [(one.name, type(one.error), str(one.error)) for one in returned]
    return Seen(
        returned,
        transient=False,
        outcome="none",
        message="",
        retry_after=None,
        requests=proxy.count() - before,
    )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_code_is_the_same_error_after_one_request(
    proxy: FaultProxy, operation: str
) -> None:
    wrong = {}
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        for code, (status, kind, transient, outcome) in CODES.items():
            proxy.heal()
            proxy.always(s3_error(status, code, retry_after=3))
            first, second = [await seen(proxy, one, operation) for one in (sdk, http)]
            asks = operation == "head" and status in {307, 400}
            right = first == second and first.requests == 1 + asks
            if operation == "head" and not asks:  # the reply has no body to name a code in
                right = right and (first.kind is None) == (status == 404)
            elif operation == "read lifecycle" and code in NO_LIFECYCLE:
                right = right and isinstance(first.kind, UnreadableRules)
            else:
                right = right and code in first.message
                right = right and first[:3] == (kind, transient, outcome)
                right = right and first.retry_after == 3
            if not right:
                wrong[code] = (first, second)
    assert wrong == {}


UNEXPLAINED: dict[int, object] = {
    # What a HEAD is answered without a body, and so without a code.
    301: errors.RequestRejected,
    307: errors.RequestRejected,
    400: errors.RequestRejected,
    401: errors.InvalidCredentials,
    403: errors.AccessDenied,
    404: None,
    405: errors.RequestRejected,
    408: errors.Unavailable,
    429: errors.Throttled,
    501: errors.RequestRejected,
    503: errors.Unavailable,
    505: errors.RequestRejected,
    507: errors.OutOfSpace,
}


@pytest.mark.parametrize("status", UNEXPLAINED)
async def test_a_head_without_a_body_goes_by_its_status(proxy: FaultProxy, status: int) -> None:
    proxy.always(Answer(status))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        first, second = [await seen(proxy, one, "head") for one in (sdk, http)]
    assert first == second
    assert first[:3] == (UNEXPLAINED[status], status in {408, 429, 503}, first.outcome)


NAMED: dict[str, tuple[int, object]] = {
    # What MinIO answers a HEAD, with the code in a header.
    "NoSuchKey": (404, None),
    "NoSuchBucket": (404, errors.BucketNotFound),
    "InvalidAccessKeyId": (403, errors.InvalidCredentials),
    "SignatureDoesNotMatch": (403, errors.InvalidCredentials),
    "AccessDenied": (403, errors.AccessDenied),
    "XMinioInvalidObjectName": (400, errors.RequestRejected),
}


@pytest.mark.parametrize("code", NAMED)
async def test_a_head_without_a_body_goes_by_the_code_in_a_header(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token that has not expired")
    status, kind = NAMED[code]
    named = (("X-Minio-Error-Code", code), ("X-Minio-Error-Desc", '"what it says"'))
    proxy.always(Answer(status, named))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        first, second = [await seen(proxy, one, "head") for one in (sdk, http)]
    assert first == second
    assert (first.kind, first.requests) == (kind, 1)
    assert kind is None or f"{code} ({status}): what it says" in first.message


SILENT = [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "ExpiredToken")]


@pytest.mark.parametrize(("status", "code"), SILENT)
async def test_a_head_that_is_refused_without_a_reason_has_that_of_a_get(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token that no source replaces")
    proxy.always(s3_error(status, code))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        first, second = [await seen(proxy, one, "head") for one in (sdk, http)]
    assert first == second
    assert f"{code} ({status})" in first.message
    assert [one.method for one in proxy.requests] == ["HEAD", "GET"] * 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("answer", "requests"),
    [
        (Answer(206, (("ETag", '"e"'), ("Content-Range", "bytes 0-0/7")), b"x"), 3),
        (s3_error(416, "InvalidRange"), 3),
        (s3_error(404, "NoSuchKey"), 2),
    ],
    ids=["an object", "an empty object", "none"],
)
async def test_a_head_is_sent_again_once_a_get_has_found_nothing_wrong(
    proxy: FaultProxy, engine: str, answer: Answer, requests: int
) -> None:
    proxy.plan(Answer(400), answer, Answer(200, (("ETag", '"e"'), ("Content-Length", "7"))))
    async with opened(proxy, engine) as bucket:
        found = await bucket.head("p/k")
    assert (found is None) == (requests == 2)
    assert [one.method for one in proxy.requests] == ["HEAD", "GET", "HEAD"][:requests]


STATUSES = [200, 301, 302, 304, 307, 308, 400, 403, 404, 500, 502, 503]
PAGES = {"nothing": b"", "a page": b"<html>a gateway</html>"}


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "head"])
async def test_a_reply_that_is_not_s3s_is_the_same_error(proxy: FaultProxy, operation: str) -> None:
    wrong = {}
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        for status, page in product(STATUSES, PAGES):
            proxy.heal()
            proxy.always(Answer(status, (("Content-Type", "text/html"),), PAGES[page]))
            first, second = [await seen(proxy, one, operation) for one in (sdk, http)]
            right = first == second and first.requests == 1
            if status != 200:
                right = right and isinstance(first.kind, type) and str(status) in first.message
            if not right:
                wrong[status, page] = (first, second)
    assert wrong == {}


OTHER_DOCUMENTS = {
    "delete": b"<ListBucketResult/>",
    "delete a version": b"<html>log in</html>",
    "delete many": b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    "list": b"<DeleteResult><IsTruncated>false</IsTruncated></DeleteResult>",
    "list prefixes": b"<DeleteResult><IsTruncated>false</IsTruncated></DeleteResult>",
    "check": b"<DeleteResult><IsTruncated>false</IsTruncated></DeleteResult>",
    "read lifecycle": b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    "write lifecycle": b"<ListBucketResult/>",
    "remove lifecycle": b"<ListBucketResult/>",
}


@pytest.mark.parametrize("operation", OTHER_DOCUMENTS)
async def test_the_reply_to_another_request_is_unreadable(
    proxy: FaultProxy, operation: str
) -> None:
    headers = (("Content-Type", "application/xml"),)
    declaration = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    proxy.always(Answer(200, headers, declaration + OTHER_DOCUMENTS[operation]))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        first, second = [await seen(proxy, one, operation) for one in (sdk, http)]
    assert first == second
    if operation == "read lifecycle":  # which is a finding, not a failure
        assert isinstance(first.kind, UnreadableRules)
    else:
        assert first.kind is errors.Unavailable


async def test_a_part_of_an_object_is_not_the_object(proxy: FaultProxy) -> None:
    headers = (("ETag", VERSION.token), ("Content-Range", "bytes 0-0/2"))
    proxy.always(Answer(206, headers, b"v"))
    async with opened(proxy, "sdk") as sdk, opened(proxy, "http") as http:
        first, second = [await seen(proxy, one, "get") for one in (sdk, http)]
    assert first == second
    assert first.kind is errors.Unavailable


@pytest.mark.parametrize("code", [code for code, row in CODES.items() if not row[2]])
async def test_a_removal_whose_batch_is_refused_says_why_after_one_try(
    engine: S3Target, proxy: FaultProxy, code: str
) -> None:
    status, kind, _, _ = CODES[code]
    if kind is errors.PreconditionFailed:  # of a request that has no condition
        kind = errors.RequestRejected
    async with engine.open() as store:
        await store.set("exec:e:k", b"v")
        await store.set("exec:e:l", b"v")
        proxy.clear()
        proxy.always(s3_error(status, code, when=lambda request: request.method == "POST"))
        with pytest.raises(errors.StateBucketError, match=code) as caught:
            await store.delete_execution_state("e")
        failures = getattr(caught.value, "failures", {"": caught.value})
        assert {type(error) for error in failures.values()} == {kind}
        assert proxy.count("POST") == 1

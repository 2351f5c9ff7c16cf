"""Which error each reply of Cloud Storage becomes, and its outcome."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import (
    DefaultCredentialsError,
    GoogleAuthError,
    RefreshError,
    TransportError,
)

from statebucket.contract.versions import Version
from statebucket.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidCredentials,
    PreconditionFailed,
    RequestRejected,
    StateBucketError,
    Throttled,
    Unavailable,
)
from statebucket_gcs.sdk import session
from support.error_texts import texts
from support.fault_proxy.proxy import (
    Answer,
    AnswerWith,
    BlackHole,
    Delay,
    DropBeforeSend,
    DropReply,
    FaultProxy,
    HangBeforeReply,
    Reply,
    Together,
    gcs_error,
    on,
)
from support.servers.ports import free_port
from support.servers.strict_gcs import NO_BUCKET, NOT_MET
from support.targets.gcs_bucket import with_credentials, write
from support.targets.gcs_key import use_key

if TYPE_CHECKING:
    from pathlib import Path

    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import Fault, Recorded
    from support.targets.gcs_bucket import Around, Opened

pytestmark = pytest.mark.asyncio

ORG_POLICY = "Request violates constraint 'constraints/gcp.restrictNonCmekServices'"
KMS = "Cloud KMS key not found: 'projects/p/locations/l/keyRings/r/cryptoKeys/k'"

KEY_DENIED = (
    "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has "
    "been authorized to use this key."
)

RETAINED = (
    "Object 'b/o' is subject to bucket's retention policy or object retention and cannot be "
    "deleted or overwritten until 2026-09-30T15:58:01.185839-07:00"
)
HELD = (
    "Object 'b/o' is under active {} hold and cannot be deleted, overwritten or archived until "
    "hold is removed."
)

# The status, reason and message of the service; the error and its outcome for a write.
ANSWERS = [
    (400, "invalid", "Invalid argument.", RequestRejected, "none"),
    (403, "forbidden", "x does not have storage.objects.create access", AccessDenied, "none"),
    (403, "forbidden", HELD.format("Temporary"), RequestRejected, "none"),
    (403, "forbidden", HELD.format("Event-Based"), RequestRejected, "none"),
    (403, "objectUnderActiveHold", "Not allowed due to an active hold", RequestRejected, "none"),
    (403, "retentionPolicyNotMet", RETAINED, RequestRejected, "none"),
    (403, "rateLimitExceeded", "Rate limit", Throttled, "none"),
    (404, "notFound", NO_BUCKET, BucketNotFound, "none"),
    (408, "requestTimeout", "Timeout", Unavailable, "unknown"),
    (409, "conflict", "The metadata was edited. Please try again.", Unavailable, "none"),
    (412, "conditionNotMet", NOT_MET, PreconditionFailed, "none"),
    (412, "orgPolicyConstraintFailed", ORG_POLICY, RequestRejected, "none"),
    (413, "uploadTooLarge", "Too large", RequestRejected, "none"),
    (429, "rateLimitExceeded", "object mutation rate limit", Throttled, "none"),
    (500, "internalError", "Internal", Unavailable, "unknown"),
    (502, "backendError", "Bad gateway", Unavailable, "unknown"),
    (503, "backendError", "Unavailable", Unavailable, "unknown"),
    (504, "gatewayTimeout", "Gateway timeout", Unavailable, "unknown"),
]


class Rotating(Credentials):
    """Credentials whose token is another with each refresh."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.refreshed = 0
        self.ends = False  # whether no other token is to be had

    def refresh(self, _request: object) -> None:
        if self.ends:
            raise TransportError("the token service is gone")  # type: ignore[no-untyped-call]
        self.refreshed += 1
        self.token = f"secret-token-{self.refreshed}"


async def failure(call: Any) -> StateBucketError:
    """Give the error that a call ends with."""
    with pytest.raises(StateBucketError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(("status", "reason", "message", "kind", "outcome"), ANSWERS)
async def test_what_the_service_answers(
    bucket: GCSBucket,
    proxy: FaultProxy,
    *,
    status: int,
    reason: str,
    message: str,
    kind: type[StateBucketError],
    outcome: str,
) -> None:
    proxy.always(gcs_error(status, reason, message))
    writes: list[Any] = [bucket.put(write("a"), Version("1")), bucket.delete("a", Version("1"))]
    for call in writes:
        error = await failure(call)
        assert type(error) is kind
        assert error.outcome == outcome
        assert str(status) in error.message
        assert message in error.message
        assert error.retry_after is None
    reads: list[Any] = [bucket.head("a"), bucket.list("", after=None, limit=1)]
    for call in reads:
        error = await failure(call)
        assert type(error) is kind
        assert error.outcome == "none"
    assert proxy.count() == 4  # nothing is sent again


async def test_a_missing_key_is_not_a_missing_bucket(bucket: GCSBucket, proxy: FaultProxy) -> None:
    proxy.plan(gcs_error(404, "notFound", KMS))
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is RequestRejected
    assert KMS in error.message


async def test_an_object_that_is_kept_asks_for_no_right(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    proxy.plan(gcs_error(403, "forbidden", HELD.format("Temporary")))
    error = await failure(bucket.delete("a"))
    assert error.message.endswith(HELD.format("Temporary"))


# What Cloud Storage answers where it is not a right to objects that is missing: the reason in the
# JSON API, the code in the XML API, the text; the error, and what it says to do.
ELSEWHERE = [
    (
        *("accountDisabled", "UserProjectAccountProblem"),
        "The billing account for the owning project is disabled in state absent",
        *(RequestRejected, "active billing account"),
    ),
    (
        *("forbidden", "AccessDenied"),
        KEY_DENIED,
        *(RequestRejected, "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
    ),
    (
        *("vpcServiceControls", "SecurityPolicyViolated"),
        "Request violates VPC Service Controls.",
        *(RequestRejected, "the perimeter has to allow"),
    ),
    (
        *("forbidden", "AccessDenied"),
        "Provided scope(s) are not authorized",
        *(AccessDenied, "the scope cloud-platform"),
    ),
    (
        *("forbidden", "UserProjectAccessDenied"),
        "x does not have serviceusage.services.use access to the Google Cloud project.",
        *(AccessDenied, "roles/serviceusage.serviceUsageConsumer"),
    ),
]


@pytest.mark.parametrize(("reason", "code", "message", "kind", "hint"), ELSEWHERE)
async def test_a_403_that_is_not_about_objects_does_not_ask_for_a_right_to_them(
    bucket: GCSBucket,
    proxy: FaultProxy,
    *,
    reason: str,
    code: str,
    message: str,
    kind: type[StateBucketError],
    hint: str,
) -> None:
    details = f"<Message>Access denied.</Message><Details>{message}</Details>"
    read = f"<?xml version='1.0'?><Error><Code>{code}</Code>{details}</Error>"
    proxy.plan(gcs_error(403, reason, message), Answer(403, body=read.encode()))
    for call in (bucket.put(write("a"), None), bucket.get("a")):
        error = await failure(call)
        assert type(error) is kind
        assert message in error.message
        assert hint in error.message
        assert "storage.objects" not in error.message


async def test_a_bucket_whose_requesters_pay_asks_for_a_project(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    text = "Bucket is a requester pays bucket but no user project provided."
    read = f"<Error><Code>UserProjectMissing</Code><Message>{text}</Message></Error>"
    proxy.plan(gcs_error(400, "required", text), Answer(400, body=read.encode()))
    for call in (bucket.put(write("a"), None), bucket.get("a")):
        error = await failure(call)
        assert type(error) is RequestRejected
        assert "GOOGLE_CLOUD_QUOTA_PROJECT" in error.message


async def test_anonymous_credentials_are_not_accepted(bucket: GCSBucket, proxy: FaultProxy) -> None:
    proxy.always(gcs_error(401, "authError"))
    calls: list[Any] = [bucket.put(write("a"), None), bucket.get("a"), bucket.check("")]
    for call in calls:
        assert type(await failure(call)) is InvalidCredentials


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", AccessDenied),
        (404, "NoSuchBucket", BucketNotFound),
        (429, "TooManyRequests", Throttled),
        (503, "SlowDown", Throttled),
        (503, "ServiceUnavailable", Unavailable),
    ],
)
async def test_what_the_xml_api_answers_to_a_read(
    bucket: GCSBucket, proxy: FaultProxy, status: int, code: str, kind: type[StateBucketError]
) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>So.</Message></Error>"
    proxy.always(Answer(status, body=body.encode()))
    error = await failure(bucket.get("a"))
    assert type(error) is kind
    assert f"{code}: So." in error.message
    assert proxy.count() == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_retry_after_is_passed_on(bucket: GCSBucket, proxy: FaultProxy, status: int) -> None:
    proxy.plan(gcs_error(status, "wait", retry_after=7))
    assert (await failure(bucket.put(write("a"), None))).retry_after == 7.0


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b'{"items":[{}]}', b"{"])
async def test_an_error_without_a_proper_body_is_no_other_error(
    bucket: GCSBucket, proxy: FaultProxy, body: bytes
) -> None:
    proxy.plan(Answer(500, body=body), Answer(200, body=body), Answer(200, body=body))
    assert type(await failure(bucket.put(write("a"), None))) is Unavailable
    malformed = await failure(bucket.put(write("a"), None))
    assert type(malformed) is Unavailable
    assert malformed.outcome == "unknown"  # its status was 200
    assert type(await failure(bucket.list("", after=None, limit=1))) is Unavailable


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (DropBeforeSend(), "unknown"),
        (DropBeforeSend(reset=True), "unknown"),
        (DropReply(), "unknown"),
        (DropReply(reset=True), "unknown"),
        (HangBeforeReply(), "unknown"),
        (BlackHole(), "unknown"),
    ],
)
async def test_a_lost_connection(
    proxy: FaultProxy,
    around: Around,
    fault: Fault,
    outcome: str,
    opened: Opened,
) -> None:
    bucket = opened(proxy.url, around.bucket, deadline=2.4)
    await bucket.list("", after=None, limit=1)
    proxy.clear()
    proxy.plan(fault, fault)
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == outcome
    error = await failure(bucket.head("a"))
    assert type(error) is Unavailable
    assert error.outcome == "none"
    assert proxy.count() == 2  # no replay by the HTTP client
    assert await bucket.put(write("a"), None)  # the next call works


async def test_a_redirect_is_not_followed(bucket: GCSBucket, proxy: FaultProxy) -> None:
    proxy.plan(Answer(302, (("Location", "http://127.0.0.1:1/elsewhere"),)))
    assert type(await failure(bucket.get("a"))) is RequestRejected


async def test_a_closed_port_wrote_nothing(opened: Opened) -> None:
    bucket = opened(f"http://127.0.0.1:{free_port()}", "some-bucket")
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == "none"
    assert "refused" in error.message


async def test_the_name_is_unknown(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await failure(opened("http://storage.invalid", "some-bucket").put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == "none"


@pytest.mark.parametrize("engine", ["sdk"])
@pytest.mark.parametrize(
    ("raised", "retryable", "kind"),
    [
        (DefaultCredentialsError, False, InvalidCredentials),
        (RefreshError, False, InvalidCredentials),
        (RefreshError, True, Unavailable),
        (TransportError, False, Unavailable),
    ],
)
async def test_credentials_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
    opened: Opened,
    *,
    raised: type[GoogleAuthError],
    retryable: bool,
    kind: type[StateBucketError],
) -> None:
    failed = raised("cannot", {"access_token": "s3cr3t"}, retryable=retryable)

    def fail(**_: object) -> None:
        raise failed

    monkeypatch.setattr(session, "Client", fail)
    error = await failure(opened("http://127.0.0.1:1", "some-bucket").put(write("a"), None))
    assert type(error) is kind
    assert error.outcome == "none"
    assert error.__cause__ is None  # its text has the whole response
    assert error.__context__ is None
    assert "cannot" in error.message
    assert "s3cr3t" not in str(error)
    if kind is InvalidCredentials:
        assert "GOOGLE_APPLICATION_CREDENTIALS" in error.message


class Failing(Rotating):
    """Credentials that give no token."""

    def __init__(self, error: GoogleAuthError) -> None:
        super().__init__()
        self.error = error

    def refresh(self, _request: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("raised", "retryable", "kind"),
    [
        (DefaultCredentialsError, False, InvalidCredentials),
        (RefreshError, False, InvalidCredentials),
        (RefreshError, True, Unavailable),
        (TransportError, False, Unavailable),
    ],
)
async def test_a_token_that_cannot_be_had(
    opened: Opened,
    engine: str,
    *,
    raised: type[GoogleAuthError],
    retryable: bool,
    kind: type[StateBucketError],
) -> None:
    failing = Failing(raised("cannot", {"access_token": "s3cr3t"}, retryable=retryable))
    own = with_credentials(failing, "http://127.0.0.1:1", engine)
    error = await failure(opened("", "some-bucket", **own).put(write("a"), None))
    assert type(error) is kind
    assert error.outcome == "none"
    assert error.__cause__ is None  # its text has the whole response
    assert "cannot" in error.message
    assert "s3cr3t" not in "".join(texts(error))


@pytest.mark.parametrize("held", ["[1]", '"x"', "1", "null", "no JSON", "{}"])
async def test_a_credentials_file_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: str, opened: Opened
) -> None:
    file = tmp_path / "key.json"
    file.write_text(held)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    bucket = opened("http://127.0.0.1:1", "some-bucket", anonymous="false")
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is InvalidCredentials
    assert error.outcome == "none"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.message


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxy: FaultProxy) -> None:
    """A service account's key, whose token service is the proxy."""
    use_key(monkeypatch, tmp_path, f"{proxy.url}/token")


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_token_service_that_fails_gets_one_request_a_try(
    proxy: FaultProxy, around: Around, status: int, opened: Opened
) -> None:
    proxy.always(Answer(status, body=b'{"error": "unavailable"}', when=on(contains="/token")))
    error = await failure(opened(proxy.url, around.bucket, anonymous="false").put(write("a"), None))
    assert type(error) is Unavailable
    assert error.outcome == "none"
    assert str(status) in error.message
    assert proxy.count() == 1


@pytest.mark.usefixtures("key")
async def test_calls_at_one_time_share_a_token(
    proxy: FaultProxy, around: Around, opened: Opened
) -> None:
    token = Answer(
        200,
        (("Content-Type", "application/json"),),
        b'{"access_token": "t", "expires_in": 3600}',
    )
    proxy.always(Together((Delay(0.2), token), when=on(contains="/token")))
    bucket = opened(proxy.url, around.bucket, anonymous="false")
    await asyncio.gather(*(bucket.put(write(f"a{n}"), None) for n in range(8)))
    assert len([request for request in proxy.requests if "/token" in request.target]) == 1


async def test_an_expired_token_is_refreshed_once_and_no_error_shows_it(
    proxy: FaultProxy, around: Around, opened: Opened, engine: str
) -> None:
    credentials = Rotating()
    bucket = opened("", around.bucket, **with_credentials(credentials, proxy.url, engine))
    proxy.plan(gcs_error(401, "authError"))
    await bucket.put(write("a"), None)
    assert credentials.refreshed == 2  # before the first request, and after the 401
    sent = [request.header("Authorization") for request in proxy.requests]
    assert sent == ["Bearer secret-token-1", "Bearer secret-token-2"]

    proxy.always(gcs_error(401, "authError"))
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is InvalidCredentials
    assert "secret-token" not in f"{error} {error!r} {error.__cause__!r}"


def refusing_each_part(request: Recorded) -> Reply:
    """Reply to a batch whose token was revoked, as Google's APIs do: 200, and 401 in each part."""
    refusal = gcs_error(401, "authError")
    part = (
        "--edge\r\nContent-Type: application/http\r\nContent-ID: <response-{}>\r\n\r\n"
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n"
        f"{refusal.body.decode()}\r\n"
    )
    count = request.body.count(b"\r\nDELETE ")
    body = "".join(part.replace("{}", str(number), 1) for number in range(count)) + "--edge--\r\n"
    kind = ("Content-Type", "multipart/mixed; boundary=edge")
    return Reply(status=200, headers=(kind,), body=body.encode())


async def test_a_batch_whose_parts_are_refused_is_sent_again_with_another_token(
    proxy: FaultProxy, around: Around, opened: Opened, engine: str
) -> None:
    credentials = Rotating()
    bucket = opened("", around.bucket, **with_credentials(credentials, proxy.url, engine))
    for name in "ab":
        around.write(name, b"v")
    await bucket.check("")
    proxy.clear()
    proxy.plan(AnswerWith(refusing_each_part))
    deleted = await bucket.delete_many(["a", "b"])
    assert [(one.name, one.existed, one.error) for one in deleted] == [
        ("a", True, None),
        ("b", True, None),
    ]
    sent = [request.header("Authorization") for request in proxy.requests]
    assert sent == ["Bearer secret-token-1", "Bearer secret-token-2"]

    around.write("a", b"v")
    proxy.clear()
    proxy.always(AnswerWith(refusing_each_part))
    (left,) = await bucket.delete_many(["a"])
    assert type(left.error) is InvalidCredentials
    assert "secret-token" not in f"{left.error} {left.error!r}"
    assert (proxy.count(), around.names()) == (2, ["a"])


def refusing_the_last_part(request: Recorded) -> Reply:
    """Reply to a batch whose token was revoked in the middle of it."""
    refusals = refusing_each_part(request)
    _, _, last = refusals.body.rpartition(b"--edge\r\n")
    deleted = (
        "--edge\r\nContent-Type: application/http\r\nContent-ID: <response-{}>\r\n\r\n"
        "HTTP/1.1 204 No Content\r\n\r\n\r\n"
    )
    count = request.body.count(b"\r\nDELETE ") - 1
    body = "".join(deleted.replace("{}", str(number), 1) for number in range(count)).encode()
    return replace(refusals, body=body + b"--edge\r\n" + last)


@pytest.mark.parametrize("failing", ["the token's renewal", "the second request"])
async def test_what_a_batch_has_deleted_counts_though_the_rest_of_it_fails(
    proxy: FaultProxy, around: Around, opened: Opened, engine: str, failing: str
) -> None:
    credentials = Rotating()
    bucket = opened("", around.bucket, **with_credentials(credentials, proxy.url, engine))
    await bucket.check("")
    proxy.plan(AnswerWith(refusing_the_last_part), gcs_error(503, "backendError"))
    if failing == "the token's renewal":
        credentials.ends = True
    deleted = await bucket.delete_many(["a", "b", "c"])
    assert [(one.name, one.existed, type(one.error)) for one in deleted[:2]] == [
        ("a", True, type(None)),
        ("b", True, type(None)),
    ]
    assert (deleted[2].name, deleted[2].existed) == ("c", None)
    assert isinstance(deleted[2].error, StateBucketError)


async def test_a_batch_whose_parts_are_refused_without_a_token_is_sent_once(
    bucket: GCSBucket, proxy: FaultProxy
) -> None:
    proxy.always(AnswerWith(refusing_each_part))
    (left,) = await bucket.delete_many(["a"])
    assert type(left.error) is InvalidCredentials
    assert proxy.count() == 1


@pytest.mark.parametrize("body", [b'{"nextPageToken": "\x80"}', b"[" * 100_000, b"{", b"null"])
@pytest.mark.asyncio
async def test_an_answer_that_is_no_json_of_theirs_is_unavailable(
    proxy: FaultProxy, around: Around, body: bytes, opened: Opened
) -> None:
    bucket = opened(proxy.url, around.bucket)
    proxy.always(Answer(200, (("Content-Type", "application/json"),), body))
    with pytest.raises(Unavailable):
        await bucket.list("p/", after=None, limit=10)
    proxy.heal()
    proxy.always(Answer(403, (("Content-Type", "application/json"),), body))
    with pytest.raises(AccessDenied):
        await bucket.list("p/", after=None, limit=10)

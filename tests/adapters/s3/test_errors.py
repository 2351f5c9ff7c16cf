"""Errors of S3, the network and the SDK become typed errors, in time and without secrets."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
from aiobotocore.session import AioSession

from statebucket import StateStore, Version, errors, open_store
from statebucket_s3.sdk import sending
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import (
    Answer,
    BlackHole,
    Fault,
    FaultProxy,
    Reply,
    RewriteReply,
    StallBody,
    on,
)
from support.targets.s3 import BUCKET, S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.servers import Server

pytestmark = pytest.mark.asyncio

CALLS: dict[str, Callable[[StateStore], Awaitable[Any]]] = {
    "set": lambda store: store.set("k", b"v"),
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "list": lambda store: store.list_snapshots("acme"),
    "health": lambda store: store.health_check(),
}
SECRETS = ["hunter2", "test-secret-key", "Signature=", "AWS4-HMAC"]


async def told(store: StateStore, call: str, within: float) -> errors.StateBucketError:
    """The error that a call ends with, in time and without secrets."""
    began = time.perf_counter()
    with pytest.raises(errors.StateBucketError) as caught:
        await CALLS[call](store)
    # More for a machine that is busy, but less than the 10 s of a call that ignored its deadline.
    assert time.perf_counter() - began < within + 7
    await store.shutdown()
    error = caught.value
    assert error.__cause__ is not error
    shown = f"{error} {error!r} {error.__cause__} {error.__cause__!r}"
    assert not [secret for secret in SECRETS if secret in shown]
    if call != "set":
        assert error.outcome == "none"
    if call in {"set", "get", "exists"}:
        assert error.object_name is not None
        assert error.object_name.endswith("/shared/keys/k")
    return error


class Final(NamedTuple):
    """A refusal that trying again does not help."""

    status: int
    code: str
    error: type[errors.StateBucketError]
    head: type[errors.StateBucketError] | None  # of a HEAD, whose reply names no code; None: False

    def requests(self, call: str) -> int:
        """How many it takes: a GET learns why a HEAD got a 400."""
        return 2 if call == "exists" and self.status == 400 else 1


FINAL = [
    Final(404, "NoSuchBucket", errors.BucketNotFound, None),
    Final(403, "AccessDenied", errors.AccessDenied, errors.AccessDenied),
    Final(403, "AllAccessDisabled", errors.AccessDenied, errors.AccessDenied),
    Final(403, "InvalidAccessKeyId", errors.InvalidCredentials, errors.AccessDenied),
    Final(403, "SignatureDoesNotMatch", errors.InvalidCredentials, errors.AccessDenied),
    Final(403, "RequestTimeTooSkewed", errors.InvalidCredentials, errors.AccessDenied),
    Final(400, "ExpiredToken", errors.InvalidCredentials, errors.InvalidCredentials),
    Final(400, "InvalidToken", errors.InvalidCredentials, errors.InvalidCredentials),
    Final(400, "InvalidRequest", errors.RequestRejected, errors.RequestRejected),
    Final(400, "KeyTooLongError", errors.RequestRejected, errors.RequestRejected),
    Final(501, "NotImplemented", errors.RequestRejected, errors.RequestRejected),
]


@pytest.mark.parametrize(
    ("final", "call"),
    [pytest.param(final, call, id=f"{final.code}-{call}") for final in FINAL for call in CALLS],
)
async def test_a_refusal_is_told_at_once_and_is_not_tried_again(
    target: S3Target, proxy: FaultProxy, final: Final, call: str
) -> None:
    proxy.always(s3_error(final.status, final.code))
    if call == "exists" and final.head is None:
        assert await target.open().exists("k") is False
        return
    wanted = final.head if call == "exists" else final.error
    error = await told(target.open(), call, 1)
    assert type(error) is wanted
    assert error.outcome == "none"
    assert not error.transient
    assert proxy.count() == final.requests(call)
    if call != "exists" or final.status == 400:
        assert final.code in str(error)


class Passing(NamedTuple):
    """A failure that may pass."""

    fault: Fault
    error: type[errors.StateBucketError]
    outcome: str  # of a write


PASSING = {
    "SlowDown": Passing(s3_error(503, "SlowDown"), errors.Throttled, "none"),
    "429": Passing(s3_error(429, "TooManyRequests"), errors.Throttled, "none"),
    "409": Passing(s3_error(409, "ConditionalRequestConflict"), errors.Unavailable, "none"),
    "500": Passing(s3_error(500, "InternalError"), errors.Unavailable, "unknown"),
    "503": Passing(s3_error(503, "ServiceUnavailable"), errors.Unavailable, "unknown"),
    "request time-out": Passing(s3_error(400, "RequestTimeout"), errors.Unavailable, "none"),
    "a proxy's page": Passing(
        Answer(200, (("Content-Type", "text/html"),), b"<html>please log in</html>"),
        errors.Unavailable,
        "unknown",
    ),
    "nothing": Passing(Answer(200), errors.Unavailable, "unknown"),
    "204": Passing(Answer(204), errors.Unavailable, "unknown"),
    "not XML": Passing(
        Answer(200, (("Content-Type", "application/xml"),), b"<ListBucketRes"),
        errors.Unavailable,
        "unknown",
    ),
    "no answer": Passing(BlackHole(), errors.Unavailable, "unknown"),
    "half an answer": Passing(StallBody(1), errors.Unavailable, "unknown"),
}


@pytest.mark.parametrize("call", ["set", "get"])
@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
async def test_a_failure_that_lasts_is_tried_again_and_told_within_the_deadline(
    target: S3Target, proxy: FaultProxy, passing: Passing, call: str
) -> None:
    target.raw_put("shared/keys/k", b"stored")
    # Time-outs of the SDK are a third of it; a machine that is busy must have time for two.
    deadline = 3 if isinstance(passing.fault, BlackHole | StallBody) else 1
    store = target.open(deadline=deadline)
    await store.with_deadline(10).exists("warm")  # making a client takes time of its own
    proxy.clear()
    proxy.always(passing.fault)
    error = await told(store, call, deadline)
    assert error.transient
    if isinstance(error, errors.DeadlineExceeded):  # in the middle of a try
        assert error.__cause__ is None or isinstance(error.__cause__, passing.error)
        assert error.outcome == ("unknown" if call == "set" else "none")
    else:
        assert isinstance(error, passing.error)
        assert error.outcome == (passing.outcome if call == "set" else "none")
    assert 2 <= proxy.count() <= 10


@pytest.mark.parametrize("call", ["set", "get", "list"])
@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
async def test_a_failure_that_passes_is_not_seen(
    target: S3Target, proxy: FaultProxy, passing: Passing, call: str
) -> None:
    target.raw_put("shared/keys/k", b"stored")
    async with target.open(deadline=6) as store:
        await store.with_deadline(30).exists("warm")  # making a client takes time of its own
        proxy.clear()
        proxy.plan(passing.fault)
        result = await CALLS[call](store)
        assert call != "get" or result == b"stored"
        assert proxy.count() == 2


async def test_retry_after_is_waited_for(target: S3Target, proxy: FaultProxy) -> None:
    async with target.open() as store:
        proxy.plan(s3_error(503, "SlowDown", retry_after=1))
        await store.set("k", b"v")
        first, second = proxy.requests
        assert second.started - first.started >= 1


async def test_retry_after_beyond_the_deadline_is_told_at_once(
    target: S3Target, proxy: FaultProxy
) -> None:
    proxy.always(s3_error(503, "SlowDown", retry_after=30))
    error = await told(target.open(), "set", 1)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 30
    assert proxy.count() == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("variables", "session"),
    [
        ({}, None),
        ({"AWS_ACCESS_KEY_ID": "half-a-pair"}, None),
        ({"AWS_PROFILE": "no-such-profile"}, None),
        ({}, AioSession),
    ],
    ids=["none", "half", "no profile", "a session without"],
)
async def test_without_credentials_nothing_is_sent_and_the_error_says_what_to_do(
    target: S3Target,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    session: Callable[[], Any] | None,
    call: str,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = {} if session is None else {"session": session()}
    error = await told(target.open(**options), call, 1)
    assert type(error) is errors.InvalidCredentials
    assert "AWS_ACCESS_KEY_ID" in str(error)
    assert proxy.count() == 0


async def test_keys_of_the_environment_that_have_ended_are_unusable_credentials(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    async with open_store(f"s3://{BUCKET}?endpoint_url={proxy.url}&region=us-east-1") as store:
        with pytest.raises(errors.InvalidCredentials) as caught:
            await store.get("k")
    assert caught.value.outcome == "none"
    assert proxy.requests == []


async def test_the_session_token_is_never_shown(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-hunter2")
    proxy.always(s3_error(400, "ExpiredToken"))
    error = await told(target.open(), "get", 1)
    assert type(error) is errors.InvalidCredentials
    assert proxy.requests[0].header("x-amz-security-token") == "session-token-hunter2"


def _unused() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("call", ["set", "get", "list"])
@pytest.mark.parametrize("endpoint", [_unused, lambda: "http://s3.invalid"], ids=["port", "name"])
async def test_a_place_that_cannot_be_reached_is_told_within_the_deadline(
    endpoint: Callable[[], str], call: str
) -> None:
    url = f"s3://{BUCKET}/p?endpoint_url={endpoint()}&region=us-east-1&deadline=2"
    url += "&insecure_endpoint=true"
    error = await told(open_store(url), call, 2)
    assert isinstance(error, errors.Unavailable | errors.DeadlineExceeded)
    if isinstance(error, errors.Unavailable):
        assert error.outcome == "none"  # it was never sent
    # On a busy machine the first try, which makes the SDK's client, may take all of the time.
    if isinstance(error, errors.Unavailable) or error.__cause__ is not None:
        assert "reached" in f"{error} {error.__cause__}"


async def test_a_404_that_is_not_s3s_is_no_missing_object(
    target: S3Target, proxy: FaultProxy
) -> None:
    proxy.always(Answer(404, (("Content-Type", "text/html"),), b"<html>no such page</html>"))
    error = await told(target.open(), "get", 1)
    assert isinstance(error, errors.RequestRejected)
    assert "endpoint_url" in str(error)


async def test_the_four_usual_mistakes_are_four_errors(moto: Server, proxy: FaultProxy) -> None:
    url = f"s3://no-such-bucket/p?endpoint_url={moto.url}&region=us-east-1&deadline=60"
    kinds = [type(await told(open_store(url), "health", 1))]
    for fault in (s3_error(403, "AccessDenied"), s3_error(403, "InvalidAccessKeyId")):
        proxy.plan(fault)
        url = f"s3://{BUCKET}/p?endpoint_url={proxy.url}&region=us-east-1&deadline=60"
        kinds.append(type(await told(open_store(url), "health", 1)))
    url = f"s3://{BUCKET}/p?endpoint_url={_unused()}&region=us-east-1&deadline=1"
    kinds.append(type(await told(open_store(url), "health", 1)))
    assert len(set(kinds)) == 4


async def test_sessions_that_are_not_used_any_more_are_closed(
    target: S3Target, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_RENEW_SECONDS", 0.0)  # a new one after each call that is cut off
    others = open_sessions()  # of earlier tests
    async with target.open() as store:
        await store.exists("warm")
        for _ in range(10):
            proxy.plan(BlackHole())
            with pytest.raises(errors.DeadlineExceeded):
                await store.with_deadline(0.05).get("k")
            await store.exists("k")
        assert len([one for one in open_sessions() if one not in others]) <= 2


def open_sessions() -> list[aiohttp.ClientSession]:
    gc.collect()
    alive = [one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession)]
    return [one for one in alive if not one.closed]


CALLER = f"User: arn:aws:sts::123456789012:assumed-role/{'r' * 64}/{'s' * 64}"
PLACE = f'"arn:aws:s3:::{"b" * 63}/app/tenants/acme/executions/{"e" * 36}/snapshot"'
POLICY = "arn:aws:organizations::123456789012:policy/o-abcdefghij/service_control_policy/p-abcdefgh"
REASONS = [
    "because no identity-based policy allows the s3:PutObject action",
    f"with an explicit deny in a service control policy: {POLICY}",
]


@pytest.mark.parametrize("engine_name", ["sdk", "http"])
@pytest.mark.parametrize("reason", REASONS)
async def test_a_refusal_by_a_policy_says_to_whom_what_and_why(
    moto: Server, proxy: FaultProxy, engine_name: str, reason: str
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    start = f"{CALLER} is not authorized to perform: s3:PutObject on resource: "
    proxy.always(s3_error(403, "AccessDenied", f"{start}{PLACE} {reason}"))
    error = await told(target.open(), "set", 1)
    assert isinstance(error, errors.AccessDenied)
    assert f"{start}… {reason}" in str(error)
    assert "s3:ListBucket" not in str(error)  # what else it might be


@pytest.mark.parametrize("engine_name", ["sdk", "http"])
@pytest.mark.parametrize("message", ["x" * 5_000_000, "one\r\nX-Evil: \x1b[31m\u202e two"])
async def test_what_s3_says_enters_a_message_on_one_line_and_cut_short(
    moto: Server, proxy: FaultProxy, engine_name: str, message: str
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    escaped = message.replace("\x1b", "")  # which no XML can carry
    proxy.always(s3_error(400, "InvalidRequest", escaped))
    error = await told(target.open(), "get", 1)
    assert len(str(error)) < 600
    assert str(error).isprintable()
    assert error.code == "InvalidRequest"


@pytest.mark.parametrize("call", ["set", "list"])
async def test_an_endpoint_that_cannot_be_reached_is_named(call: str) -> None:
    endpoint = _unused()
    url = f"s3://{BUCKET}/p?endpoint_url={endpoint}&region=us-east-1&deadline=8"
    error = await told(open_store(url), call, 8)
    host = endpoint.removeprefix("http://")
    assert f"S3 at {host} cannot be reached" in f"{error} {error.__cause__}"


async def test_a_profile_that_does_not_exist_is_named(
    target: S3Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    error = await told(target.open(), "get", 2)
    assert type(error) is errors.InvalidCredentials
    assert "'no-such-profile'" in str(error)


class Refusal(NamedTuple):
    """A call that a service answers 501, and what the error must name."""

    call: Callable[[StateStore], Awaitable[Any]]
    method: str
    header: str  # that the service names
    words: list[str]
    absent: list[str]


DAY = timedelta(days=1)
REFUSALS = {
    "a write with tags": Refusal(
        lambda store: store.set("k", b"v", DAY),
        "PUT",
        "",
        ["PutObject with x-amz-tagging", "ttl_tags=false"],
        [],
    ),
    "a write without": Refusal(
        lambda store: store.set("k", b"v"), "PUT", "", ["PutObject"], ["ttl_tags"]
    ),
    "a creation": Refusal(
        lambda store: store.set("k", b"v", if_version=Version.ABSENT),
        "PUT",
        "If-None-Match",
        ["PutObject with if-none-match"],
        ["ttl_tags"],
    ),
    "a listing": Refusal(
        lambda store: store.list_snapshots("acme"), "GET", "", ["ListObjectsV2"], ["ttl_tags"]
    ),
}


@pytest.mark.parametrize("engine_name", ["sdk", "http"])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_501_names_the_call_and_the_header_that_was_refused(
    moto: Server, proxy: FaultProxy, engine_name: str, refusal: Refusal
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    header = f"<Header>{refusal.header}</Header>" if refusal.header else ""
    body = f"<Error><Code>NotImplemented</Code><Message>no</Message>{header}</Error>"
    proxy.always(
        Answer(501, (("Content-Type", "application/xml"),), body.encode(), when=on(refusal.method))
    )
    async with target.open() as store:
        await store.set("other", b"v") if refusal.method != "PUT" else None
        with pytest.raises(errors.RequestRejected) as caught:
            await refusal.call(store)
    assert all(word in str(caught.value) for word in refusal.words), str(caught.value)
    assert not any(word in str(caught.value) for word in refusal.absent)


@pytest.mark.parametrize("engine_name", ["sdk", "http"])
async def test_a_501_without_a_reason_names_them_too(
    moto: Server, proxy: FaultProxy, engine_name: str
) -> None:
    target = S3Target(moto, raw_client(moto), proxy, engine_name)
    proxy.always(Answer(501, when=on("PUT")))
    async with target.open() as store:
        with pytest.raises(errors.RequestRejected, match=r"with x-amz-tagging; ttl_tags=false"):
            await store.set("k", b"v", DAY)
    assert proxy.count("PUT") == 1


TWO_SERVERS = """
import asyncio, sys
from statebucket import errors, open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        try:
            await store.get("k")
        except errors.StateBucketError as error:
            print(error, error.__cause__)

asyncio.run(main())
"""


async def test_a_reply_that_the_http_client_refuses_is_named_by_its_reason(
    moto: Server, proxy: FaultProxy
) -> None:
    two = (("Server", "one"), ("Server", "two"))
    proxy.always(RewriteReply(lambda reply, _: Reply(reply.status, two, reply.body)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TWO_SERVERS),
        f"s3://{BUCKET}/p?endpoint_url={proxy.url}&region=us-east-1&deadline=8",
        env=os.environ | moto.environ | {"PYTHONASYNCIODEBUG": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert b"Duplicate 'Server' header" in said

"""What the replies of key services mean."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters.s3.http.sources import (
    JSON,
    SECRET,
    SOURCES,
    XML,
    Source,
    body,
    instance,
    keys_of,
    machine,
    moment,
    of_sts,
    opened,
    port_of,
    sts_body,
    sts_error,
)
from statebucket import errors
from statebucket.sync import open_store as open_blocking
from support.error_texts import locals_behind, texts
from support.fault_proxy.messages import Reply
from support.fault_proxy.proxy import Answer, BlackHole, DropReply, FaultProxy

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import Fault

pytestmark = pytest.mark.asyncio

Outcome = tuple[str, "Fault", type[errors.StateBucketError], str]
NONE, AWAY = errors.InvalidCredentials, errors.Unavailable


def refusal(status: int, code: str) -> Answer:
    return Answer(status, JSON, f'{{"code": "{code}", "message": "{SECRET}"}}'.encode())


def key(**changes: Any) -> Fault:
    """What stands for a container's key."""
    return Answer(200, JSON, body(f"{SECRET}-key", **changes))


def role(reply: Reply) -> Fault:
    """An instance whose role is answered so."""
    return instance(reply)


ANSWERS: dict[str, Outcome] = {
    "away": ("container", Answer(503), AWAY, "answered 503"),
    "failing": ("container", Answer(500, (), b"hunter2"), AWAY, "answered 500"),
    "busy": ("container", Answer(429), AWAY, "answered 429"),
    "late": ("container", Answer(408), AWAY, "answered 408"),
    "lost": ("container", DropReply(), AWAY, "was lost"),
    "a wrong token": (
        "container",
        refusal(401, "Unauthorized"),
        NONE,
        "401 Unauthorized; see AWS_CONTAINER",
    ),
    "forbidden": ("container", refusal(403, "AccessDenied"), NONE, "403 AccessDenied"),
    "no such path": ("container", Answer(404, (), b"hunter2"), NONE, "answered 404"),
    "a redirection": ("container", Answer(302, (("Location", "x"),)), NONE, "answered 302"),
    "nothing": ("container", Answer(200, JSON), AWAY, "malformed"),
    "a flood": ("container", Answer(200, JSON, b" " * 300_000), AWAY, "is longer than"),
    "a page": ("container", Answer(200, (), b"<html>hunter2"), AWAY, "malformed"),
    "a list": ("container", Answer(200, JSON, b"[]"), AWAY, "malformed"),
    "cut": ("container", Answer(200, JSON, b'{"AccessKeyId": "hunter2'), AWAY, "malformed"),
    "no text": ("container", Answer(200, JSON, b'{"AccessKeyId": "hunter2\xff'), AWAY, "malformed"),
    "nested": ("container", Answer(200, JSON, b"[" * 5000), AWAY, "malformed"),
    "another type": ("container", Answer(200, JSON, b'{"AccessKeyId": 1}'), AWAY, "malformed"),
    "no id": ("container", key(AccessKeyId=None), AWAY, "malformed"),
    "no secret": ("container", key(SecretAccessKey=None), AWAY, "malformed"),
    "no token": ("container", key(Token=None), AWAY, "malformed"),
    "no end": ("container", key(Expiration=None), AWAY, "malformed"),
    "an end that is text": ("container", key(Expiration="soon"), AWAY, "malformed"),
    "an end of no zone": ("container", key(Expiration="2099-01-01T00:00:00"), AWAY, "malformed"),
    "ended": ("container", key(Expiration=moment(-1)), AWAY, "already expired"),
    "a line break": ("container", key(Token="hunter2\r\nx: y"), NONE, "line break"),
    "no ASCII": ("container", key(AccessKeyId="hunter2\u20ac"), NONE, "invalid character"),
    "no UTF-8": (
        "container",
        Answer(200, JSON, body("K", SecretAccessKey="hunter2\udcff")),
        AWAY,
        "malformed",
    ),
    "metadata are off": ("instance", instance(Reply(200), token=Reply(403)), NONE, "IMDSv2"),
    "no version 2": ("instance", instance(Reply(200), token=Reply(404)), NONE, "IMDSv2"),
    "a bad request": ("instance", instance(Reply(200), token=Reply(400)), NONE, "answered 400"),
    "no token is given": ("instance", instance(Reply(200), token=Reply(503)), AWAY, "503"),
    "an empty token": ("instance", instance(Reply(200), token=Reply(200)), AWAY, "malformed"),
    "a token of two lines": (
        "instance",
        instance(Reply(200), token=Reply(200, (), b"hunter2\nx: y")),
        AWAY,
        "malformed",
    ),
    "a token that is another's": (
        "instance",
        instance(Reply(200), token=Reply(200, (), b"hunter2-another")),
        AWAY,
        "its own token",
    ),
    "no role": ("instance", instance(Reply(200), Reply(404)), NONE, "has the instance a role"),
    "no name of a role": ("instance", instance(Reply(200), Reply(200)), NONE, "has no role"),
    "a page of roles": (
        "instance",
        instance(Reply(200), Reply(200, (), b"<html lang=hunter2>")),
        AWAY,
        "malformed",
    ),
    "roles fail": ("instance", instance(Reply(200), Reply(500)), AWAY, "answered 500"),
    "no key": ("instance", role(Reply(404)), NONE, "answered 404"),
    "a key fails": ("instance", role(Reply(500)), AWAY, "answered 500"),
    "a page for a key": ("instance", role(Reply(200, (), b"<html>hunter2")), AWAY, "malformed"),
    "a role that trusts another": (
        "instance",
        role(Reply(200, JSON, body("K", Code="AssumeRoleUnauthorizedAccess"))),
        NONE,
        "says AssumeRoleUnauthorizedAccess",
    ),
    "a key without an end": (
        "instance",
        role(Reply(200, JSON, body("hunter2", Expiration=None))),
        AWAY,
        "malformed",
    ),
    "an expired identity": (
        "web identity",
        sts_error(400, "ExpiredTokenException"),
        NONE,
        "400 ExpiredTokenException to the token of AWS_WEB_IDENTITY_TOKEN_FILE for AWS_ROLE_ARN",
    ),
    "no trust": ("web identity", sts_error(403, "AccessDenied"), NONE, "403 AccessDenied"),
    "another's page": ("web identity", Answer(403, (), b"<html>hunter2"), NONE, "answered 403"),
    "the issuer is away": ("web identity", sts_error(400, "IDPCommunicationError"), AWAY, "IDP"),
    "too often": ("web identity", sts_error(400, "Throttling"), AWAY, "400 Throttling"),
    "STS fails": ("web identity", sts_error(500, "InternalFailure"), AWAY, "500"),
    "STS is busy": ("web identity", Answer(503), AWAY, "answered 503"),
    "no XML": ("web identity", Answer(200, (), b"hunter2"), AWAY, "malformed"),
    "another document": ("web identity", Answer(200, XML, b"<a>hunter2</a>"), AWAY, "malformed"),
    "an empty document": ("web identity", Answer(200, XML, b"<a/>"), AWAY, "malformed"),
    "a document type": (
        "web identity",
        Answer(200, XML, b'<!DOCTYPE a [<!ENTITY b "hunter2">]><a>&b;</a>'),
        AWAY,
        "malformed",
    ),
    "STS gives no end": ("web identity", Answer(200, XML, sts_body("K", "")), AWAY, "malformed"),
    "STS gives no id": ("web identity", of_sts(""), AWAY, "malformed"),
    "STS gives what has ended": ("web identity", of_sts("K", -5), AWAY, "already expired"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_an_answer_means(
    bucket: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    source, fault, kind, words = ANSWERS[name]
    SOURCES[source].environment(monkeypatch, service, tmp_path)
    service.always(fault)
    store = port_of(bucket)
    for _ in range(2):  # it is asked again the next time
        with pytest.raises(kind) as caught:
            await store.get("a")
        assert type(caught.value) is kind
        assert words in caught.value.message
        assert caught.value.outcome == "none"
        assert SECRET not in "".join(texts(caught.value))
        leaked = [one for one in locals_behind(caught.value) if SECRET in one]
        assert all("=Credentials(" in one for one in leaked), leaked  # the key's public part
    assert [one.target for one in service.requests].count(service.requests[0].target) == 2
    assert bucket.count() == 0
    await store.close()


async def test_a_service_that_hangs_ends_with_the_deadline(
    bucket: FaultProxy, service: FaultProxy, source: Source
) -> None:
    service.always(BlackHole())
    begun = time.monotonic()
    async with opened(bucket, deadline=0.6) as store:
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
            await store.set("a", b"v")
    url = f"s3://bucket/app?endpoint_url={bucket.url}&engine=http"
    blocking = open_blocking(url, deadline=0.6)
    with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
        await asyncio.to_thread(blocking.set, "a", b"v")
    blocking.shutdown()
    assert time.monotonic() - begun < 15
    assert bucket.count() == 0
    service.heal()
    service.always(source.granted("K1"))
    async with opened(bucket) as store:
        await store.get("a")


async def test_an_instance_that_is_silent_may_be_too_many_hops_away(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "0.3")
    service.always(BlackHole())
    with pytest.raises(errors.Unavailable, match="HttpPutResponseHopLimit"):
        await port_of(bucket).get("a")


async def test_a_certificate_that_is_not_trusted_is_no_passing_failure(
    bucket: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert service.count() == 0
    with FaultProxy("127.0.0.1", 1, tls="untrusted") as other:
        for source in ("container", "web identity"):
            SOURCES[source].environment(monkeypatch, other, tmp_path)
            async with opened(bucket) as store:
                with pytest.raises(errors.UntrustedCertificate, match="AWS_CA_BUNDLE"):
                    await store.get("a")
        assert other.ca_pem is not None
        (tmp_path / "ca.pem").write_bytes(other.ca_pem)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        other.always(of_sts("K1"))
        await port_of(bucket).get("a")
        assert keys_of(bucket) == ["K1"]

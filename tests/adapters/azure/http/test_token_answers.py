"""What the replies of token services mean."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from adapters.azure.http.sources import (
    JSON,
    NOT_FOUND,
    SECRET,
    SOURCES,
    application,
    granted,
    opened,
    refused,
)
from statebucket import errors
from statebucket.port.bucket import Location
from statebucket_azure import open_bucket_over_http
from support.error_texts import locals_behind, texts
from support.fault_proxy.proxy import Answer, BlackHole, DropReply, FaultProxy
from support.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import Fault

pytestmark = pytest.mark.asyncio

ANSWERS: dict[str, tuple[Fault, type[errors.StateBucketError], str]] = {
    "no identity": (
        refused(400, "invalid_request", NOT_FOUND),
        errors.InvalidCredentials,
        "400 invalid_request",
    ),
    "wrong secret": (
        refused(401, "invalid_client", f"AADSTS7000215: Invalid secret {SECRET}."),
        errors.InvalidCredentials,
        "401 invalid_client AADSTS7000215",
    ),
    "a description alone": (refused(403, "", SECRET), errors.InvalidCredentials, "answered 403"),
    "a page": (Answer(403, (), b"<html>"), errors.InvalidCredentials, "answered 403"),
    "a redirection": (Answer(302, (), b""), errors.InvalidCredentials, "answered 302"),
    "too many": (Answer(429, ()), errors.Unavailable, "answered 429"),
    "late": (Answer(408, ()), errors.Unavailable, "answered 408"),
    "failing": (Answer(500, ()), errors.Unavailable, "answered 500"),
    "busy": (Answer(503, ()), errors.Unavailable, "answered 503"),
    "lost": (DropReply(), errors.Unavailable, "was lost"),
    "nothing": (Answer(200, JSON, b""), errors.Unavailable, "malformed"),
    "a list": (Answer(200, JSON, b"[]"), errors.Unavailable, "malformed"),
    "no token": (Answer(200, JSON, b'{"expires_in": 9}'), errors.Unavailable, "malformed"),
    "no end": (
        Answer(200, JSON, b'{"access_token": "hunter2"}'),
        errors.Unavailable,
        "malformed",
    ),
    "no number": (
        Answer(200, JSON, b'{"access_token": "hunter2", "expires_on": "soon"}'),
        errors.Unavailable,
        "malformed",
    ),
    "cut": (Answer(200, JSON, b'{"access_token": "hunter2'), errors.Unavailable, "malformed"),
    "no text": (
        Answer(200, JSON, b'{"access_token": "hunter2\xff'),
        errors.Unavailable,
        "malformed",
    ),
    "nested": (Answer(200, JSON, b"[" * 5000), errors.Unavailable, "malformed"),
    "an empty token": (
        Answer(200, JSON, b'{"access_token": "", "expires_in": 9}'),
        errors.InvalidCredentials,
        "empty",
    ),
    "a line break": (granted(f"{SECRET}\n"), errors.InvalidCredentials, "line break"),
}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_an_answer_means(blobs: FaultProxy, service: FaultProxy, answer: str) -> None:
    fault, kind, words = ANSWERS[answer]
    service.always(fault)
    options = {"endpoint_url": f"{blobs.url}/account1"}
    bucket = open_bucket_over_http(Location("az", "container", "", options, 10.0, 4)).bucket
    for _ in range(2):  # it is asked again the next time
        with pytest.raises(kind, match=words) as caught:
            await bucket.get("a")
        assert type(caught.value) is kind
        assert caught.value.outcome == "none"
        assert SECRET not in "".join(texts(caught.value))
        assert [one for one in locals_behind(caught.value) if SECRET in one] == []
    assert service.count() == 2
    assert blobs.count() == 0
    await bucket.close()


@pytest.mark.parametrize(("name", "transient"), [("imds", True), ("app service", False)])
async def test_only_a_machines_service_may_be_away_for_a_moment(
    blobs: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    *,
    transient: bool,
) -> None:
    SOURCES[name](monkeypatch, service, tmp_path)
    for status in (404, 410):
        service.plan(Answer(status, ()), granted())
        async with opened(blobs) as store:
            if transient:
                await store.get("a")
            else:
                with pytest.raises(errors.InvalidCredentials, match=str(status)):
                    await store.get("a")
                service.plan()
        service.heal()


@pytest.mark.usefixtures("source")
async def test_a_service_that_hangs_ends_with_the_deadline(
    blobs: FaultProxy, service: FaultProxy
) -> None:
    service.always(BlackHole())
    begun = time.monotonic()
    async with opened(blobs, deadline=0.6) as store:
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
            await store.set("a", b"v")
    assert time.monotonic() - begun < 5
    assert blobs.count() == 0


async def test_a_certificate_that_is_not_trusted_is_no_passing_failure(
    blobs: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FaultProxy("127.0.0.1", 1, tls="untrusted") as other:
        SOURCES["federated"](monkeypatch, other, tmp_path)
        async with opened(blobs) as store:
            with pytest.raises(errors.UntrustedCertificate, match="SSL_CERT_FILE") as caught:
                await store.get("a")
    assert SECRET not in "".join(texts(caught.value))
    assert blobs.count() == 0


async def test_a_service_that_is_not_there(
    blobs: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{free_port()}/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)
    async with opened(blobs, deadline=0.4) as store:
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)) as caught:
            await store.get("a")
    assert SECRET not in "".join(texts(caught.value))


async def test_a_token_file_that_cannot_be_read(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    application(monkeypatch, service)
    for content in (None, b"", b"hunter2\xff", b"hunter2\nx"):
        path = tmp_path / "token"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
        async with opened(blobs) as store:
            with pytest.raises(
                errors.InvalidCredentials, match="AZURE_FEDERATED_TOKEN_FILE"
            ) as caught:
                await store.get("a")
        assert SECRET not in "".join(texts(caught.value))
    assert service.count() == 0

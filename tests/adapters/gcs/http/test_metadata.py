"""Tokens of a machine's service account: when they are requested, and how failures are handled."""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from adapters.gcs.http.conftest import GOOGLES, granted, tokens_asked, tokens_of
from statebucket import errors, open_store
from statebucket.admin.doctor import Examination
from support.error_texts import texts
from support.fault_proxy.proxy import (
    Answer,
    BlackHole,
    Delay,
    DropReply,
    Together,
    gcs_error,
    on,
)
from support.patience import happened
from support.servers.ports import free_port
from support.targets.gcs_bucket import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from statebucket import StateStore
    from statebucket_gcs.bucket import GCSBucket
    from support.fault_proxy.proxy import Fault, FaultProxy
    from support.targets.gcs_bucket import Around, Opened


@pytest.fixture
def own(proxy: FaultProxy, around: Around, opened: Opened) -> GCSBucket:
    """A bucket that needs a token."""
    return opened(proxy.url, around.bucket, anonymous="false", deadline=15.0)


def store_at(proxy: FaultProxy, around: Around, **options: Any) -> StateStore:
    return open_store(f"gs://{around.bucket}?engine=http&endpoint_url={proxy.url}", **options)


async def failure(call: Any) -> errors.StateBucketError:
    with pytest.raises(errors.StateBucketError) as caught:
        await call
    return caught.value


@pytest.mark.asyncio
async def test_a_token_is_requested_as_google_documents_it_and_kept(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)  # it takes no other package
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "billed")
    metadata.always(granted("t1"))
    await own.put(write("a"), None)
    assert await own.get("a") is not None
    assert await own.delete_many(["a"])
    assert tokens_of(proxy) == ["Bearer t1"] * 3
    assert {sent.header("x-goog-user-project") for sent in proxy.requests} == {"billed"}
    (asked,) = metadata.requests
    assert asked.method == "GET"
    assert asked.header("Metadata-Flavor") == "Google"
    assert asked.header("Authorization") is None
    assert "scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdevstorage" in asked.target


@pytest.mark.asyncio
async def test_a_token_that_lasts_is_used_while_the_metadata_server_hangs(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy
) -> None:
    metadata.plan(granted("t1", lasts=200))
    metadata.always(BlackHole())
    await own.put(write("a"), None)
    await asyncio.sleep(1.1)  # a token that comes with so little left is not renewed at once
    began = time.monotonic()
    await asyncio.gather(*(own.get("a") for _ in range(8)))
    assert time.monotonic() - began < 2.5  # the server is given up after three seconds
    assert tokens_of(proxy) == ["Bearer t1"] * 9
    await happened(lambda: len(tokens_asked(metadata)) == 2)  # beside the calls


@pytest.mark.asyncio
async def test_a_token_is_renewed_before_it_ends(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy
) -> None:
    metadata.plan(granted("t1", lasts=200))
    metadata.always(granted("t2"))
    for _ in range(500):
        await own.get("a")
        await asyncio.sleep(0.01)
        if tokens_of(proxy)[-1] == "Bearer t2":
            break
    assert tokens_of(proxy)[0] == "Bearer t1"
    assert len(tokens_asked(metadata)) == 2


def test_all_loops_and_threads_share_one_request(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy
) -> None:
    metadata.always(Together((Delay(0.3), granted("t1"))))

    async def several() -> None:
        await asyncio.gather(*(own.get(f"a{n}") for n in range(4)))
        await own.close()

    with ThreadPoolExecutor(4) as pool:
        for call in [pool.submit(asyncio.run, several()) for _ in range(4)]:
            call.result(20)
    assert tokens_of(proxy) == ["Bearer t1"] * 16
    assert len(metadata.requests) == 1


FAILURES: dict[str, tuple[Fault, type[errors.StateBucketError], str]] = {
    "403": (Answer(403, GOOGLES, b"not allowed"), errors.InvalidCredentials, "403: not allowed"),
    "404": (Answer(404, GOOGLES, b"no account"), errors.InvalidCredentials, "404: no account"),
    "another's 404": (Answer(404, (), b"s3cr3t"), errors.InvalidCredentials, "answered 404"),
    "AWS's 401": (Answer(401), errors.InvalidCredentials, "answered 401"),
    "another's 200": (
        Answer(200, (), b'{"access_token": "s3cr3t", "expires_in": 9999}'),
        errors.InvalidCredentials,
        "not Google's metadata server",
    ),
    "429": (Answer(429, GOOGLES), errors.Unavailable, "answered 429"),
    "500": (Answer(500, GOOGLES), errors.Unavailable, "answered 500"),
    "503": (Answer(503), errors.Unavailable, "answered 503"),
    "a page": (Answer(200, GOOGLES, b"<html>s3cr3t"), errors.Unavailable, "malformed"),
    "no end": (
        Answer(200, GOOGLES, b'{"access_token": "s3cr3t"}'),
        errors.Unavailable,
        "malformed",
    ),
    "an end that is text": (
        Answer(200, GOOGLES, b'{"access_token": "s3cr3t", "expires_in": "soon"}'),
        errors.Unavailable,
        "malformed",
    ),
    "another encoding": (Answer(200, GOOGLES, b"\xff\xfe"), errors.Unavailable, "malformed"),
    "no text": (
        Answer(200, GOOGLES, b'{"access_token": "s3cr3t\xff"}'),
        errors.Unavailable,
        "malformed",
    ),
    "a line break": (granted("s3cr3t\r\nx: y"), errors.InvalidCredentials, "line break"),
    "nothing": (granted(""), errors.InvalidCredentials, "empty"),
    "no reply": (DropReply(), errors.Unavailable, "was lost"),
    "silence": (BlackHole(), errors.Unavailable, "nothing moved"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FAILURES)
async def test_what_becomes_of_a_failure(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy, name: str
) -> None:
    fault, kind, words = FAILURES[name]
    metadata.plan(fault)
    error = await failure(own.put(write("a"), None))
    assert type(error) is kind
    assert words in error.message
    assert error.outcome == "none"
    assert "s3cr3t" not in "".join(texts(error))
    assert len(metadata.requests) == 1
    assert proxy.requests == []
    metadata.always(granted("t2"))
    await own.put(write("a"), None)  # the next call asks again


@pytest.mark.asyncio
async def test_a_store_whose_metadata_server_hangs_answers_by_its_deadline(
    proxy: FaultProxy, around: Around, metadata: FaultProxy
) -> None:
    metadata.always(BlackHole())
    async with store_at(proxy, around, deadline=3) as store:
        began = time.monotonic()
        error = await failure(store.set("k", b"v"))
    assert time.monotonic() - began < 12
    assert isinstance(error, errors.Unavailable | errors.DeadlineExceeded)
    assert len(metadata.requests) > 1  # it was tried again
    assert proxy.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ("", errors.InvalidCredentials),
        ("K_SERVICE", errors.Unavailable),
        ("CLOUD_RUN_JOB", errors.Unavailable),
        ("CLOUD_RUN_WORKER_POOL", errors.Unavailable),
    ],
)
async def test_where_no_metadata_server_is_to_be_expected_there_are_no_credentials(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, variable: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr("statebucket_gcs.http.metadata._ADDRESS", f"127.0.0.1:{free_port()}")
    if variable:
        monkeypatch.setenv(variable, "x")
    bucket = opened("http://127.0.0.1:1", "bucket", anonymous="false")
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is kind
    assert error.outcome == "none"
    assert ("GOOGLE_APPLICATION_CREDENTIALS" in error.message) is (not variable)


@pytest.mark.asyncio
async def test_a_machine_of_googles_is_known_by_its_maker(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("statebucket_gcs.http.metadata._ADDRESS", f"127.0.0.1:{free_port()}")
    (tmp_path / "product_name").write_text("Google Compute Engine\n")
    bucket = opened("http://127.0.0.1:1", "bucket", anonymous="false")
    assert type(await failure(bucket.put(write("a"), None))) is errors.Unavailable


@pytest.mark.asyncio
async def test_the_metadata_server_can_be_left_out(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    bucket = opened("http://127.0.0.1:1", "bucket", anonymous="false")
    error = await failure(bucket.put(write("a"), None))
    assert type(error) is errors.InvalidCredentials
    assert "NO_GCE_CHECK" in error.message


@pytest.mark.asyncio
async def test_a_token_that_is_revoked_is_replaced_once(
    own: GCSBucket, metadata: FaultProxy, proxy: FaultProxy
) -> None:
    metadata.plan(granted("t1"), granted("t2"))
    metadata.always(granted("t2"))  # which the metadata server keeps, too
    first = on(test=lambda request: request.header("authorization") == "Bearer t1")
    proxy.always(gcs_error(401, "authError", when=first))
    await own.put(write("a"), None)
    assert tokens_of(proxy) == ["Bearer t1", "Bearer t2"]
    proxy.heal()
    proxy.clear()
    proxy.always(gcs_error(401, "authError"))
    error = await failure(own.get("a"))
    assert type(error) is errors.InvalidCredentials
    assert tokens_of(proxy) == ["Bearer t2"]  # not sent again with the same
    assert "t2" not in "".join(texts(error))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("told", "status", "message"),
    [
        (Answer(200, GOOGLES, b"f@p.iam\n"), "ok", "serviceAccount:f@p.iam"),
        (Answer(404, GOOGLES), "unknown", "the metadata server does not say whose"),
    ],
)
async def test_the_doctor_learns_whose_the_tokens_are(
    proxy: FaultProxy,
    around: Around,
    metadata: FaultProxy,
    *,
    told: Answer,
    status: str,
    message: str,
) -> None:
    metadata.always(granted("t1", when=on(contains="/token")))
    metadata.always(replace(told, when=on(contains="/email")))
    async with store_at(proxy, around) as store:
        findings = [one async for one in Examination(store).findings()]
    (found,) = [one for one in findings if one.check == "identity"]
    assert found.status == status
    assert message in found.message


CALLS: dict[str, Callable[[StateStore], Any]] = {
    "set": lambda store: store.set("k", b"v"),
    "get": lambda store: store.get("k"),
    "delete": lambda store: store.delete("k"),
    "health_check": lambda store: store.health_check(),
}


@pytest.mark.asyncio
async def test_no_credentials_are_told_at_once_by_each_call(
    proxy: FaultProxy, around: Around, metadata: FaultProxy
) -> None:
    metadata.always(Answer(404, GOOGLES))
    async with store_at(proxy, around) as store:
        for name, call in CALLS.items():
            metadata.clear()
            error = await failure(call(store))
            assert type(error) is errors.InvalidCredentials, name
            assert len(metadata.requests) == 1, name
    assert proxy.requests == []

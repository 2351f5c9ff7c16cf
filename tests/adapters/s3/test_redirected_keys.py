"""Sources of keys: one that redirects gets no token sent there, one that fails is asked again."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from typing import TYPE_CHECKING

import pytest

from adapters.s3.http.sources import (
    JSON,
    SECRET,
    SOURCES,
    TOKEN_PATH,
    XML,
    instance,
    keys_of,
    machine,
    moment,
    sts_error,
    without_keys,
)
from statebucket import errors, open_store
from support.fault_proxy.proxy import Answer, FaultProxy, Reply, s3_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.fault_proxy.proxy import Fault

pytestmark = pytest.mark.asyncio

ENGINES = ["sdk", "http"]
KINDS = [302, 307]  # with a GET, and with the same request again


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """The source of keys; the environment names no other."""
    without_keys(monkeypatch)
    monkeypatch.setattr("statebucket_s3.http.chain._BOTO_FILES", ())
    with FaultProxy("127.0.0.1", 1) as proxy:
        yield proxy


@pytest.fixture
def elsewhere() -> Iterator[FaultProxy]:
    """The host that the source names."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(Answer(500))
        yield proxy


NO_KEY = (errors.InvalidCredentials, errors.Unavailable, TimeoutError)


async def without_a_key(engine: str, *more: type[Exception]) -> None:
    """A call of a store that gets no key, to a bucket that would answer."""
    with FaultProxy("127.0.0.1", 1) as bucket:
        bucket.always(s3_error(404, "NoSuchKey"))
        url = f"s3://bucket/app?endpoint_url={bucket.url}&region=us-east-1&engine={engine}"
        async with open_store(url, deadline=8) as store:
            with pytest.raises((*NO_KEY, *more)):
                await store.get("a")
        assert bucket.requests == []


async def with_the_key(engine: str, key: str) -> None:
    """A call of a store that gets a key, with which the request is signed."""
    with FaultProxy("127.0.0.1", 1) as bucket:
        bucket.always(s3_error(404, "NoSuchKey"))
        url = f"s3://bucket/app?endpoint_url={bucket.url}&region=us-east-1&engine={engine}"
        async with open_store(url) as store:
            assert await store.get("a") is None
        assert keys_of(bucket) == [key]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_that_redirects_has_no_key(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: FaultProxy,
    elsewhere: FaultProxy,
    name: str,
    kind: int,
    engine: str,
) -> None:
    SOURCES[name].environment(monkeypatch, service, tmp_path)
    service.always(Answer(kind, (("Location", f"{elsewhere.url}/"),)))
    await without_a_key(engine)
    assert service.requests
    assert elsewhere.requests == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_session_token_of_an_instance_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: FaultProxy,
    elsewhere: FaultProxy,
    kind: int,
    engine: str,
) -> None:
    machine(monkeypatch, service, tmp_path)
    away = Reply(kind, (("Location", f"{elsewhere.url}/"),), b"")
    redirecting: Fault = instance(away, roles=away)
    service.always(redirecting)
    await without_a_key(engine)
    assert service.requests[0].target == TOKEN_PATH
    assert elsewhere.requests == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SOURCES)
async def test_a_source_that_answers_is_used_without_a_proxy_before_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: FaultProxy,
    elsewhere: FaultProxy,
    name: str,
    engine: str,
) -> None:
    source = SOURCES[name]
    source.environment(monkeypatch, service, tmp_path)
    service.always(source.granted("K1"))
    monkeypatch.setenv("HTTP_PROXY", elsewhere.url)  # which would receive the key in clear text
    await with_the_key(engine, "K1")
    assert service.count() == source.requests
    assert elsewhere.requests == []


UNVERIFIED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>"
    "<Message>Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements</Message></Error></ErrorResponse>"
)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_web_identity_whose_issuer_sts_did_not_reach_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: FaultProxy, engine: str
) -> None:
    source = SOURCES["web identity"]
    source.environment(monkeypatch, service, tmp_path)
    service.always(Answer(400, XML, UNVERIFIED.encode()), times=1)
    service.always(source.granted("K1"))
    await with_the_key(engine, "K1")
    assert service.count() == 2


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_role_that_a_web_identity_may_not_take_is_no_missing_right_of_s3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: FaultProxy, engine: str
) -> None:
    SOURCES["web identity"].environment(monkeypatch, service, tmp_path)
    service.always(sts_error(403, "AccessDenied"))  # whose text quotes the token
    url = f"s3://bucket/app?endpoint_url=http://127.0.0.1:1&region=us-east-1&engine={engine}"
    async with open_store(url) as store:
        with pytest.raises(errors.InvalidCredentials, match="AccessDenied") as caught:
            await store.get("a")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "s3:ListBucket" not in str(caught.value)


START = "https://start.example"


def signed_on(monkeypatch: pytest.MonkeyPatch, service: FaultProxy, folder: Path) -> None:
    """Names a profile whose user has signed on at IAM Identity Center."""
    config = folder / "config"
    config.write_text(
        f"[profile app]\nsso_start_url = {START}\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = app-role\n"
    )
    token = {"accessToken": SECRET, "expiresAt": moment(3600), "region": "us-east-1"}
    cached = folder / f"{hashlib.sha1(START.encode(), usedforsecurity=False).hexdigest()}.json"
    cached.write_text(json.dumps(token | {"startUrl": START}))
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(folder))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "app")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", service.url)


@pytest.mark.parametrize("engine", ENGINES)
async def test_who_has_signed_on_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: FaultProxy, engine: str
) -> None:
    signed_on(monkeypatch, service, tmp_path)
    key = {"accessKeyId": "K1", "secretAccessKey": SECRET, "sessionToken": "t"}
    expires = int((time.time() + 3600) * 1000)
    granted = json.dumps({"roleCredentials": key | {"expiration": expires}})
    service.always(Answer(200, JSON, granted.encode()))
    await with_the_key(engine, "K1")
    assert service.count() == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_refusal_that_quotes_the_token_of_who_has_signed_on_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: FaultProxy, engine: str
) -> None:
    signed_on(monkeypatch, service, tmp_path)
    refusal = json.dumps({"message": f"Session token {SECRET} not found or invalid"})
    named = ("x-amzn-ErrorType", "UnauthorizedException")
    service.always(Answer(401, (*JSON, named), refusal.encode()))
    url = f"s3://bucket/app?endpoint_url=http://127.0.0.1:1&region=us-east-1&engine={engine}"
    async with open_store(url) as store:
        with pytest.raises(errors.InvalidCredentials) as caught:
            await store.get("a")
    assert service.requests
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_token_of_who_has_signed_on_goes_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    service: FaultProxy,
    elsewhere: FaultProxy,
    kind: int,
    engine: str,
) -> None:
    signed_on(monkeypatch, service, tmp_path)
    service.always(Answer(kind, (("Location", f"{elsewhere.url}/"),)))
    await without_a_key(engine)
    assert service.requests
    assert elsewhere.requests == []

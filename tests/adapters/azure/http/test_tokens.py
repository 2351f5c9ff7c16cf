"""Where tokens come from: the requests to each source, and how they are sent."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.azure.http.sources import (
    JSON,
    RESOURCE,
    SECRET,
    SOURCES,
    app_service,
    bearers,
    federated,
    granted,
    imds,
    opened,
)
from statebucket import errors, open_store
from statebucket_azure.http.token_services import TokenService
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, BlackHole, azure_error

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_proxy.proxy import FaultProxy

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("identity", ["", "client-1"])
async def test_a_function_is_asked_for_its_managed_identity(
    blobs: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    identity: str,
) -> None:
    app_service(monkeypatch, service, tmp_path)
    monkeypatch.setenv("AZURE_CLIENT_ID", identity)
    service.always(granted())
    async with opened(blobs) as store:
        assert [await store.get(key) for key in "ab"] == [None, None]
    assert bearers(blobs) == ["Bearer t-1"] * 2
    (asked,) = service.requests
    url = urlsplit(asked.target)
    assert (asked.method, url.path) == ("GET", "/msi/token")
    query = {"api-version": ["2019-08-01"], "resource": [RESOURCE]}
    assert parse_qs(url.query) == query | ({"client_id": ["client-1"]} if identity else {})
    assert asked.header("x-identity-header") == SECRET


async def test_a_machine_is_asked_for_its_managed_identity(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    imds(monkeypatch, service, tmp_path)
    service.always(granted())
    async with opened(blobs) as store:
        await store.get("a")
    assert bearers(blobs) == ["Bearer t-1"]
    (asked,) = service.requests
    url = urlsplit(asked.target)
    assert (asked.method, url.path) == ("GET", "/metadata/identity/oauth2/token")
    assert parse_qs(url.query) == {"api-version": ["2018-02-01"], "resource": [RESOURCE]}
    assert asked.header("metadata") == "true"


@pytest.mark.parametrize("kind", ["federated", "client secret"])
async def test_entra_is_asked_for_an_application(
    blobs: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
) -> None:
    SOURCES[kind](monkeypatch, service, tmp_path)
    service.always(Answer(200, JSON, b'{"access_token": "t-1", "expires_in": 3599}'))
    async with opened(blobs) as store:
        await store.get("a")
    assert bearers(blobs) == ["Bearer t-1"]
    (asked,) = service.requests
    assert (asked.method, asked.target) == ("POST", "/tenant-1/oauth2/v2.0/token")
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    proof = {"client_secret": [SECRET]}
    if kind == "federated":
        of_jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        proof = {"client_assertion": [SECRET], "client_assertion_type": [of_jwt]}
    assert parse_qs(asked.body.decode()) == proof | {
        "grant_type": ["client_credentials"],
        "client_id": ["client-1"],
        "scope": [f"{RESOURCE}/.default"],
    }


async def test_a_file_is_read_again_for_each_token(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    federated(monkeypatch, service, tmp_path)
    service.plan(granted("t-1", seconds=5), granted("t-2"))
    async with opened(blobs) as store:
        await store.get("a")
        (tmp_path / "token").write_text("another")
        await store.get("b")
    assert bearers(blobs) == ["Bearer t-1", "Bearer t-2"]
    sent = [parse_qs(request.body.decode())["client_assertion"] for request in service.requests]
    assert sent == [[SECRET], ["another"]]


@pytest.mark.usefixtures("source")
async def test_a_token_is_requested_once_for_all_loops_and_calls(
    blobs: FaultProxy, service: FaultProxy
) -> None:
    service.always(granted())
    store = opened(blobs)

    async def some() -> None:
        await asyncio.gather(*(store.get(f"k{number}") for number in range(8)))

    await asyncio.gather(*(asyncio.to_thread(lambda: asyncio.run(some())) for _ in range(3)))
    assert service.count() == 1
    assert bearers(blobs) == ["Bearer t-1"] * 24


async def test_one_that_lasts_is_renewed_beside_the_calls(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    imds(monkeypatch, service, tmp_path)
    service.plan(granted("t-1", seconds=200), BlackHole())
    async with opened(blobs) as store:
        await asyncio.gather(*(store.get(f"k{number}") for number in range(8)))
        await asyncio.sleep(1.1)  # a token that comes with so little left is not renewed at once
        await asyncio.gather(*(store.get(f"k{number}") for number in range(8)))
        for _ in range(2000):
            if service.count() == 2:
                break
            await asyncio.sleep(0.01)
    assert bearers(blobs) == ["Bearer t-1"] * 16
    assert service.count() == 2


async def test_one_that_was_revoked_is_replaced_once(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    imds(monkeypatch, service, tmp_path)
    service.plan(granted("t-1"), granted("t-2"))
    service.always(granted("t-2"))
    async with opened(blobs) as store:
        blobs.plan(azure_error(401, "InvalidAuthenticationInfo"))
        assert await store.get("a") is None
        assert bearers(blobs) == ["Bearer t-1", "Bearer t-2"]
        blobs.heal()
        blobs.always(azure_error(401, "InvalidAuthenticationInfo"))
        with pytest.raises(errors.InvalidCredentials):
            await store.get("a")  # the source gives the same again
    assert bearers(blobs)[2:] == ["Bearer t-2"]


@pytest.mark.parametrize("kind", ["app service", "imds", "federated", "client secret"])
async def test_nothing_is_sent_to_a_token_service_elsewhere_in_clear_text(
    blobs: FaultProxy,
    service: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
) -> None:
    SOURCES[kind](monkeypatch, service, tmp_path)
    for name in ("IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_AUTHORITY_HOST"):
        if name in os.environ:
            monkeypatch.setenv(name, "http://192.0.2.1/x")
    async with opened(blobs, insecure_endpoint=True) as store:
        with pytest.raises(errors.InvalidArgument, match=r"clear text.*192\.0\.2\.1") as caught:
            await store.get("a")
    assert SECRET not in "".join(texts(caught.value))


# The first as seen in a function on the Consumption plan:
# https://github.com/pumasecurity/serverless-prey, cougar/docs/CONSUMPTION.md (newer versions)
@pytest.mark.parametrize("host", ["172.16.1.3:8081", "10.0.0.2"])
async def test_a_functions_own_endpoint_may_be_in_a_private_network(
    blobs: FaultProxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    url = f"http://{host}/msi/token"
    TokenService("the endpoint", url, 10.0, platform=True)
    with pytest.raises(errors.InvalidArgument, match="clear text"):
        TokenService("the endpoint", url, 10.0)
    # A port that none has, so that nothing is sent to that address from here.
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{host.partition(':')[0]}:99999/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", SECRET)
    async with opened(blobs) as store:
        with pytest.raises(errors.InvalidArgument, match="must be http://host") as caught:
            await store.get("a")
    assert "clear text" not in str(caught.value)


async def test_a_token_service_without_a_valid_url_is_named(
    blobs: FaultProxy, service: FaultProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    SOURCES["app service"](monkeypatch, service, tmp_path)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://[::1/msi/token")
    async with opened(blobs) as store:
        with pytest.raises(errors.InvalidArgument, match="managed identity's endpoint is not a"):
            await store.get("a")


@pytest.mark.parametrize("insecure", [False, True])
async def test_no_token_is_sent_to_a_container_elsewhere_in_clear_text(*, insecure: bool) -> None:
    with pytest.raises(errors.InvalidArgument, match="clear text"):
        open_store(
            "az://container?endpoint_url=http://192.0.2.1/a&engine=http",
            insecure_endpoint=insecure,
        )

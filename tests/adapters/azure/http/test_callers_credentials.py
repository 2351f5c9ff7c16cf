"""The caller's credentials, keys and signatures, none of which is shown."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from adapters.azure.http.sources import SECRET, Blocking, bearers, opened
from statebucket import errors, open_store
from statebucket.port.bucket import Location
from statebucket_azure import open_bucket_over_http
from statebucket_azure.http.options import HTTPOptions
from support.error_texts import texts
from support.patience import happened
from support.servers import AZURE_KEY

if TYPE_CHECKING:
    from support.fault_proxy.proxy import FaultProxy

pytestmark = pytest.mark.asyncio


class Asynchronous(Blocking):
    async def get_token(self, *scopes: str) -> AccessToken:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().get_token(*scopes)


@pytest.mark.parametrize("kind", [Blocking, Asynchronous])
async def test_a_credential_of_the_callers(blobs: FaultProxy, kind: type[Blocking]) -> None:
    credential = kind()
    async with opened(blobs, credential=credential) as store:
        for key in "abc":
            await store.get(key)
    assert bearers(blobs) == ["Bearer of-the-caller"] * 3
    assert credential.asked == 1
    for error, expected in (
        (CredentialUnavailableError("no owner"), errors.InvalidCredentials),
        (ClientAuthenticationError(f"Bearer {SECRET}"), errors.InvalidCredentials),
        (ServiceRequestError("no way"), errors.Unavailable),
    ):
        credential.error = error
        bucket = open_bucket_over_http(
            Location(
                "az",
                "container",
                "",
                {"endpoint_url": f"{blobs.url}/a", "credential": credential},
                10.0,
                4,
            )
        ).bucket
        with pytest.raises(expected) as caught:
            await bucket.get("a")
        assert SECRET not in "".join(texts(caught.value))


async def test_an_asynchronous_one_is_renewed_beside_the_calls(blobs: FaultProxy) -> None:
    given: asyncio.Queue[AccessToken] = asyncio.Queue()
    asked = 0

    class Slow:
        async def get_token(self, *_: str) -> AccessToken:
            nonlocal asked
            asked += 1
            return await given.get()

    given.put_nowait(AccessToken("t-1", int(time.time()) + 100))
    async with opened(blobs, credential=Slow()) as store:
        await store.get("a")
        await asyncio.sleep(1.1)  # a token that comes with so little left is not renewed at once
        for _ in range(2):
            await store.get("a")
        await happened(lambda: asked == 2)
        given.put_nowait(AccessToken("t-2", int(time.time()) + 3600))
        while bearers(blobs)[-1] == "Bearer t-1":
            await store.get("a")
    assert bearers(blobs)[:3] == ["Bearer t-1"] * 3
    assert bearers(blobs)[-1] == "Bearer t-2"
    assert asked == 2


async def test_an_asynchronous_one_that_fails_is_not_asked_with_each_call(
    blobs: FaultProxy,
) -> None:
    credential = Asynchronous()
    credential.lasts = 100
    async with opened(blobs, credential=credential) as store:
        await store.get("a")
        credential.error = ServiceRequestError("no way")
        began = time.monotonic()
        for _ in range(50):
            await store.get("a")
            await asyncio.sleep(0.03)
    assert 2 <= credential.asked <= 2 + (time.monotonic() - began)
    assert set(bearers(blobs)) == {"Bearer of-the-caller"}


async def test_a_key_or_signature_of_the_callers_may_be_exchanged(blobs: FaultProxy) -> None:
    key = AzureNamedKeyCredential("account1", AZURE_KEY)
    async with opened(blobs, credential=key) as store:
        await store.get("a")
        key.update("account2", AZURE_KEY)
        await store.get("a")
    assert [text.partition(":")[0] for text in bearers(blobs)] == [
        "SharedKey account1",
        "SharedKey account2",
    ]
    blobs.clear()
    sas = AzureSasCredential("sv=1&sig=a%2Fb")
    async with opened(blobs, credential=sas) as store:
        await store.get("a")
        sas.update("?sv=2&sig=c")
        await store.get("a")
    queries = [request.target.partition("?")[2] for request in blobs.requests]
    assert queries == ["sv=1&sig=a%2Fb", "sv=2&sig=c"]


async def test_secrets_as_keywords(blobs: FaultProxy) -> None:
    for keywords, mark in (
        ({"account": "account1", "account_key": AZURE_KEY}, "SharedKey account1:"),
        ({"sas_token": "?sv=1&sig=x"}, "None"),
    ):
        async with opened(blobs, **keywords) as store:
            await store.get("a")
        assert bearers(blobs)[-1].startswith(mark)
    assert blobs.requests[-1].target.endswith("?sv=1&sig=x")


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"account_key": AZURE_KEY}, errors.InvalidURL, "account=NAME"),
        ({"account_key": "hunter2", "account": "a"}, errors.InvalidCredentials, "base64"),
        ({"sas_token": "hunter2"}, errors.InvalidCredentials, "SAS"),
        ({"sas_token": "sig=hunter2\n x"}, errors.InvalidCredentials, "SAS"),
        (
            {"account_key": AZURE_KEY, "sas_token": "sig=hunter2"},
            errors.InvalidArgument,
            "exclude one another",
        ),
        ({"credential": object()}, errors.InvalidArgument, "builtins.object"),
    ],
)
async def test_secrets_that_do_not_fit_are_refused_and_not_shown(
    blobs: FaultProxy, options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        opened(blobs, **options)
    shown = "".join(texts(caught.value))
    assert SECRET not in shown
    assert AZURE_KEY not in shown


async def test_no_secret_goes_into_a_url_or_a_repr(blobs: FaultProxy) -> None:
    for name in ("account_key", "sas_token"):
        with pytest.raises(errors.InvalidURL):
            open_store(f"az://container?account=account1&engine=http&{name}=x")
    for keywords in ({"account_key": AZURE_KEY, "account": "a"}, {"sas_token": "sig=hunter2"}):
        location = Location("az", "c", "/p", {"endpoint_url": f"{blobs.url}/a"} | keywords, 1.0, 4)
        bucket = open_bucket_over_http(location).bucket
        shown = f"{HTTPOptions.of(location)!r} {bucket!r} {vars(bucket)!r}"
        assert SECRET not in shown
        assert AZURE_KEY not in shown


async def test_the_doctor_says_whose_a_token_is(blobs: FaultProxy) -> None:
    claims = base64.urlsafe_b64encode(b'{"oid": "o-1", "appid": "a-1"}').decode().rstrip("=")

    class Named:
        def get_token(self, *_: str) -> AccessToken:
            return AccessToken(f"head.{claims}.signature", int(time.time()) + 3600)

    class Anonymous:
        def get_token(self, *_: str) -> AccessToken:
            raise ClientAuthenticationError("no owner")

    for credential, status, words in (
        (Named(), "ok", "object id o-1, application a-1"),
        (Anonymous(), "unknown", "InvalidCredentials"),
        (Blocking(), "unknown", "does not show its owner"),
    ):
        options = {"endpoint_url": f"{blobs.url}/a", "credential": credential}
        bucket: Any = open_bucket_over_http(Location("az", "c", "", options, 10.0, 4)).bucket
        (found,) = [one for one in await bucket.examine("") if one.check == "identity"]
        assert found.status == status
        assert words in found.message
        assert claims not in str(found)


async def test_without_a_key_or_signature_no_credentials_are_sent(
    blobs: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"BlobEndpoint={blobs.url}/account1"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    bucket: Any = open_bucket_over_http(Location("az", "container", "", {}, 10.0, 4)).bucket
    assert await bucket.get("a") is None
    (found,) = [one for one in await bucket.examine("") if one.check == "identity"]
    assert found.message == "no credentials are sent"
    assert {request.header("authorization") for request in blobs.requests} == {None}

"""Where tokens come from: what is asked of each source, and what its answers mean."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import azure.identity
import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from statebucket import StateStore, errors, open_store
from statebucket.port.bucket import Location
from statebucket_azure import open_bucket_over_http
from statebucket_azure.http import tokens
from statebucket_azure.http.options import HTTPOptions
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, DropReply, HangBeforeReply, azure_error, on
from support.servers import AZURE_KEY
from support.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.fault_proxy.proxy import Fault, FaultProxy

pytestmark = pytest.mark.asyncio

SECRET = "hunter2"
JSON = (("Content-Type", "application/json"),)
RESOURCE = "https://storage.azure.com"


def granted(token: str = "t-1", seconds: float = 3600) -> Answer:
    """A token, as the endpoints of managed identities give it."""
    ends = int(time.time() + seconds)
    body = {"access_token": token, "expires_on": str(ends), "token_type": "Bearer"}
    return Answer(200, JSON, json.dumps(body).encode())


def refused(status: int, error: str, description: str) -> Answer:
    body = {"error": error, "error_description": description}
    return Answer(status, JSON, json.dumps(body).encode())


def opened(blobs: FaultProxy, **options: Any) -> StateStore:
    return open_store(
        f"az://container/app?endpoint_url={blobs.url}/account1&engine=http", **options
    )


def bearers(blobs: FaultProxy) -> list[str]:
    return [str(request.header("authorization")) for request in blobs.requests]


def app_service(patch: pytest.MonkeyPatch, service: FaultProxy, _: Path) -> None:
    patch.setenv("IDENTITY_ENDPOINT", f"{service.url}/msi/token")
    patch.setenv("IDENTITY_HEADER", SECRET)


def imds(patch: pytest.MonkeyPatch, service: FaultProxy, _: Path) -> None:
    patch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"{service.url}/")


def application(patch: pytest.MonkeyPatch, service: FaultProxy) -> None:
    patch.setenv("AZURE_AUTHORITY_HOST", service.url)
    patch.setenv("AZURE_TENANT_ID", "tenant-1")
    patch.setenv("AZURE_CLIENT_ID", "client-1")


def federated(patch: pytest.MonkeyPatch, service: FaultProxy, folder: Path) -> None:
    application(patch, service)
    (folder / "token").write_text(f"{SECRET}\n")
    patch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(folder / "token"))


def client_secret(patch: pytest.MonkeyPatch, service: FaultProxy, _: Path) -> None:
    application(patch, service)
    patch.setenv("AZURE_CLIENT_SECRET", SECRET)


SOURCES: dict[str, Callable[[pytest.MonkeyPatch, FaultProxy, Path], None]] = {
    "app service": app_service,
    "imds": imds,
    "federated": federated,
    "client secret": client_secret,
}


@pytest.fixture(params=SOURCES)
def source(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    service: FaultProxy,
    tmp_path: Path,
) -> str:
    """Each source of tokens, which the environment names; none of them needs a package."""
    SOURCES[request.param](monkeypatch, service, tmp_path)
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    # A proxy would see the token, or the header that asks for it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    return str(request.param)


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
    service.plan(granted("t-1", seconds=200), HangBeforeReply())
    async with opened(blobs) as store:
        await asyncio.gather(*(store.get(f"k{number}") for number in range(8)))
        await asyncio.to_thread(service.wait_for, on("GET"))
        await asyncio.gather(*(store.get(f"k{number}") for number in range(8)))
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


NOT_FOUND = "Identity not found"
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
    "no text": (Answer(200, JSON, b'{"access_token": "\xff'), errors.Unavailable, "malformed"),
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
    service.always(HangBeforeReply())
    begun = time.monotonic()
    async with opened(blobs, deadline=0.6) as store:
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
            await store.set("a", b"v")
    assert time.monotonic() - begun < 5
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
    for content in (None, b"\xff"):
        path = tmp_path / "token"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
        async with opened(blobs) as store:
            with pytest.raises(errors.InvalidCredentials, match="AZURE_FEDERATED_TOKEN_FILE"):
                await store.get("a")
    assert service.count() == 0


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


@pytest.mark.parametrize("insecure", [False, True])
async def test_no_token_is_sent_to_a_container_elsewhere_in_clear_text(*, insecure: bool) -> None:
    with pytest.raises(errors.InvalidArgument, match="clear text"):
        open_store(
            "az://container?endpoint_url=http://192.0.2.1/a&engine=http",
            insecure_endpoint=insecure,
        )


class Login:
    """What stands for DefaultAzureCredential, which would look for a login on this machine."""

    made = 0

    def __init__(self) -> None:
        Login.made += 1

    def get_token(self, *scopes: str) -> AccessToken:
        assert scopes == (f"{RESOURCE}/.default",)
        return AccessToken("of-a-login", int(time.time()) + 3600)


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> type[Login]:
    Login.made = 0
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Login)
    return Login


@pytest.mark.parametrize(
    "environ",
    [
        {"AZURE_TOKEN_CREDENTIALS": "dev"},
        {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"},
        {"IDENTITY_ENDPOINT": "http://127.0.0.1:1", "IMDS_ENDPOINT": "http://127.0.0.1:1"},
        {"MSI_ENDPOINT": "http://127.0.0.1:1"},
        {
            "IDENTITY_ENDPOINT": "https://127.0.0.1:1",
            "IDENTITY_HEADER": "h",
            "IDENTITY_SERVER_THUMBPRINT": "t",
        },
        {
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_ID": "c",
            "AZURE_CLIENT_CERTIFICATE_PATH": "/no/such",
        },
    ],
    ids="+".join,
)
async def test_other_sources_are_left_to_azure_identity(
    blobs: FaultProxy,
    login: type[Login],
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with opened(blobs) as store:
        await store.get("a")
        await store.get("b")
    assert bearers(blobs) == ["Bearer of-a-login"] * 2
    assert login.made == 1
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(errors.AdapterNotInstalled, match="pip install azure-identity"):
        await opened(blobs).get("a")


@pytest.fixture
def machine(service: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> FaultProxy:
    """The metadata service of this machine, which nothing in the environment speaks of."""
    monkeypatch.setattr(tokens, "IMDS", service.url)
    return service


async def test_a_machine_with_an_identity_needs_no_environment(
    blobs: FaultProxy, machine: FaultProxy, login: type[Login]
) -> None:
    machine.always(granted("t-1", seconds=5))
    async with opened(blobs) as store:
        await store.get("a")
        await store.get("b")
    assert (machine.count(), login.made) == (2, 0)
    assert bearers(blobs) == ["Bearer t-1"] * 2


@pytest.mark.parametrize("fault", [refused(400, "invalid_request", NOT_FOUND), DropReply()])
async def test_a_machine_without_one_is_left_to_azure_identity(
    blobs: FaultProxy,
    machine: FaultProxy,
    login: type[Login],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    machine.always(fault)
    async with opened(blobs) as store:
        await store.get("a")
    assert bearers(blobs) == ["Bearer of-a-login"]
    assert (machine.count(), login.made) == (1, 1)
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(
        errors.InvalidCredentials,
        match=r"AZURE_STORAGE_CONNECTION_STRING.*managed identity",
    ) as caught:
        await opened(blobs).get("a")
    assert "pip install azure-identity" in str(caught.value)


async def test_where_only_a_managed_identity_may_be_used_nothing_else_is(
    blobs: FaultProxy, machine: FaultProxy, login: type[Login], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.always(refused(400, "invalid_request", NOT_FOUND))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.setenv(name, "x")
    for chosen in ("ManagedIdentityCredential", "managedidentitycredential"):
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", chosen)
        with pytest.raises(errors.InvalidCredentials, match="400 invalid_request"):
            await opened(blobs).get("a")
    assert login.made == 0


class Blocking:
    """A credential whose ``get_token`` blocks."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    def get_token(self, *_: str) -> AccessToken:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return AccessToken("of-the-caller", int(time.time()) + 3600)


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
        (CredentialUnavailableError("nobody"), errors.InvalidCredentials),
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
        for _ in range(3):
            await store.get("a")
        assert asked == 2
        given.put_nowait(AccessToken("t-2", int(time.time()) + 3600))
        while bearers(blobs)[-1] == "Bearer t-1":
            await store.get("a")
    assert bearers(blobs)[:3] == ["Bearer t-1"] * 3
    assert bearers(blobs)[-1] == "Bearer t-2"
    assert asked == 2


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

    class Nobody:
        def get_token(self, *_: str) -> AccessToken:
            raise ClientAuthenticationError("nobody")

    for credential, status, words in (
        (Named(), "ok", "object id o-1, application a-1"),
        (Nobody(), "unknown", "InvalidCredentials"),
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

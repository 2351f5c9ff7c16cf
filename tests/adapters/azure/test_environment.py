"""Proxies, passwords and endpoints that the environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.storage.blob.aio import ContainerClient

from adapters.azure.http.sources import SOURCES, granted
from adapters.azure.test_port import write
from statebucket.errors import (
    InvalidArgument,
    InvalidCredentials,
    RequestRejected,
    StateBucketError,
    Unavailable,
)
from support.at_exit import assert_works_at_exit
from support.error_texts import texts
from support.fault_proxy.proxy import Answer, DropBeforeSend, FaultProxy
from support.servers import AZURE_KEY
from support.servers.ports import free_port
from support.targets.azure import open_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import ContainerClient as BlockingContainerClient

    from statebucket.port.bucket import Bucket
    from support.fault_proxy.proxy import Fault
    from support.servers import Server

pytestmark = pytest.mark.usefixtures("engine")

PASSWORD = "hunter2"
KEY = AzureNamedKeyCredential("account1", AZURE_KEY)
ELSEWHERE = "http://192.0.2.1:9/account1"  # a documentation address: nothing answers there
STORED = Answer(201, (("ETag", '"0x1"'),))


@pytest.fixture
def listener() -> Iterator[FaultProxy]:
    """A server that answers as a test says, and leads nowhere."""
    with FaultProxy("127.0.0.1", free_port()) as proxy:
        yield proxy


@pytest.fixture
def _netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"default login me password {PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


def opened(**options: Any) -> Bucket:
    return open_at("container", options, deadline=6.0, max_in_flight=4)


async def failure(bucket: Bucket) -> StateBucketError:
    """The error that a write ends with."""
    with pytest.raises(StateBucketError) as caught:
        await bucket.put(write("a"), None)
    await bucket.close()
    return caught.value


@pytest.mark.parametrize("credential", [KEY, AzureSasCredential("sv=1&sig=s")])
def test_signatures_are_not_sent_in_clear_text(credential: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"192\.0\.2\.1.*https://.*insecure_endpoint=true"):
        opened(endpoint_url=ELSEWHERE, credential=credential)
    opened(endpoint_url=ELSEWHERE, credential=credential, insecure_endpoint="true")
    opened(endpoint_url=ELSEWHERE.replace("192.0.2.1", "127.0.0.1"), credential=credential)


@pytest.mark.parametrize(
    "text",
    [
        f"AccountName=account1;AccountKey={AZURE_KEY};BlobEndpoint={ELSEWHERE}",
        f"DefaultEndpointsProtocol=http;EndpointSuffix=a.example;AccountName=a;AccountKey={AZURE_KEY}",
        f"BlobEndpoint={ELSEWHERE};SharedAccessSignature=sv=1&sig=s%3D",
    ],
)
def test_nor_are_those_of_a_connection_string(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    with pytest.raises(InvalidArgument, match="clear text") as caught:
        opened()
    assert AZURE_KEY not in "".join(texts(caught.value))
    assert "sig=" not in "".join(texts(caught.value))
    opened(insecure_endpoint="true")


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
def test_nor_are_those_of_a_callers_client() -> None:
    client = ContainerClient(ELSEWHERE, "container", KEY)
    with pytest.raises(InvalidArgument, match="clear text"):
        opened(client=client)
    opened(client=client, insecure_endpoint=True)
    opened(client=ContainerClient(ELSEWHERE, "container"))  # without credentials


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [302, 307])
@pytest.mark.parametrize("source", ["app service", "imds"])
async def test_a_managed_identitys_endpoint_is_not_followed_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: FaultProxy, source: str, kind: int
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    SOURCES[source](monkeypatch, listener, tmp_path)
    with FaultProxy("127.0.0.1", free_port()) as elsewhere:
        elsewhere.always(granted())
        listener.always(Answer(kind, (("Location", f"{elsewhere.url}/msi/token"),)))
        bucket = opened(endpoint_url="https://127.0.0.1:1/account1")
        error = await failure(bucket)
        assert isinstance(error, InvalidCredentials | Unavailable)
        assert elsewhere.requests == []
    assert listener.requests


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value", [f"http://me:{PASSWORD}@host:port", f"http://me:{PASSWORD}@", f"x://me:{PASSWORD}@h"]
)
async def test_a_proxy_that_is_not_one_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    error = await failure(opened(account="account1", credential=KEY))
    assert type(error) is InvalidArgument
    assert error.outcome == "none"
    assert "https_proxy" in error.message
    assert PASSWORD not in "".join(texts(error))


@pytest.mark.asyncio
async def test_a_proxy_may_be_named_without_a_scheme(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"me:{PASSWORD}@127.0.0.1:{listener.port}")
    listener.always(Answer(407))
    error = await failure(opened(account="account1", credential=KEY))
    assert type(error) is RequestRejected  # the next try would meet the same answer
    assert error.outcome == "none"
    assert "407" in error.message
    assert PASSWORD not in "".join(texts(error))
    (request,) = listener.requests
    assert request.method == "CONNECT"
    assert request.header("Proxy-Authorization") == "Basic bWU6aHVudGVyMg=="


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Answer(502), DropBeforeSend(), None], ids=repr)
async def test_what_a_proxy_did_not_pass_on_was_not_written(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy, fault: Fault | None
) -> None:
    port = free_port() if fault is None else listener.port
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{port}")
    if fault is not None:
        listener.always(fault)
    error = await failure(opened(account="account1", credential=KEY))
    assert type(error) is Unavailable
    assert error.outcome == "none"
    assert "cannot be reached" in error.message
    assert "account1.blob.core.windows.net" in error.message
    assert PASSWORD not in "".join(texts(error))


@pytest.mark.asyncio
async def test_a_proxy_with_a_password_passes_requests_on(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{listener.port}")
    listener.plan(STORED)
    bucket = opened(endpoint_url=ELSEWHERE, credential=KEY, insecure_endpoint=True)
    await bucket.put(write("a"), None)
    await bucket.close()
    (request,) = listener.requests
    assert request.target.startswith(f"{ELSEWHERE}/container/a")
    assert request.header("Proxy-Authorization") == "Basic bWU6aHVudGVyMg=="
    assert (request.header("Authorization") or "").startswith("SharedKey account1:")


@pytest.mark.asyncio
@pytest.mark.usefixtures("_netrc")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy"])
async def test_the_netrc_file_is_never_read(
    monkeypatch: pytest.MonkeyPatch, listener: FaultProxy, variable: str
) -> None:
    monkeypatch.setenv(variable, listener.url)
    listener.plan(STORED)
    endpoint = f"http://127.0.0.1:{listener.port}/account1"
    bucket = opened(endpoint_url=endpoint, credential=KEY)
    await bucket.put(write("a"), None)
    await bucket.close()
    (request,) = listener.requests
    assert (request.header("Authorization") or "").startswith("SharedKey account1:")
    assert request.header("Proxy-Authorization") is None


@pytest.mark.asyncio
@pytest.mark.usefixtures("_netrc")
async def test_nor_is_it_for_a_token(monkeypatch: pytest.MonkeyPatch, listener: FaultProxy) -> None:
    # Azure's App Service: the one source of tokens that is asked over plain HTTP on this machine.
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{listener.url}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    monkeypatch.setenv("HTTP_PROXY", listener.url)
    token = b'{"access_token": "t0ken", "expires_on": "9999999999", "resource": "r"}'
    listener.plan(Answer(200, (("Content-Type", "application/json"),), token))
    error = await failure(opened(endpoint_url=f"https://127.0.0.1:{free_port()}"))
    assert type(error) is Unavailable  # the endpoint does not answer
    assert error.outcome == "none"
    (request,) = listener.requests
    assert request.header("X-IDENTITY-HEADER") == "header"
    assert request.header("Authorization") is None


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_calls_work_while_the_interpreter_shuts_down(
    azurite: Server, raw: BlockingContainerClient, host: str, *, warm: bool
) -> None:
    text = azurite.connection_string.replace("127.0.0.1", host)  # a name has to be resolved
    url = f"az://{raw.container_name}"
    assert_works_at_exit(url, warm=warm, env={"AZURE_STORAGE_CONNECTION_STRING": text})


def test_calls_work_while_the_interpreter_shuts_down_and_starts_no_thread(
    azurite: Server, raw: BlockingContainerClient
) -> None:
    text = azurite.connection_string.replace("127.0.0.1", "localhost")
    env = {"AZURE_STORAGE_CONNECTION_STRING": text}
    assert_works_at_exit(f"az://{raw.container_name}", warm=True, env=env, threads=False)

"""Opening a container: options, environment, credentials, and mistakes in them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Self

import azure.identity.aio
import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.identity import CredentialUnavailableError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from statebucket import errors
from statebucket.port.bucket import Bucket, Location, OpenedBucket
from statebucket_azure import open_bucket, open_bucket_over_http
from support.error_texts import texts
from support.servers import AZURE_KEY

pytestmark = pytest.mark.usefixtures("engine")

KEY = AzureNamedKeyCredential("account1", AZURE_KEY)
SECRET = f"DefaultEndpointsProtocol=https;AccountName=account1;AccountKey={AZURE_KEY}"
SAS = "BlobEndpoint=https://account1.blob.core.windows.net;SharedAccessSignature=sv=1&sig=s%3D"


class Credential:
    """A token credential that notes when it is closed, and has no token."""

    made: list[Credential]

    def __init__(self, **_: Any) -> None:
        self.closed = False
        self.made.append(self)

    async def get_token(self, *_: str, **__: Any) -> Any:
        raise CredentialUnavailableError("no identity here")

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Credential]:
    """In place of DefaultAzureCredential, which would look for an identity around this machine."""
    Credential.made = []
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", Credential)
    return Credential.made


def opened(host: str = "container", path: str = "/p", **options: Any) -> OpenedBucket:
    engines = {"sdk": open_bucket, "http": open_bucket_over_http}
    engine = engines[os.environ["STATEBUCKET_ENGINE"]]
    return engine(Location("az", host, path, options, 10.0, 4))


@pytest.mark.parametrize(
    "options",
    [
        {"account": "account1"},
        {"account": "account1", "ttl_tags": "false"},
        {"account": "account1", "encryption_scope": "scope"},
        {"account": "account1", "endpoint_url": "https://account1.blob.core.usgovcloudapi.net"},
        {"endpoint_url": "https://storage.example.com"},
        {"account": "account1", "endpoint_url": "https://storage.example.com"},
        {"account": "account1", "credential": KEY},
        {"endpoint_url": "http://127.0.0.1:1/account1", "credential": KEY, "account": "account1"},
    ],
)
def test_what_opens(options: dict[str, Any]) -> None:
    found = opened(**options)
    bucket = found.bucket
    assert found.prefix == "p"
    assert isinstance(bucket, Bucket)
    assert (bucket.name, bucket.requires_network) == ("azure", True)
    assert bucket.limits.delete_batch == 256


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({}, errors.InvalidURL, r"account=NAME.*AZURE_STORAGE_ACCOUNT"),
        ({"account": ""}, errors.InvalidURL, "account=NAME"),
        ({"account": "Account"}, errors.InvalidURL, "lower-case"),
        ({"account": "evil.example/x"}, errors.InvalidURL, "lower-case"),
        ({"account": "account1", "typo": "1"}, errors.InvalidArgument, "typo"),
        ({"account": "account1", "ttl_tags": "perhaps"}, errors.InvalidArgument, "ttl_tags"),
        ({"endpoint_url": "ftp://host"}, errors.InvalidURL, "endpoint_url"),
        ({"endpoint_url": "host"}, errors.InvalidURL, "endpoint_url"),
        ({"endpoint_url": "https://"}, errors.InvalidURL, "endpoint_url"),
        ({"endpoint_url": "https://host/?sig=abc"}, errors.InvalidURL, "without user, query"),
        ({"endpoint_url": "https://user:abc@host"}, errors.InvalidURL, "without user, query"),
        ({"endpoint_url": "http://192.0.2.1:1/account1"}, errors.InvalidArgument, "https://"),
        (
            {"endpoint_url": "http://192.0.2.1:1/account1", "credential": "made"},
            errors.InvalidArgument,
            "https://",
        ),
        (
            {"account": "account2", "endpoint_url": "https://account1.blob.core.windows.net"},
            errors.InvalidURL,
            "account2.*endpoint_url.*account1",
        ),
        ({"account": "account1", "credential": "sig=abc"}, errors.InvalidArgument, "as text"),
        ({"account": "account1", "credential": object()}, errors.InvalidArgument, "credential"),
    ],
)
def test_what_does_not_open(
    options: dict[str, Any], kind: type[errors.StateBucketError], words: str
) -> None:
    if options.get("credential") == "made":
        options = {**options, "credential": Credential()}
    with pytest.raises(kind, match=words) as caught:
        opened(**options)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"client": object()}, "ContainerClient or BlobServiceClient"),
        ({"client": object(), "credential": KEY}, "cannot be combined"),
        # The SDK sends tokens over TLS only, to this machine, too.
        ({"endpoint_url": "http://127.0.0.1:1/account1"}, "https://"),
    ],
)
def test_what_does_not_open_through_the_sdk(options: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=words):
        opened(**options)


HOSTS = [
    "account1.privatelink.blob.core.windows.net",
    "account1-secondary.blob.core.windows.net",
    "account1.z12.blob.storage.azure.net",
    "account1.blob.core.chinacloudapi.cn",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("credential", [KEY, None])
def test_hosts_that_name_the_account(host: str, credential: Any) -> None:
    options = {"endpoint_url": f"https://{host}", "credential": credential}
    opened(account="account1", **options)
    with pytest.raises(errors.InvalidURL, match=r"'account2'.*'account1'"):
        opened(account="account2", **options)


@pytest.mark.parametrize(
    "host",
    [
        "storage.example.com",  # a custom domain
        "data.blob.core.example.com",
        "account1.blob.region.azurestack.example",  # Azure Stack
        "127.0.0.1:1/other",
        "localhost:1/other",
    ],
)
def test_hosts_that_do_not_name_the_account(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    options = {"endpoint_url": f"https://{host}", "account": "account1"}
    opened(**options)
    opened(**options, credential=KEY)
    with pytest.raises(errors.InvalidURL, match=r"'account1'.*'account2'"):
        opened(**options, credential=AzureNamedKeyCredential("account2", AZURE_KEY))
    sas = f"BlobEndpoint=https://{host};SharedAccessSignature=sv=1&sig=s%3D"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", sas)
    opened(account="account1")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"{SECRET};BlobEndpoint=https://{host}")
    opened(account="account1")
    with pytest.raises(errors.InvalidURL, match=r"'account2'.*'account1'"):
        opened(account="account2")


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "usedevelopmentstorage=True;"])
def test_the_emulators_connection_string(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    opened(account="devstoreaccount1")
    opened(endpoint_url="http://127.0.0.1:1/devstoreaccount1")
    with pytest.raises(errors.InvalidURL, match="'devstoreaccount1'"):
        opened(account="account1")


@pytest.mark.parametrize(("host", "path"), [("", "/p"), ("a b", "/p"), ("container", "/a//b")])
def test_a_url_without_a_container_or_with_a_bad_prefix(host: str, path: str) -> None:
    with pytest.raises(errors.InvalidURL):
        opened(host, path, account="account1")


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
def test_a_synchronous_credential_is_refused() -> None:
    class Blocking:
        def get_token(self, *_: str) -> None: ...

    with pytest.raises(errors.InvalidArgument, match=r"Blocking.*azure\.identity\.aio"):
        opened(account="account1", credential=Blocking())


def test_the_account_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account1")
    opened()


@pytest.mark.parametrize("text", [SECRET, SAS, f"{SECRET};EndpointSuffix=core.windows.net;"])
def test_a_connection_string(monkeypatch: pytest.MonkeyPatch, text: str, made: list[Any]) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    opened()
    opened(account="account1")
    with pytest.raises(errors.InvalidURL, match=r"'account2'.*'account1'") as caught:
        opened(account="account2")
    assert AZURE_KEY not in str(caught.value)
    assert "sig" not in str(caught.value)
    # A credential or client that is given leaves it aside.
    opened(account="account2", credential=AzureNamedKeyCredential("account2", AZURE_KEY))
    assert made == []


@pytest.mark.parametrize("text", ["nonsense", f"AccountKey={AZURE_KEY}", f"a=b;{AZURE_KEY}", ";"])
def test_a_broken_connection_string(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    with pytest.raises(
        errors.InvalidArgument, match="AZURE_STORAGE_CONNECTION_STRING is not"
    ) as caught:
        opened()
    assert caught.value.__cause__ is None
    assert AZURE_KEY not in str(caught.value)


@pytest.mark.asyncio
async def test_a_key_that_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        "AccountName=account1;AccountKey=secret;BlobEndpoint=http://127.0.0.1:1/account1",
    )
    with pytest.raises(
        errors.InvalidCredentials, match="AZURE_STORAGE_CONNECTION_STRING"
    ) as caught:
        await opened().bucket.get("a")
    assert "secret" not in "".join(texts(caught.value))


@pytest.mark.asyncio
@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
async def test_the_default_credential_is_made_and_closed_here(made: list[Credential]) -> None:
    bucket = opened(account="account1").bucket
    assert made == []
    for _ in range(2):
        with pytest.raises(errors.InvalidCredentials, match="AZURE_STORAGE_CONNECTION_STRING"):
            await bucket.get("a")
    assert [credential.closed for credential in made] == [False]
    await bucket.close()
    assert [credential.closed for credential in made] == [True]


@pytest.mark.asyncio
async def test_a_credential_of_the_callers_is_not_closed() -> None:
    credential = Credential()
    bucket = opened(account="account1", credential=credential).bucket
    with pytest.raises(errors.InvalidCredentials):
        await bucket.get("a")
    await bucket.close()
    assert credential.closed is False


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
def test_without_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    with pytest.raises(errors.InvalidCredentials, match="pip install azure-identity"):
        opened(account="account1")
    opened(account="account1", credential=KEY)


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
def test_a_client_of_the_callers() -> None:
    container = ContainerClient("https://account1.blob.core.windows.net", "container", KEY)
    opened(client=container)
    opened(client=container, account="account1")
    opened(client=BlobServiceClient("https://account1.blob.core.windows.net", KEY))
    with pytest.raises(errors.InvalidURL, match="'account2'"):
        opened(client=container, account="account2")
    with pytest.raises(errors.InvalidArgument, match="'container'"):
        opened("other", client=container)


@pytest.mark.parametrize("engine", ["sdk"], indirect=True)
@pytest.mark.parametrize("missing", ["azure", "azure.storage.blob", "aiohttp"])
def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def find(name: str) -> object | None:
        if name == missing:
            return None
        if name.startswith(f"{missing}."):
            raise ModuleNotFoundError(name=missing)
        return object()

    monkeypatch.setattr("importlib.util.find_spec", find)
    with pytest.raises(errors.AdapterNotInstalled, match=r"pip install 'statebucket\[azure\]'"):
        opened(account="account1")


def test_importing_the_adapter_loads_no_sdk() -> None:
    code = "import sys, statebucket_azure; print({'azure', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

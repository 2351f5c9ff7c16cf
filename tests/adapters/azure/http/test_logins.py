"""Credentials left to azure-identity, and those that a machine has without an environment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import azure.identity
import pytest
from azure.core.credentials import AccessToken

from adapters.azure.http.sources import (
    NOT_FOUND,
    RESOURCE,
    SECRET,
    bearers,
    granted,
    opened,
    refused,
)
from statebucket import errors
from statebucket_azure.http import tokens
from support.fault_proxy.proxy import Answer, DropReply

if TYPE_CHECKING:
    from support.fault_proxy.proxy import Fault, FaultProxy

pytestmark = pytest.mark.asyncio


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


@pytest.mark.parametrize(
    "fault",
    [refused(400, "invalid_request", NOT_FOUND), Answer(404, (), b"<html>")],
)
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


async def test_where_nothing_listens_there_is_no_metadata_service(
    blobs: FaultProxy, login: type[Login], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "IMDS", "http://127.0.0.1:1")
    async with opened(blobs) as store:
        await store.get("a")
    assert bearers(blobs) == ["Bearer of-a-login"]
    assert login.made == 1


@pytest.mark.parametrize("fault", [DropReply(), refused(404, "not_found", "being updated")])
async def test_a_metadata_service_that_fails_once_is_asked_again(
    blobs: FaultProxy, machine: FaultProxy, login: type[Login], fault: Fault
) -> None:
    machine.plan(fault)
    machine.always(granted("t-1"))
    async with opened(blobs) as store:
        await store.get("a")
    assert bearers(blobs) == ["Bearer t-1"]
    assert (machine.count(), login.made) == (2, 0)


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

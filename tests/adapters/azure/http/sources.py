"""The token sources that the environment can name, and their replies."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken

from statebucket import StateStore, open_store
from support.fault_proxy.proxy import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from support.fault_proxy.proxy import FaultProxy

SECRET = "hunter2"
JSON = (("Content-Type", "application/json"),)
RESOURCE = "https://storage.azure.com"
NOT_FOUND = "Identity not found"


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


class Blocking:
    """A credential whose ``get_token`` blocks."""

    def __init__(self) -> None:
        self.asked = 0
        self.lasts = 3600
        self.error: Exception | None = None

    def get_token(self, *_: str) -> AccessToken:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return AccessToken("of-the-caller", int(time.time()) + self.lasts)

"""A metadata server that replies as a test says, and no other source of tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.fault_proxy.proxy import Answer, FaultProxy
from support.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.fault_proxy.record import Recorded

GOOGLES = (("Metadata-Flavor", "Google"), ("Content-Type", "application/json"))
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


def granted(value: str, lasts: float = 3600, **more: Any) -> Answer:
    """A token, as the metadata server gives it."""
    said = {"access_token": value, "expires_in": lasts, "token_type": "Bearer"}
    return Answer(200, GOOGLES, json.dumps(said).encode(), **more)


def tokens_of(proxy: FaultProxy) -> list[str | None]:
    """The token that each request had."""
    return [request.header("authorization") for request in proxy.requests]


def tokens_asked(metadata: FaultProxy) -> list[Recorded]:
    """The requests for a token."""
    return [request for request in metadata.requests if request.target.startswith(TOKEN_PATH)]


@pytest.fixture(params=["http"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that the tests here are of."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No other credentials, and no sign of one of Google's machines."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setattr("statebucket_gcs.http.metadata._PRODUCT", str(tmp_path / "product_name"))


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """The metadata server."""
    with FaultProxy("127.0.0.1", free_port()) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.port}")
        yield server

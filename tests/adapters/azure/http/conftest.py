"""A container and a token service, both simulated by proxies without a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from adapters.azure.http.sources import SOURCES
from support.fault_proxy.proxy import FaultProxy, azure_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def blobs() -> Iterator[FaultProxy]:
    """The container's service, in which there is nothing."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(azure_error(404, "BlobNotFound"))
        yield proxy


@pytest.fixture
def service() -> Iterator[FaultProxy]:
    """A service that gives tokens, as a test says."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        yield proxy


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

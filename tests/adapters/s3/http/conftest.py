"""A store on moto through a proxy that breaks connections, and services that issue keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from adapters.s3.http.sources import SOURCES, Source, without_keys
from support.fault_proxy.proxy import FaultProxy, s3_error
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    with FaultProxy(moto.host, moto.port) as proxy:
        yield proxy


@pytest.fixture
def target(moto: Server, proxy: FaultProxy) -> S3Target:
    return S3Target(moto, raw_client(moto), proxy, "http")


@pytest.fixture
def bucket() -> Iterator[FaultProxy]:
    """The bucket's service, in which there is nothing."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(s3_error(404, "NoSuchKey"))
        yield proxy


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A service that gives keys, as a test says; the environment names no other source."""
    without_keys(monkeypatch)
    monkeypatch.setattr("statebucket_s3.http.chain._BOTO_FILES", ())
    # None of them needs a package, and a proxy would see what is sent in clear text.
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with FaultProxy("127.0.0.1", 1) as proxy:
        yield proxy


@pytest.fixture(params=SOURCES)
def source(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    service: FaultProxy,
    tmp_path: Path,
) -> Source:
    """Each source of keys, which the environment names."""
    found = SOURCES[request.param]
    found.environment(monkeypatch, service, tmp_path)
    return found

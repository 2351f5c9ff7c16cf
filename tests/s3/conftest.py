"""A bucket on moto behind a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.proxy import FaultProxy
from targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    """A proxy of the test's own before moto."""
    with FaultProxy(moto.host, moto.port) as proxy:
        yield proxy


@pytest.fixture
def target(moto: Server, proxy: FaultProxy) -> S3Target:
    """A prefix of the test's own, reached through the proxy."""
    return S3Target(moto, raw_client(moto), proxy)


@pytest.fixture(params=["sdk", "http"])
def engine(moto: Server, proxy: FaultProxy, request: pytest.FixtureRequest) -> S3Target:
    """A prefix of the test's own, for each engine."""
    return S3Target(moto, raw_client(moto), proxy, request.param)

"""A store on moto through a proxy that breaks connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.proxy import FaultProxy
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    with FaultProxy(moto.host, moto.port) as proxy:
        yield proxy


@pytest.fixture
def target(moto: Server, proxy: FaultProxy) -> S3Target:
    return S3Target(moto, raw_client(moto), proxy, "http")

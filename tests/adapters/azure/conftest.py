"""Containers on Azurite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from support.fault_proxy.proxy import FaultProxy
from support.targets.azure import opened, raw_container

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from azure.storage.blob import ContainerClient

    from statebucket.port.bucket import Bucket
    from support.servers import Server


@pytest.fixture
def raw(azurite: Server) -> Iterator[ContainerClient]:
    """A new container, and the SDK's blocking client for it."""
    with raw_container(azurite) as client:
        yield client


@pytest.fixture(params=["sdk", "http"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the engines, which the environment names."""
    monkeypatch.setenv("STATEBUCKET_ENGINE", request.param)
    return str(request.param)


@pytest.fixture
def proxy(azurite: Server) -> Iterator[FaultProxy]:
    """A proxy before Azurite."""
    with FaultProxy(azurite.host, azurite.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def bucket(
    azurite: Server,
    proxy: FaultProxy,
    raw: ContainerClient,
    engine: str,  # noqa: ARG001  (by the environment)
) -> AsyncIterator[Bucket]:
    """The adapter on the container, through the proxy."""
    bucket = opened(azurite.via(proxy.url), raw.container_name)
    yield bucket
    await bucket.close()

"""The contract on Azurite, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.testing import RequestCountContract, StateStoreContract
from support.targets.azure import AzureTarget, raw_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import ContainerClient

    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server


@pytest.fixture(scope="module")
def shared(azurite: Server) -> Iterator[ContainerClient]:
    """One container for all tests; each has a prefix of its own in it."""
    with raw_container(azurite) as client:
        yield client


class TestAzurite(StateStoreContract):
    @pytest.fixture
    def target(self, azurite: Server, shared: ContainerClient) -> AzureTarget:
        return AzureTarget(azurite, shared)


class TestAzuriteRequests(RequestCountContract):
    @pytest.fixture
    def target(self, azurite: Server, shared: ContainerClient, proxy: FaultProxy) -> AzureTarget:
        return AzureTarget(azurite, shared, proxy)

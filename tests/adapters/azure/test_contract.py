"""The contract on Azurite, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from statebucket.testing import RequestCountContract, StateStoreContract
from support.targets.azure import AzureTarget, raw_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.blob import ContainerClient

    from statebucket import StateStore
    from statebucket.testing import Target
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server


@pytest.fixture(scope="module")
def shared(azurite: Server) -> Iterator[ContainerClient]:
    """One container for all tests; each has a prefix of its own in it."""
    with raw_container(azurite) as client:
        yield client


class TestAzurite(StateStoreContract):
    engine: ClassVar[str] = "sdk"

    @pytest.fixture
    def target(self, azurite: Server, shared: ContainerClient) -> AzureTarget:
        return AzureTarget(azurite, shared, engine=self.engine)

    # A batch holds 256, a page 5,000; Azurite takes 15 ms of a processor for each key.
    @pytest.mark.parametrize("count", [0, 1, 256, 257])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)

    @pytest.mark.parametrize("count", [257])
    async def test_more_keys_than_a_batch_are_deleted(
        self, acme: StateStore, target: Target, count: int
    ) -> None:
        await super().test_more_keys_than_a_batch_are_deleted(acme, target, count)


class TestAzuriteHTTP(TestAzurite):
    engine = "http"


class TestAzuriteRequests(RequestCountContract):
    engine: ClassVar[str] = "sdk"

    @pytest.fixture
    def target(self, azurite: Server, shared: ContainerClient, proxy: FaultProxy) -> AzureTarget:
        return AzureTarget(azurite, shared, proxy, self.engine)


class TestAzuriteHTTPRequests(TestAzuriteRequests):
    engine = "http"

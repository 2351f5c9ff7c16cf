"""The contract on Cloud Storage's servers, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statebucket.testing import RequestCountContract, StateStoreContract
from support.targets.gcs import GCSTarget

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing import Target
    from support.faults.proxy import FaultProxy
    from support.servers import Server


class TestStrict(StateStoreContract):
    """fake-gcs-server, with preconditions and errors as Cloud Storage has them."""

    @pytest.fixture
    def target(self, fake: Server, strict: FaultProxy) -> GCSTarget:
        return GCSTarget(fake.url, strict)

    # Larger numbers are the next class's: here each request is three.
    @pytest.mark.parametrize("count", [0, 1, 100, 101, 256, 257])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)


class TestStrictRequests(RequestCountContract):
    @pytest.fixture
    def target(self, fake: Server, proxy: FaultProxy) -> GCSTarget:
        return GCSTarget(fake.url, proxy, counted=True)


class TestFakeGCS(StateStoreContract):
    @pytest.fixture
    def target(self, fake: Server) -> GCSTarget:
        return GCSTarget(fake.url)

    async def test_an_execution_that_changed_hands_is_removed_from_its_new_tenant(  # type: ignore[override]
        self,
    ) -> None:
        pytest.skip("fake-gcs-server deletes whatever the condition; the strict proxy does not")


class TestGCPEmulator(StateStoreContract):
    """gcp-storage-emulator knows no conditions: those are the strict proxy's here.

    It has no pages either, and each write takes it longer the more it holds.
    """

    @pytest.fixture
    def target(self, wiped: Server, strict_emulator: FaultProxy) -> GCSTarget:
        return GCSTarget(wiped.url, strict_emulator)

    @pytest.mark.parametrize("count", [0, 1, 100, 101])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)

    async def test_listings_go_over_several_pages(self) -> None:  # type: ignore[override]
        pytest.skip("gcp-storage-emulator has no pages")

    async def test_more_tenants_than_a_page(self) -> None:  # type: ignore[override]
        pytest.skip("gcp-storage-emulator has no pages")

"""The contract on Cloud Storage's servers, and the requests that each call sends there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from statebucket.testing import RequestCountContract, StateStoreContract
from support.targets.differences import GCP_EMULATOR
from support.targets.gcs import GCSTarget

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing import Target
    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server
    from support.targets.differences import Differences


class TestStrict(StateStoreContract):
    """fake-gcs-server, with preconditions and errors as Cloud Storage has them."""

    engine = "sdk"

    @pytest.fixture
    def target(self, fake: Server, strict: FaultProxy) -> GCSTarget:
        return GCSTarget(fake.url, strict, engine=self.engine)

    # A batch holds 100, a page 1,000.
    @pytest.mark.parametrize("count", [0, 1, 100, 101, 1001])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)


class TestStrictHTTP(TestStrict):
    engine = "http"


class TestStrictRequests(RequestCountContract):
    engine = "sdk"

    @pytest.fixture
    def target(self, fake: Server, proxy: FaultProxy) -> GCSTarget:
        return GCSTarget(fake.url, proxy, counted=True, engine=self.engine)


class TestStrictHTTPRequests(TestStrictRequests):
    engine = "http"


class TestGCPEmulator(StateStoreContract):
    """gcp-storage-emulator knows no conditions: those are the strict proxy's here."""

    engine = "sdk"
    differs: ClassVar[Differences] = GCP_EMULATOR

    @pytest.fixture
    def target(self, wiped: Server, strict_emulator: FaultProxy) -> GCSTarget:
        return GCSTarget(wiped.url, strict_emulator, engine=self.engine)

    @pytest.mark.parametrize("count", [0, 1, 100, 101])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)


class TestGCPEmulatorHTTP(TestGCPEmulator):
    engine = "http"

"""SeaweedFS, a production store: the contract, and the signatures that emulators do not check."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from adapters.s3.suites import S3Contract, S3Requests, S3Signatures
from support.targets.differences import SEAWEEDFS

if TYPE_CHECKING:
    from statebucket import StateStore
    from statebucket.testing import Target
    from support.servers import Server
    from support.targets.differences import Differences


class OnSeaweedFS:
    differs: ClassVar[Differences] = SEAWEEDFS

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, seaweedfs: Server) -> Server:
        return seaweedfs


class TestSeaweedFS(OnSeaweedFS, S3Contract):
    # On ministack, which takes a tenth of the time for each, full batches and three of them.
    @pytest.mark.parametrize("count", [0, 1, 1001])
    async def test_any_number_of_keys(self, acme: StateStore, target: Target, count: int) -> None:
        await super().test_any_number_of_keys(acme, target, count)


class TestSeaweedFSHTTP(TestSeaweedFS):
    engine: ClassVar[str] = "http"


class TestSeaweedFSHTTPRequests(OnSeaweedFS, S3Requests):
    engine: ClassVar[str] = "http"


class TestSeaweedFSSignatures(OnSeaweedFS, S3Signatures):
    pass

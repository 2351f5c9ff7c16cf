"""SeaweedFS, a production store: the contract, and the signatures that emulators do not check."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from adapters.s3.suites import S3Contract, S3Requests, S3Signatures
from support.targets.differences import SEAWEEDFS

if TYPE_CHECKING:
    from support.servers import Server
    from support.targets.differences import Differences


class OnSeaweedFS:
    differs: ClassVar[Differences] = SEAWEEDFS

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, seaweedfs: Server) -> Server:
        return seaweedfs


class TestSeaweedFS(OnSeaweedFS, S3Contract):
    pass


class TestSeaweedFSHTTP(OnSeaweedFS, S3Contract):
    engine: ClassVar[str] = "http"


class TestSeaweedFSRequests(OnSeaweedFS, S3Requests):
    pass


class TestSeaweedFSHTTPRequests(OnSeaweedFS, S3Requests):
    engine: ClassVar[str] = "http"


class TestSeaweedFSSignatures(OnSeaweedFS, S3Signatures):
    pass

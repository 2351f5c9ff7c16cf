"""The contract on Ceph's gateway, which compares If-Match without its quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from adapters.s3.rgw.conftest import QUERY
from adapters.s3.suites import S3Contract, S3Requests, S3Signatures
from statebucket import errors
from support.targets.differences import CEPH
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from support.servers import Server
    from support.targets.differences import Differences


class OnCeph:
    query: ClassVar[str] = QUERY
    differs: ClassVar[Differences] = CEPH

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, rgw: Server) -> Server:
        return rgw


class TestCeph(OnCeph, S3Contract):
    pass


class TestCephHTTP(OnCeph, S3Contract):
    engine: ClassVar[str] = "http"


class TestCephRequests(OnCeph, S3Requests):
    pass


class TestCephHTTPRequests(OnCeph, S3Requests):
    engine: ClassVar[str] = "http"


class TestCephSignatures(OnCeph, S3Signatures):
    pass


@pytest.mark.asyncio
@pytest.mark.parametrize("engine", ["sdk", "http"])
async def test_with_its_quotes_a_version_never_matches(rgw: Server, engine: str) -> None:
    async with S3Target(rgw, raw_client(rgw), engine=engine).open() as store:
        version = await store.set("k", b"1")
        with pytest.raises(errors.RequestRejected, match="etag_quotes=false"):
            await store.set("k", b"2", if_version=version)
        assert await store.get("k") == b"1"

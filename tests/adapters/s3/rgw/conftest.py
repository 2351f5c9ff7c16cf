"""A Ceph for the whole run, one per worker."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from faults.clouds import Cloud
from support.fault_proxy.proxy import FaultProxy
from support.missing import need
from support.servers import ceph as ceph_server
from support.targets.s3 import BUCKET, S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server
    from support.servers.ceph import Ceph

QUERY = "&etag_quotes=false"
"""What a store's URL needs there."""


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """A gateway with the bucket of the contract suite."""
    need(ceph_server.missing)
    with ceph_server.running_ceph() as ceph:
        raw_client(ceph.server).create_bucket(Bucket=BUCKET)
        yield ceph


@pytest.fixture(scope="session")
def rgw(ceph: Ceph) -> Server:
    """The gateway."""
    return ceph.server


@pytest.fixture
def bucket(rgw: Server) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid4().hex}"
    raw_client(rgw).create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["sdk", "http"])
def cloud(rgw: Server, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A place of the test's own behind a proxy, for each engine, as tests of faults need it."""
    with FaultProxy(rgw.host, rgw.port) as proxy:
        target = S3Target(rgw, raw_client(rgw), proxy, request.param, QUERY)
        yield Cloud("s3", target, proxy, rgw, target.bucket)

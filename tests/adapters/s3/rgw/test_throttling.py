"""An overloaded gateway: it sends real 503s, and all calls succeed in the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.s3.rgw.conftest import QUERY
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server
    from support.servers.ceph import Ceph

CALLS = 300
_OPTION = "rgw_max_concurrent_requests"
_DEFAULT = 1024


@pytest.fixture
def busy(ceph: Ceph) -> Iterator[Server]:
    """The gateway, with three requests at a time and no more."""
    ceph.set(_OPTION, 3)
    yield ceph.server
    ceph.set(_OPTION, _DEFAULT)


@pytest.mark.asyncio
@pytest.mark.parametrize("engine", ["sdk", "http"])
async def test_calls_that_were_throttled_are_right_in_the_end(busy: Server, engine: str) -> None:
    target = S3Target(busy, raw_client(busy), engine=engine, query=QUERY)
    async with target.open(deadline=60.0) as store:
        keys = [f"k{number}" for number in range(CALLS)]
        await asyncio.gather(*(store.set(key, key.encode()) for key in keys))
        found = await asyncio.gather(*(store.get(key) for key in keys))
        stats = store.stats()
    assert found == [key.encode() for key in keys]
    assert stats.throttles > CALLS / 10
    assert stats.retries >= stats.throttles

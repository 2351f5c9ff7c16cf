"""A bucket on moto behind a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.s3.suites import S3Contract, S3Requests
from support.fault_proxy.proxy import FaultProxy
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    """A proxy of the test's own before moto."""
    with FaultProxy(moto.host, moto.port) as proxy:
        yield proxy


@pytest.fixture
def target(moto: Server, proxy: FaultProxy) -> S3Target:
    """A prefix of the test's own, reached through the proxy."""
    return S3Target(moto, raw_client(moto), proxy)


@pytest.fixture(params=["sdk", "http"])
def engine(moto: Server, proxy: FaultProxy, request: pytest.FixtureRequest) -> S3Target:
    """A prefix of the test's own, for each engine."""
    return S3Target(moto, raw_client(moto), proxy, request.param)


# Thousands of objects, one request each to put them there.
MANY_OBJECTS = {
    "test_any_number_of_keys",
    "test_listings_go_over_several_pages",
    "test_listing_tenants",
    "test_more_tenants_than_a_page",
}


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what takes long on a server; the suite is shipped and has no marks of ours."""
    for item in items:
        name = getattr(item, "originalname", "")
        suite = getattr(item, "cls", None)
        if suite is None or not issubclass(suite, S3Contract | S3Requests):
            continue
        if name in MANY_OBJECTS:
            item.add_marker(pytest.mark.slow)

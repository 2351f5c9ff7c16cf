"""Servers and buckets for the tests of the Cloud Storage adapter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from support.fault_proxy.proxy import FaultProxy
from support.servers.strict_gcs import running_strict
from support.targets.gcs_bucket import Around, close_all
from support.targets.gcs_bucket import opened as open_gcs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statebucket_gcs.bucket import GCSBucket
    from support.servers import Server
    from support.targets.gcs_bucket import Opened


@pytest.fixture(scope="session")
def strict(fake: Server) -> Iterator[FaultProxy]:
    """The strict proxy before fake-gcs-server."""
    with running_strict(fake) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def strict_emulator(emulator: Server) -> Iterator[FaultProxy]:
    """The strict proxy before gcp-storage-emulator."""
    with running_strict(emulator) as proxy:
        yield proxy


@pytest.fixture
def proxy(strict: FaultProxy) -> Iterator[FaultProxy]:
    """A proxy for faults and counts before the strict one."""
    with FaultProxy("127.0.0.1", strict.port) as proxy:
        yield proxy


@pytest.fixture
def around(fake: Server) -> Around:
    """A new bucket on fake-gcs-server."""
    return Around(fake.url)


@pytest.fixture
def wiped(emulator: Server) -> Server:
    """The gcp-storage-emulator, empty: each write takes it longer the more it holds."""
    urlopen(f"{emulator.url}/wipe").close()
    return emulator


@pytest.fixture
def around_emulator(wiped: Server) -> Around:
    """A new bucket on gcp-storage-emulator."""
    return Around(wiped.url)


@pytest.fixture(params=["sdk", "http"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    return name


@pytest.fixture
def opened(engine: str) -> Opened:
    """Opens buckets of a server through the engine."""
    return partial(open_gcs, engine=engine)


@pytest.fixture
def bucket(proxy: FaultProxy, around: Around, opened: Opened) -> GCSBucket:
    """The adapter, through both proxies."""
    return opened(proxy.url, around.bucket, deadline=60.0)


@pytest.fixture(autouse=True)
def _closed_at_the_end() -> Iterator[None]:
    yield
    close_all()

"""Each cloud in turn, behind a proxy that injects faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.clouds import Cloud, cloud_on
from support.servers.strict_gcs import running_strict
from support.warnings_guard import Noise, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fault_proxy.proxy import FaultProxy
    from support.servers import Server

_SERVERS = {
    "s3": "ministack",
    "moto": "moto",
    "seaweedfs": "seaweedfs",
    "gcs": "fake",
    "azure": "azurite",
}


@pytest.fixture(scope="session")
def strict(fake: Server) -> Iterator[FaultProxy]:
    """The proxy that makes fake-gcs-server as strict as Cloud Storage."""
    with running_strict(fake) as proxy:
        yield proxy


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A place on the cloud that the test is parametrised with, see `faults.server_marks`."""
    param: str = request.param
    name, _, engine = param.partition("+")
    server: Server = request.getfixturevalue(_SERVERS[name])
    strict = request.getfixturevalue("strict") if name == "gcs" else None
    with cloud_on(server.service, server, strict, engine or "sdk") as found:
        yield found


@pytest.fixture
def noise() -> Iterator[Noise]:
    """What the interpreter, asyncio and warnings reported during the test: nothing, at its end."""
    with listening() as heard:
        yield heard

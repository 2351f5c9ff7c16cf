"""A place on each service and engine, for packages on statebucket's public names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.proxy import FaultProxy
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server
    from support.targets.deployments import Deployment

SERVERS = {"s3": "ministack", "gcs": "fake", "azure": "azurite"}
SERVICES = ["memory", "sqlite", "s3", "s3+http", "gcs", "gcs+http", "azure", "azure+http"]
COUNTED = ["s3", "s3+http", "gcs+http", "azure+http"]


@pytest.fixture(params=SERVICES)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A place that no other test uses."""
    service, _, engine = request.param.partition("+")
    server: Server | None = None
    if service in SERVERS:
        server = request.getfixturevalue(SERVERS[service])
    with deployment_on(service, server, tmp_path, engine or "sdk") as found:
        yield found


@pytest.fixture
def counted(deployment: Deployment) -> Iterator[FaultProxy]:
    """A proxy before the place's server, which counts requests."""
    with ExitStack() as stack:
        yield stack.enter_context(FaultProxy("127.0.0.1", deployment.port))

"""A place on each service, and an ear for what is only printed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.places import Place, place_on
from support.servers import azurite as azurite_server
from support.servers import fake_gcs
from support.warnings_guard import Noise, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.servers import Server


def _need(missing: Callable[[], str | None]) -> None:
    """Skip a test whose server cannot run here; in CI, where all can, it fails."""
    reason = missing()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def fake() -> Iterator[Server]:
    """A fake-gcs-server."""
    _need(fake_gcs.missing)
    with fake_gcs.running_fake_gcs() as server:
        yield server


@pytest.fixture(scope="module")
def azurite() -> Iterator[Server]:
    """An Azurite; one a module, since it hangs in its own clean-up some 10 minutes after start."""
    _need(azurite_server.missing)
    with azurite_server.running_azurite() as server:
        yield server


_SERVERS = {"s3": "moto", "s3+http": "moto", "gcs": "fake", "azure": "azurite"}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place on the service that the test is parametrised with."""
    service: str = request.param
    server = request.getfixturevalue(_SERVERS[service]) if service in _SERVERS else None
    with place_on(service, server, tmp_path) as found:
        yield found


@pytest.fixture
def noise() -> Iterator[Noise]:
    """What interpreter, asyncio and warnings said during the test; at its end, nothing."""
    with listening() as heard:
        yield heard

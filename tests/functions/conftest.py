"""A place on each service, and a guard for warnings that are only printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.places import Place, place_on
from support.warnings_guard import Noise, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_SERVERS = {
    "s3": "ministack",
    "s3+http": "ministack",
    "gcs": "fake",
    "gcs+http": "fake",
    "azure": "azurite",
    "azure+http": "azurite",
}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place on the service that the test is parametrised with."""
    service: str = request.param
    server = request.getfixturevalue(_SERVERS[service]) if service in _SERVERS else None
    with place_on(service, server, tmp_path) as found:
        yield found


@pytest.fixture
def noise() -> Iterator[Noise]:
    """What the interpreter, asyncio and warnings reported during the test: nothing, at its end."""
    with listening() as heard:
        yield heard

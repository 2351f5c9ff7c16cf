"""A LocalStack, started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.missing import need
from support.servers import localstack as localstack_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server


@pytest.fixture(scope="session")
def localstack() -> Iterator[Server]:
    """A LocalStack, empty."""
    need(localstack_server.missing)
    with localstack_server.running_localstack() as server:
        yield server

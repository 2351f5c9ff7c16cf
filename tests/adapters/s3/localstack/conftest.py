"""A LocalStack, started once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.servers import localstack as localstack_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server


@pytest.fixture(scope="session")
def localstack() -> Iterator[Server]:
    """A LocalStack, empty."""
    reason = localstack_server.missing()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"in CI a missing server is a failure: {reason}")
        pytest.skip(reason)
    with localstack_server.running_localstack() as server:
        yield server

"""A container and a token service, both played by proxies that lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.proxy import FaultProxy, azure_error

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def blobs() -> Iterator[FaultProxy]:
    """The container's service, in which there is nothing."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        proxy.always(azure_error(404, "BlobNotFound"))
        yield proxy


@pytest.fixture
def service() -> Iterator[FaultProxy]:
    """A service that gives tokens, as a test says."""
    with FaultProxy("127.0.0.1", 1) as proxy:
        yield proxy

"""Servers for the whole run, one of each a worker, and credentials that only they take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.secret_scan.plugin import Discretion
from support.servers import azurite as azurite_server
from support.servers import fake_gcs, gcp_emulator
from support.servers.ministack import missing as ministack_missing
from support.servers.ministack import running_ministack
from support.servers.moto import missing as moto_missing
from support.servers.moto import running_moto
from support.targets.s3 import BUCKET, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.servers import Server

# What the environment says of real clouds must not reach a test, nor a test a real cloud.
for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="test-access-key",
    AWS_SECRET_ACCESS_KEY="test-secret-key",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)
os.environ.pop("STATEBUCKET_URL", None)

# What lands is decided by the same examples each time; new ones are looked for at a desk.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Listens, over the whole run, for credentials that are told."""
    config.pluginmanager.register(Discretion(config), "discretion")


def need(missing: Callable[[], str | None]) -> None:
    """Skips a test whose server cannot run here; in CI, where all can, it fails."""
    reason = missing()
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"in CI a missing server is a failure: {reason}")
    pytest.skip(reason)


def _with_bucket(server: Server) -> Server:
    raw_client(server).create_bucket(Bucket=BUCKET)
    return server


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    """A moto with the bucket of the contract suite."""
    need(moto_missing)
    with running_moto() as server:
        yield _with_bucket(server)


@pytest.fixture(scope="session")
def ministack() -> Iterator[Server]:
    """A ministack with the bucket of the contract suite."""
    need(ministack_missing)
    with running_ministack() as server:
        yield _with_bucket(server)


@pytest.fixture(scope="session")
def fake() -> Iterator[Server]:
    """A fake-gcs-server."""
    need(fake_gcs.missing)
    with fake_gcs.running_fake_gcs() as server:
        yield server


@pytest.fixture(scope="module")
def azurite() -> Iterator[Server]:
    """An Azurite; one a module, since it hangs in its own clean-up some 10 minutes after start."""
    need(azurite_server.missing)
    with azurite_server.running_azurite() as server:
        yield server


@pytest.fixture(scope="session")
def emulator() -> Iterator[Server]:
    """A gcp-storage-emulator."""
    need(gcp_emulator.missing)
    with gcp_emulator.running_gcp_emulator() as server:
        yield server

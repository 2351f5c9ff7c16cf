"""Servers for the whole run, one of each per worker, and credentials that only they accept."""

from __future__ import annotations

import gc
import os
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support import environment, order, selection
from support.interrupts import heed_interrupts
from support.missing import need
from support.secret_scan.plugin import SecretScan
from support.servers import azurite as azurite_server
from support.servers import fake_gcs, gcp_emulator
from support.servers import rclone as rclone_server
from support.servers import seaweedfs as seaweedfs_server
from support.servers.ministack import missing as ministack_missing
from support.servers.ministack import running_ministack
from support.servers.moto import missing as moto_missing
from support.servers.moto import running_moto
from support.targets.s3 import BUCKET, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server
    from support.targets.differences import Differences

TESTS = Path(__file__).parent
_AZURITE_SECONDS = 240  # a module may take as long again

# What the shell says of real clouds must not reach a test, nor a test a real cloud.
environment.isolate()
os.environ.update(
    AWS_ACCESS_KEY_ID="test-access-key",
    AWS_SECRET_ACCESS_KEY="test-secret-key",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)

# No example fails because the machine is busy. What lands is decided by the same examples each
# time; new ones are looked for at a desk.
settings.register_profile(
    "here",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("here")


def pytest_configure(config: pytest.Config) -> None:
    """Scans the whole run for credentials that leak."""
    heed_interrupts()
    selection.start(everything=config.getoption(selection.OPTION))
    config.pluginmanager.register(SecretScan(config), "secret_scan")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option of ``make test-all``."""
    parser.addoption(
        selection.OPTION,
        action="store_true",
        help="run what `make test` leaves out, too: more servers and engines, more examples",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Expects a test to fail where the server of its class is known to do otherwise."""
    differs: Differences = getattr(getattr(item, "cls", None), "differs", {})
    found = differs.get(getattr(item, "originalname", ""))
    if found is not None:
        item.add_marker(
            pytest.mark.xfail(reason=found.reason, strict=found.always, run=not found.slow)
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what only ``make test-all`` runs; a test that is named in full always runs."""
    if all("::" in argument for argument in config.args):
        return
    if Path(config.args[0]).resolve() == TESTS and not config.getoption("keyword"):
        unused = selection.unused(items) + order.unused(items)
        if unused:
            raise pytest.UsageError(f"selection.py or order.py of tests/support: no test {unused}")
    if not config.getoption(selection.OPTION):
        items[:], left = selection.choose(items)
        config.hook.pytest_deselected(items=left)
    if hasattr(config, "workerinput"):  # of pytest-xdist, which hands them out in this order
        order.longest_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collects the tests without collecting garbage, and sets aside what there is then.

    With all tests these are 900,000 objects: 1.5 s while they are made, and 0.4 s each time that
    garbage is collected later, four times in each test that looks for what is left behind.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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
def seaweedfs() -> Iterator[Server]:
    """A SeaweedFS with the bucket of the contract suite."""
    need(seaweedfs_server.missing)
    with seaweedfs_server.running_seaweedfs() as server:
        _with_bucket(server)
        # The first write makes the bucket's volumes, and may fail until they are there. An empty
        # object would need none.
        raw_client(server).put_object(Bucket=BUCKET, Key="first", Body=b"first")
        yield server


@pytest.fixture(scope="session")
def rclone() -> Iterator[Server]:
    """An ``rclone serve s3`` with the bucket of the contract suite: no store can rely on it."""
    need(rclone_server.missing)
    with rclone_server.running_rclone() as server:
        yield _with_bucket(server)


@pytest.fixture(scope="session")
def fake() -> Iterator[Server]:
    """A fake-gcs-server."""
    need(fake_gcs.missing)
    with fake_gcs.running_fake_gcs() as server:
        yield server


class _Azurites:
    """One Azurite at a time, replaced before it is so old that it hangs in its own clean-up."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._server: Server | None = None
        self._started = 0.0

    def current(self) -> Server:
        if self._server is None or time.monotonic() - self._started > _AZURITE_SECONDS:
            self.close()
            self._server = self._running.enter_context(azurite_server.running_azurite())
            self._started = time.monotonic()
        return self._server

    def close(self) -> None:
        self._server = None
        self._running.close()


@pytest.fixture(scope="session")
def _azurites() -> Iterator[_Azurites]:
    need(azurite_server.missing)
    with closing(_Azurites()) as azurites:
        yield azurites


@pytest.fixture(scope="module")
def azurite(_azurites: _Azurites) -> Server:
    """An Azurite, the same for a whole module. It hangs some 10 minutes after its start."""
    return _azurites.current()


@pytest.fixture(scope="session")
def emulator() -> Iterator[Server]:
    """A gcp-storage-emulator."""
    need(gcp_emulator.missing)
    with gcp_emulator.running_gcp_emulator() as server:
        yield server


@pytest.fixture
def _scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the adapter of `support.scripted_bucket` for ``scripted://``."""
    info = tmp_path / "scripted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[statebucket.adapters]\nscripted = support.scripted_bucket:open_scripted\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

"""Each extra alone, in an environment that has nothing else, used there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from support.targets.azure import raw_container
from support.targets.gcs_bucket import Around
from support.targets.s3 import BUCKET
from support.wheel_environment import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server

pytestmark = pytest.mark.slow

USE = """
import sys
from datetime import timedelta
from statebucket import ExecutionSnapshot, ExecutionState
from statebucket.sync import open_store

with open_store(sys.argv[1]) as store:
    store.save_snapshot(ExecutionSnapshot(
        execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING, sequence_number=1))
    store.tenant("acme").set("k", b"v", timedelta(days=2))
    print(store.name, store.load_snapshot("e1").sequence_number, store.tenant("acme").get("k"))
"""
USERS_TESTS = """
from datetime import timedelta
import pytest
from statebucket.testing import StateStoreContract

@pytest.mark.asyncio
async def test_an_hour(state_store, state_clock):
    await state_store.set("k", b"v", timedelta(hours=1))
    state_clock.advance(timedelta(hours=1))
    assert await state_store.get("k") is None

def test_what_s3_needs_is_in_another_extra(request):
    with pytest.raises((ImportError, pytest.fail.Exception), match="statebucket.s3"):
        request.getfixturevalue("s3_state_store")
"""


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, wheel: Path) -> Environment:
    return Environment(tmp_path / "venv", wheel, request.param)


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket's URL, and the environment with the credentials for it."""
    if request.param == "moto":
        server: Server = request.getfixturevalue("moto")
        yield f"s3://{BUCKET}/wheel?endpoint_url={server.url}&region=us-east-1", server.environ
    elif request.param == "fake":
        around = Around(request.getfixturevalue("fake").url)
        yield f"gs://{around.bucket}/wheel?endpoint_url={around.url}&anonymous=true", {}
    else:
        server = request.getfixturevalue("azurite")
        with raw_container(server) as raw:
            yield f"az://{raw.container_name}/wheel", server.environ


@pytest.mark.parametrize(
    ("place", "bucket", "name"),
    [
        ("s3", "moto", "s3"),
        ("aiobotocore", "moto", "s3"),
        ("gcs", "fake", "gcs"),
        ("azure", "azurite", "azure"),
    ],
    indirect=["place", "bucket"],
)
def test_a_cloud(
    place: Environment, bucket: tuple[str, dict[str, str]], name: str, tmp_path: Path
) -> None:
    url, environment = bucket
    output = place.run("-W", "error", "-c", USE, url, cwd=tmp_path, env=environment)
    assert output.splitlines() == [f"{name} 1 b'v'"]
    output = place.run("-m", "statebucket", cwd=tmp_path, code=2)
    assert "pip install 'statebucket[cli]'" in output


@pytest.mark.parametrize("place", ["cli"], indirect=True)
def test_the_command_line(place: Environment, tmp_path: Path) -> None:
    def run(*command: str, code: int = 0) -> str:
        environment = {"STATEBUCKET_URL": "sqlite:///state.db"}
        return place.run("-m", "statebucket", *command, cwd=tmp_path, code=code, env=environment)

    assert run("--version") == "statebucket 0.1.0\n"
    run("set", "k", "hello", "-t", "acme")
    assert run("get", "k", "-t", "acme") == "hello"
    assert "acme" in run("tenants")
    assert "✓" in run("doctor", "--write")
    assert "pip install 'statebucket[s3]'" in run("health", "-u", "s3://bucket", code=2)


@pytest.mark.parametrize("place", ["testing", "testing-s3"], indirect=True)
def test_the_fixtures_and_the_suite(place: Environment, tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USERS_TESTS)
    output = place.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "2 passed" in output, output


def test_what_is_uploaded_passes_twine(dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_sdist_holds_what_a_packager_needs_and_no_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    assert sdist.name == "statebucket-0.1.0.tar.gz"
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"} <= names
    assert {"CONTRIBUTING.md", "SECURITY.md"} <= names
    assert "terraform/aws/bucket.tf" in names
    assert {name.partition("/")[0] for name in names if "/" in name} == {
        "adapters",
        "core",
        "terraform",
    }

"""Each extra, installed and used in an environment with nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
from functools import cache
from typing import TYPE_CHECKING

import pytest

from support.targets.azure import raw_container
from support.targets.gcs_bucket import Around
from support.targets.s3 import BUCKET
from support.wheel_environment import ROOT, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
LOADED = """
import sys
from statebucket.sync import open_store

with open_store(sys.argv[1]) as store:
    for size in (1_000, 100_000):
        store.set("k", bytes(size))
        assert store.get("k") == bytes(size)
        print(sys.argv[2] in sys.modules)
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


# What a program does with each extra on SQLite; the clouds' engines are used on their servers.
SNAPSHOT = """
from statebucket.sync import open_store

with open_store("sqlite:///state.db") as store:
    acme = store.tenant("acme")
    acme.save_snapshot(acme.snapshot("e1", sequence_number=1))
    print(acme.load_snapshot("e1").sequence_number)
"""
ON_SQLITE = {
    "s3": f"import aioboto3{SNAPSHOT}",
    "aiobotocore": f"import aiobotocore.session{SNAPSHOT}",
    "gcs": f"import google.cloud.storage{SNAPSHOT}",
    "azure": f"import azure.storage.blob.aio, azure.identity{SNAPSHOT}",
    "http": f"import statebucket_http{SNAPSHOT}",
    "checksums": f"import zlib_ng, google_crc32c{SNAPSHOT}",
    "cli": f"import typer, rich{SNAPSHOT}",
    "dask": f"from statebucket.scale.on_dask import distributed; distributed().Client{SNAPSHOT}",
    "parquet": f"from pyarrow import parquet{SNAPSHOT}",
    "all": f"import aioboto3, google.cloud.storage, azure.storage.blob, typer{SNAPSHOT}",
    "testing": f"import statebucket.testing{SNAPSHOT}",
    "testing-s3": f"import moto.server{SNAPSHOT}",
    "keyvalue": """
import asyncio
from statebucket_keyvalue import StatebucketStore

async def main():
    async with StatebucketStore("sqlite:///state.db") as store:
        await store.put("k", {"n": 1})
        print((await store.get("k"))["n"])

asyncio.run(main())
""",
    "langgraph": """
from langgraph.checkpoint.base import empty_checkpoint
from statebucket_langgraph import StatebucketSaver

thread = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
with StatebucketSaver.from_conn_string("sqlite:///state.db") as saver:
    saver.put(thread, empty_checkpoint(), {"step": 1}, {})
    print(saver.get_tuple(thread).metadata["step"])
""",
    "claude": """
import asyncio
from statebucket import open_store
from statebucket_claude import StatebucketSessionStore

async def main():
    async with open_store("sqlite:///state.db") as store:
        sessions = StatebucketSessionStore(store)
        key = {"project_key": "p", "session_id": "s"}
        await sessions.append(key, [{"type": "user", "n": 1}])
        print((await sessions.load(key))[0]["n"])

asyncio.run(main())
""",
    "strands": """
import asyncio
from statebucket import open_store
from statebucket_strands import StatebucketStorage

async def main():
    storage = StatebucketStorage(open_store("sqlite:///state.db"))
    await storage.write("k", b"1")
    print((await storage.read("k")).decode())

asyncio.run(main())
""",
    "powertools": """
import os
os.environ["POWERTOOLS_SERVICE_NAME"] = "test"
from aws_lambda_powertools.utilities.idempotency import idempotent_function
from statebucket.sync import open_store
from statebucket_aws import StatebucketPersistenceLayer

calls = []

@idempotent_function(
    data_keyword_argument="order",
    persistence_store=StatebucketPersistenceLayer(open_store("sqlite:///state.db")),
)
def charge(order):
    calls.append(order)
    return len(calls)

charge(order="7")
print(charge(order="7"))
""",
    "durable": """
from aws_durable_execution_sdk_python.serdes import SerDesContext
from statebucket.sync import open_store
from statebucket_aws import StatebucketSerDes

place = SerDesContext("op-1", "arn:aws:lambda:eu-west-1:123456789012:function:f:1/e/1")
serdes = StatebucketSerDes(open_store("sqlite:///state.db"), over=0)
print(serdes.deserialize(serdes.serialize(1, place), place))
""",
}


@pytest.fixture(scope="module")
def environments(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Environment]:
    """An environment for each extra, made once."""

    @cache
    def make(extra: str) -> Environment:
        return Environment(tmp_path_factory.mktemp(extra) / "venv", wheel, extra)

    return make


@pytest.fixture
def place(
    request: pytest.FixtureRequest, environments: Callable[[str], Environment]
) -> Environment:
    return environments(request.param)


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


def test_every_extra_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(ON_SQLITE) == set(project["optional-dependencies"])


@pytest.mark.parametrize(("place", "code"), ON_SQLITE.items(), indirect=["place"], ids=ON_SQLITE)
def test_an_extra_alone(place: Environment, code: str, tmp_path: Path) -> None:
    output = place.run("-W", "error::ResourceWarning", "-c", code, cwd=tmp_path)
    assert "1" in output.splitlines()


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


@pytest.mark.parametrize(
    ("bucket", "library", "small"),
    [("moto", "zlib_ng", False), ("fake", "google_crc32c", True)],
    indirect=["bucket"],
)
@pytest.mark.parametrize("place", ["checksums"], indirect=True)
def test_checksums(
    place: Environment,
    bucket: tuple[str, dict[str, str]],
    library: str,
    small: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    url, environment = bucket
    arguments = ["-W", "error", "-c", LOADED, f"{url}&engine=http", library]
    output = place.run(*arguments, cwd=tmp_path, env=environment)
    assert output.splitlines() == [str(small), "True"]


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

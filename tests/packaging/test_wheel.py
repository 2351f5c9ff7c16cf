"""The wheel: its contents, that it works alone, and that another one can add a scheme."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from statebucket.opening import BUILT_IN
from support.wheel_environment import ROOT, Environment, for_building, outside

if TYPE_CHECKING:
    from pathlib import Path

ADAPTER = """
from statebucket.port.bucket import Location, OpenedBucket
from statebucket_local.memory import MemoryBucket


class DummyBucket(MemoryBucket):
    name = "dummy"


def open_bucket(location: Location) -> OpenedBucket:
    return OpenedBucket(DummyBucket())
"""
PROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "statebucket-dummy"
version = "1.0"

[project.entry-points."statebucket.adapters"]
dummy = "statebucket_dummy:open_bucket"
"dummy+fast" = "statebucket_dummy:open_bucket"
"""
USE = """
import asyncio, sys
from statebucket import ExecutionSnapshot, ExecutionState, errors, open_store

async def main(url):
    async with open_store(url) as store:
        await store.save_snapshot(ExecutionSnapshot(
            execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING, sequence_number=1))
        loaded = await store.load_snapshot("e1")
        print(store.name, loaded.sequence_number)

for url in sys.argv[1:]:
    try:
        asyncio.run(main(url))
    except errors.StateBucketError as error:
        print(type(error).__name__, error)
"""


def built(source: Path, out: Path) -> Path:
    """Builds a wheel as a publisher does."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, env=for_building())
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with that wheel, a third party's, and no SDK."""
    folder = tmp_path_factory.mktemp("bare")
    environment = Environment(folder / "venv", wheel, "")
    package = folder / "dummy" / "statebucket_dummy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(ADAPTER)
    (folder / "dummy" / "pyproject.toml").write_text(PROJECT)
    environment.install(str(built(folder / "dummy", folder / "out")))
    return environment.python


def run(python: Path, script: str, *arguments: str, cwd: Path) -> list[str]:
    """What a script prints."""
    done = subprocess.run(
        [str(python), "-c", textwrap.dedent(script), *arguments],
        cwd=cwd,
        env=outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_it_holds_our_packages_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    adapters = {"azure", "gcs", "http", "local", "s3"}
    frameworks = {"aws", "claude", "keyvalue", "langgraph", "strands"}
    beside = {f"statebucket_{name}" for name in (*adapters, *frameworks, "pytest")}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"statebucket", *beside}
    assert {f"{package}/py.typed" for package in ("statebucket", *beside)} <= set(names)
    assert "statebucket/sync.pyi" in names
    assert not [name for name in names if "/tests/" in name or "__pycache__" in name]


def test_the_registry_and_the_entry_points_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["statebucket.adapters"] == BUILT_IN


def test_it_works_alone(bare: Path, tmp_path: Path) -> None:
    assert run(bare, USE, "memory://", "sqlite:///state.db", cwd=tmp_path) == [
        "memory 1",
        "sqlite 1",
    ]
    assert (tmp_path / "state.db").is_file()


def test_a_missing_sdk_names_the_pip_command(bare: Path, tmp_path: Path) -> None:
    urls = ("s3://bkt/p", "gs://bkt/p", "az://bkt/p?account=a")
    output = run(bare, USE, *urls, cwd=tmp_path)
    for line, extra in zip(output, ("s3", "gcs", "azure"), strict=True):
        assert line.startswith("AdapterNotInstalled")
        assert f"pip install 'statebucket[{extra}]'" in line


def test_the_http_engine_needs_a_package_for_some_credentials_only(
    bare: Path, tmp_path: Path
) -> None:
    url = "s3://bkt/p?region=us-east-1&endpoint_url=http://127.0.0.1:1&engine=http"
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    (tmp_path / "config").write_text("[default]\nsso_account_id = 1\n")
    none = f"import os; [os.environ.pop(name, None) for name in {keys}]\n"
    login = f"{none}os.environ['AWS_CONFIG_FILE'] = 'config'\n"
    (output,) = run(bare, login + USE, f"{url}&deadline=60", cwd=tmp_path)
    assert output.startswith("AdapterNotInstalled")
    assert "pip install botocore" in output
    role = "os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = 'http://127.0.0.1:1/task'\n"
    (output,) = run(bare, none + role + USE, f"{url}&deadline=0.5", cwd=tmp_path)
    assert output.startswith(("Unavailable", "DeadlineExceeded"))
    some = f"import os; os.environ |= dict.fromkeys({keys}, 'key')\n"
    (output,) = run(bare, some + USE, f"{url}&deadline=0.5", cwd=tmp_path)
    assert output.startswith(("Unavailable", "DeadlineExceeded"))


def test_on_cloud_storage_it_needs_one_for_files_of_credentials_only(
    bare: Path, tmp_path: Path
) -> None:
    url = "gs://bkt/p?engine=http&endpoint_url=http://127.0.0.1:1"
    (tmp_path / "key.json").write_text("{}")
    file = 'import os; os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = "key.json"\n'
    (output,) = run(bare, file + USE, f"{url}&deadline=60", cwd=tmp_path)
    assert output.startswith("AdapterNotInstalled")
    assert "pip install google-auth" in output
    machine = 'import os; os.environ["GCE_METADATA_HOST"] = "127.0.0.1:1"\n'
    for more in (f"{url}&deadline=0.5", f"{url}&anonymous=true&deadline=0.5"):
        (output,) = run(bare, machine + USE, more, cwd=tmp_path)
        assert output.startswith(("Unavailable", "DeadlineExceeded"))


def test_on_azure_it_needs_one_for_logins_only(bare: Path, tmp_path: Path) -> None:
    url = "az://container/p?engine=http&account=account1"
    login = 'import os; os.environ["AZURE_TOKEN_CREDENTIALS"] = "AzureCliCredential"\n'
    (output,) = run(bare, login + USE, f"{url}&deadline=60", cwd=tmp_path)
    assert output.startswith("AdapterNotInstalled")
    assert "pip install azure-identity" in output
    text = "BlobEndpoint=http://127.0.0.1:1/account1;AccountName=account1;AccountKey=a2V5"
    key = f'import os; os.environ["AZURE_STORAGE_CONNECTION_STRING"] = "{text}"\n'
    machine = """import os; os.environ |= {
        "IDENTITY_ENDPOINT": "http://127.0.0.1:1/token", "IDENTITY_HEADER": "h"}
"""
    for environ in (key, machine):
        (output,) = run(bare, environ + USE, f"{url}&deadline=0.5", cwd=tmp_path)
        assert output.startswith(("Unavailable", "DeadlineExceeded"))


def test_a_third_partys_wheel_adds_a_scheme(bare: Path, tmp_path: Path) -> None:
    output = run(bare, USE, "dummy://", "dummy://?engine=fast", "dummy://?engine=x", cwd=tmp_path)
    assert output[:2] == ["dummy 1", "dummy 1"]
    assert output[2].startswith("UnknownScheme")
    assert "engines of dummy: fast or sdk" in output[2]


def test_the_clock_needs_no_pytest_and_the_suite_names_the_pip_command(
    bare: Path, tmp_path: Path
) -> None:
    script = """
        from statebucket.testing import Clock, Target
        print(Clock(5)())
        try:
            from statebucket.testing import StateStoreContract
        except ImportError as error:
            print(error)
    """
    time, missing = run(bare, script, cwd=tmp_path)
    assert time == "5.0"
    assert missing.startswith("the contract suite needs pytest")
    assert missing.endswith("pip install 'statebucket[testing]'")


def test_importing_it_loads_little(bare: Path, tmp_path: Path) -> None:
    script = """
        import asyncio, msgspec, sys
        before = set(sys.modules)
        import statebucket
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
    """
    (loaded,) = run(bare, script, cwd=tmp_path)
    # No adapter, no SDK; and of the standard library what a cold start can afford.
    assert set(loaded.split()) <= {"statebucket", "copy", "urllib", "ipaddress"}


def test_there_is_no_core_package() -> None:
    assert not (ROOT / "core" / "__init__.py").exists()
    assert not (ROOT / "adapters" / "__init__.py").exists()

"""What opening a store imports, and what it says where a package is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import statebucket
import statebucket_local
from statebucket.opening import BUILT_IN

# In a process of its own, in which only what is named can be imported.

BARE = """
import sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
sys.path.append({path!r})
{code}
"""


@pytest.fixture
def bare(tmp_path: Path) -> Any:
    """Runs code in a Python that has statebucket and msgspec, and no SDK."""
    ours = Path(statebucket_local.__file__ or "").parents[1].glob("statebucket_*")
    for package in (Path(msgspec.__file__).parent, Path(statebucket.__file__).parent, *ours):
        (tmp_path / package.name).symlink_to(package)

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-S", "-I", "-c", BARE.format(path=str(tmp_path), code=code)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://bucket", "s3"), ("gs://bucket", "gcs"), ("az://c?account=a", "azure")]
)
def test_a_missing_sdk_is_told_with_the_pip_command(bare: Any, url: str, extra: str) -> None:
    said = bare(
        f"""
from statebucket import errors, open_store
try:
    open_store({url!r})
except errors.AdapterNotInstalled as error:
    assert isinstance(error, ImportError)
    print(error)
"""
    )
    assert f"pip install 'statebucket[{extra}]'" in said
    other = f"{url.partition(':')[0]}+http" in BUILT_IN
    assert ("or use engine=http (in the URL or STATEBUCKET_ENGINE)" in said) is other


def test_importing_statebucket_imports_no_sdk_and_no_adapter() -> None:
    code = """
import sys
before = set(sys.modules)  # a .pth file of another package may have loaded some
import statebucket
statebucket.open_store
print(*sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in
    {"aioboto3", "aiobotocore", "boto3", "botocore", "aiohttp", "google", "azure", "requests",
     "sqlite3", "pytest", "statebucket_local", "statebucket_s3", "statebucket_http",
     "statebucket_gcs", "statebucket_azure"} or name == "importlib.metadata"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/state.db"])
def test_a_cold_start_imports_no_more_than_it_needs(tmp_path: Path, url: str) -> None:
    # Each takes milliseconds, of which a function with little memory makes tens.
    code = f"""
import sys
sys.modules["typing_extensions"] = None  # msgspec imports it where it is installed, and it others
before = set(sys.modules)
from statebucket.sync import open_store
store = open_store({url.format(tmp_path)!r})
acme = store.tenant("acme")
acme.save_snapshot(acme.snapshot("e1"))
acme.load_snapshot("e1")
acme.set_json("k", [1])
acme.get_json("k")
print(*sorted((set(sys.modules) - before) & {{"asyncio", "concurrent.futures", "configparser",
    "dataclasses", "importlib.metadata", "inspect", "json", "logging", "pathlib", "random",
    "ssl", "tempfile", "unicodedata"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_opening_a_memory_store_loads_no_other_adapter(bare: Any) -> None:
    said = bare(
        """
import sys
from statebucket import open_store
open_store("memory://")
print(*(name for name in sys.modules if name.startswith(("statebucket_", "sqlite3"))))
"""
    )
    assert said.split() == ["statebucket_local", "statebucket_local.memory"]


REFUSED = """
import sys
from statebucket import errors, open_store

class Refusing:
    def find_spec(self, name, *_):
        if name.startswith({package!r}):
            raise {error}("refused", name=name)

sys.meta_path.insert(0, Refusing())
try:
    open_store({url!r})
except errors.AdapterNotInstalled as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("url", "package", "error", "extra"),
    [
        ("s3://bucket", "aiobotocore", "ModuleNotFoundError", "s3"),
        ("s3://bucket", "aiobotocore", "ImportError", "s3"),
        ("gs://bucket", "google.cloud.storage", "ImportError", "gcs"),
        ("az://container?account=acme", "azure.storage.blob", "ImportError", "azure"),
    ],
)
def test_an_sdk_that_cannot_be_imported_is_told_with_the_pip_command(
    url: str, package: str, error: str, extra: str
) -> None:
    code = REFUSED.format(url=url, package=package, error=error)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert f"pip install 'statebucket[{extra}]'" in done.stdout, done.stderr


def test_the_package_that_azures_sdk_sends_through_is_named_where_it_is_missing() -> None:
    url = "az://container?account=acme"
    code = REFUSED.format(url=url, package="aiohttp", error="ModuleNotFoundError")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("az:// needs aiohttp: pip install 'statebucket[azure]'; or use ")

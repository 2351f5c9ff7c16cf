"""The demo prints its story and checks it, on any store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from statebucket.sync import open_store as open_sync_store
from support.targets.azure import AzureTarget, raw_container
from support.targets.gcs import GCSTarget
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few text files."""
    folder = tmp_path / "input"
    for number in range(20):
        file = folder / str(number % 3) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"some words here, number {number}\n" * (number + 1))
    return folder


def demo(folder: Path, url: str | None = None, **environ: str) -> tuple[int, str]:
    """Runs it as `make demo` does."""
    environment = os.environ | {"DEMO_INPUT": str(folder)} | environ
    if url is not None:
        environment["STATEBUCKET_URL"] = url
    done = subprocess.run(
        [sys.executable, "-m", "statebucket.demo"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_on_sqlite(folder: Path) -> None:
    code, said = demo(folder)
    assert code == 0, said
    assert "Killed with SIGKILL in the middle of step 5 (exit code -9)" in said
    assert "sequence number 4, Running" in said
    assert "equals that of a run without interruption: yes" in said
    assert "b'for a moment'" in said
    assert said.endswith("All as it should be.\n")


@pytest.mark.parametrize("after", ["1. A worker", "2. A second", "4. A value"])
def test_ctrl_c_removes_what_it_has_made_and_says_so(
    folder: Path, tmp_path: Path, after: str
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "statebucket.demo"],
        env=os.environ | {"DEMO_INPUT": str(folder), "STATEBUCKET_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and not line.startswith(after):
        pass
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert said.endswith("\nInterrupted.\n")
    assert process.returncode == 130
    with open_sync_store(url) as store:
        assert list(store.iter_tenants()) == []


def test_it_removes_as_many_keys_as_it_shows(folder: Path) -> None:
    _, said = demo(folder)
    shown, removed = (said[said.index(step) :] for step in ("3. What", "5. Clean"))
    rows = [line.split() for line in shown[: shown.index("4. A")].splitlines() if "stats-" in line]
    gone = [line.split() for line in removed.splitlines() if "stats-" in line]
    assert len(rows) == len(gone) == 2
    assert {row[1]: row[-1] for row in rows} == {row[0]: row[1] for row in gone}


def test_on_s3(folder: Path, moto: Server) -> None:
    target = S3Target(moto, raw_client(moto))
    code, said = demo(folder, target.url)
    assert code == 0, said
    assert "All as it should be." in said
    assert target.raw_names() == []


def test_on_cloud_storage(folder: Path, fake: Server) -> None:
    target = GCSTarget(fake.url)
    code, said = demo(folder, target.url)
    assert code == 0, said
    assert target.raw_names() == []


def test_on_azure(folder: Path, azurite: Server) -> None:
    with raw_container(azurite) as raw:
        target = AzureTarget(azurite, raw)
        code, said = demo(
            folder, target.url, AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string
        )
        assert code == 0, said
        assert target.raw_names() == []


@pytest.mark.parametrize("url", ["memory://", "memory://shared"])
def test_memory_is_refused(folder: Path, url: str) -> None:
    code, said = demo(folder, url)
    assert code == 2
    assert "cannot share memory" in said


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    code, said = demo(tmp_path)
    assert code == 2
    assert "DEMO_INPUT" in said


def test_a_store_that_cannot_be_reached_is_said(folder: Path, moto: Server) -> None:
    code, said = demo(folder, f"s3://no-such-bucket?endpoint_url={moto.url}&region=us-east-1")
    assert code == 3  # refused, as the table of exit codes says
    assert "BucketNotFound" in said

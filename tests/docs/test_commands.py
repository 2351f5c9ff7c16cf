"""Every command line of the pages works: ours run on SQLite, make's and pip's name what exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from generators.pages import PAGES, ROOT, pages
from statebucket.cli import main
from statebucket.sync import open_store
from statebucket.testing.contract.base import snapshot

if TYPE_CHECKING:
    from pathlib import Path

LINES = sorted(
    {
        line.partition("#")[0].strip()
        for page in PAGES
        for language, block in re.findall(
            r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
        )
        if not language
        for line in block.splitlines()
    }
)
OURS = [
    line for line in LINES if line.startswith("statebucket ") and "terraform output" not in line
]
PIP = re.compile(r"^pip install [^']*'(?:statebucket|[./]+)\[([a-z0-9,-]+)\]")


def test_there_are_commands_to_run() -> None:
    assert len(OURS) >= 5


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_ours_works(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEBUCKET_URL", "sqlite:///state.db")
    with open_store("sqlite:///state.db") as store:
        store.save_snapshot(snapshot("exec-1"))
    words = shlex.split(line.replace("s3://bucket/app", "sqlite:///state.db"))[1:]
    monkeypatch.setattr("sys.argv", ["statebucket", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code, capsys.readouterr()


@pytest.mark.parametrize("line", [line for line in LINES if " -m pytest " in line])
def test_pytest_finds_what_a_command_names(line: str) -> None:
    (named,) = (word for word in line.split() if word.startswith("tests/"))
    file, _, name = named.partition("::")
    assert not name or re.search(rf"^class {name}\b", (ROOT / file).read_text(), re.MULTILINE)
    assert (ROOT / file).exists()


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_make_has_the_target(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        *(("sqlite:///s.db", ""), ("s3://b/p?region=r", "[s3]"), ("gs://b", "[gcs]")),
        *(("s3://b/p?region=r&engine=http", "[http]"), ("gs://b?engine=http", "[http]")),
        *(("az://b/p?account=a", "[azure]"), ("az://b/p?account=a&engine=http", "[http]")),
    ],
)
def test_make_demo_installs_what_the_url_needs(url: str, extra: str) -> None:
    output = subprocess.run(
        ["make", "--always-make", "--dry-run", "demo"],
        cwd=ROOT,
        env=os.environ | {"STATEBUCKET_URL": url, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f'--editable ".{extra}"' in output


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("pip ")])
def test_pip_finds_the_extra(line: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = PIP.match(line)
    assert named is not None
    assert set(named[1].split(",")) <= set(extras["optional-dependencies"])


def test_what_the_first_command_of_a_deployment_makes_is_no_part_of_the_checkout(
    tmp_path: Path,
) -> None:
    (line,) = (line for line in LINES if "--target build" in line)
    example = tmp_path / "terraform/examples/aws-lambda"
    (example / "build/statebucket_aws").mkdir(parents=True)
    (example / "build/statebucket_aws/README.md").touch()
    assert "../function.zip" in line
    (example / "function.zip").touch()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    untracked = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert untracked.stdout.split() == [".gitignore"]
    assert pages(tmp_path) == []

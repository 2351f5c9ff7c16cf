"""FastMCP keeps sessions and OAuth clients in the store, over restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from docs.test_blocks import FASTMCP, Block
from support.missing import need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.targets.deployments import Deployment

APP = Path(__file__).with_name("fastmcp_app.py")
ENVIRONMENT = Path(sys.prefix) / "fastmcp"


def missing() -> str | None:
    """Why FastMCP cannot run; None if it can."""
    if not (ENVIRONMENT.parent / ".fastmcp").exists():
        return "FastMCP has an environment of its own: make .venv/.fastmcp"
    return None


def run(*arguments: object, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """What a program says that starts a server, calls and stops it."""
    done = subprocess.run(
        [ENVIRONMENT / "bin" / "python", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=cwd,
        env={**os.environ, **env, "FASTMCP_LOG_ENABLED": "false"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("deployment", ["sqlite", "s3+http"], indirect=True)
def test_a_server_goes_on_where_another_process_ended(deployment: Deployment) -> None:
    need(missing)
    first = run(APP, deployment.url, env=deployment.environ)
    assert json.loads(first)["number"] == 1
    second: dict[str, Any] = json.loads(run(APP, deployment.url, first, env=deployment.environ))
    assert second == {**json.loads(first), "number": 2}
    assert second["client"] == "editor"


@pytest.mark.slow
@pytest.mark.parametrize("block", FASTMCP, ids=[block.where for block in FASTMCP])
def test_a_block_of_the_page_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    need(missing)
    (tmp_path / "block.py").write_text(block.code)
    assert block.runs == [run("-W", "error", "block.py", env={}, cwd=tmp_path)], block.where

"""FastMCP keeps sessions and OAuth clients in the store, over restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.missing import need

if TYPE_CHECKING:
    from support.targets.deployments import Deployment

APP = Path(__file__).with_name("fastmcp_app.py")
ENVIRONMENT = Path(sys.prefix) / "fastmcp"


def missing() -> str | None:
    """Why FastMCP cannot run; None if it can."""
    if not (ENVIRONMENT.parent / ".fastmcp").exists():
        return "FastMCP has an environment of its own: make .venv/.fastmcp"
    return None


def run(deployment: Deployment, *before: str) -> str:
    """What a server says that is started, called and stopped."""
    done = subprocess.run(
        [ENVIRONMENT / "bin" / "python", APP, deployment.url, *before],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, **deployment.environ, "FASTMCP_LOG_ENABLED": "false"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "deployment", ["sqlite", "s3+http", "gcs+http", "azure+http"], indirect=True
)
def test_a_server_goes_on_where_another_process_ended(deployment: Deployment) -> None:
    need(missing)
    first = run(deployment)
    assert json.loads(first)["number"] == 1
    second: dict[str, Any] = json.loads(run(deployment, first))
    assert second == {**json.loads(first), "number": 2}
    assert second["client"] == "editor"

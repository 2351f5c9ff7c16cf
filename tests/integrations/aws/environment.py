"""The environment of AWS's durable functions, whose boto3 conflicts with the other tests'."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENVIRONMENT = Path(sys.prefix) / "aws"
PYTHON = _ENVIRONMENT / "bin" / "python"


def missing() -> str | None:
    """Why durable functions cannot run; None if they can."""
    if not (_ENVIRONMENT.parent / ".aws").exists():
        return "AWS's durable functions have an environment of their own: make .venv/.aws"
    return None


def run(*arguments: str, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """What a program of that environment says, which must succeed."""
    done = subprocess.run(
        [PYTHON, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=cwd,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""The distributions, built as a publisher builds them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.wheel_environment import ROOT, for_building

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env=for_building())
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """statebucket's own wheel."""
    (wheel,) = dist.glob("*.whl")
    return wheel

"""The API reference, as ``make docs`` builds it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def setting(name: str) -> str:
    """A variable of the Makefile."""
    found = re.search(rf"^{name} := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_the_reference_is_built_without_a_warning(tmp_path: Path) -> None:
    modules, ignored = setting("DOCS"), setting("NAMED_TUPLE")
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-W", ignored, "-m", "pdoc"),
            *("--docformat", "google", "--output-directory", str(tmp_path)),
            *modules.split(),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for module in modules.split():
        assert (tmp_path / f"{module.replace('.', '/')}.html").stat().st_size > 2000

"""The size of each extra in MiB, with bytecode as pip leaves it; `make sizes` prints it.

The Claude Agent SDK is measured with the command line that its wheel brings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from support.wheel_environment import ROOT, Environment, for_building

_OUR_OWN = ("testing", "testing-s3")  # for tests, not for functions


def rows() -> list[tuple[str, int]]:
    """The extras with the bytes of what they install, statebucket and msgspec included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for name in project["optional-dependencies"] if name not in _OUR_OWN]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = [sys.executable, "-m", "build", "--wheel", "--outdir", name, str(ROOT)]
        subprocess.run(build, check=True, capture_output=True, env=for_building())
        (wheel,) = folder.glob("*.whl")
        return [
            (extra, Environment(folder / (extra or "bare"), wheel, extra, as_users_do=True).size())
            for extra in ("", *extras)
        ]


def table() -> str:
    """The table, in Markdown."""
    lines = ["| installed | MiB |", "|---|---|"]
    for extra, size in rows():
        name = f"`statebucket[{extra}]`" if extra else "`statebucket`"
        lines.append(f"| {name} | {size / 2**20:.0f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(table())

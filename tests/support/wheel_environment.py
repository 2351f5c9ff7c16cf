"""An environment with the wheel, what one of its extras asks for, and nothing else.

pip would take minutes to install five of them. What it would choose is here already: the wheel's
requirements are followed through the metadata of the distributions in this environment, whose files
are linked one by one, so that namespace packages show no more than belongs to the extra.
"""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 120
ROOT = Path(__file__).parents[2]


def outside() -> dict[str, str]:
    """An environment that knows nothing of this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class Environment:
    """An environment without pip.

    Args:
        folder: Where to make it.
        wheel: statebucket's wheel.
        extra: The one extra.
    """

    def __init__(self, folder: Path, wheel: Path, extra: str) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self._python = folder / "bin" / "python"
        (packages,) = folder.glob("lib/python*/site-packages")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)  # what installing a pure wheel does, but for scripts
            (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            asked = message_from_bytes(archive.read(path)).get_all("Requires-Dist", [])
        for name in needed(asked, extra, set()):
            _link(name, packages)

    def run(
        self, *command: str, cwd: Path, code: int = 0, env: dict[str, str] | None = None
    ) -> str:
        """Runs Python with these arguments; what it printed."""
        done = subprocess.run(
            [str(self._python), *command],
            cwd=cwd,
            env=outside() | (env or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output
        return output


def needed(requirements: Iterable[str], extra: str, seen: set[tuple[str, str]]) -> set[str]:
    """The distributions that a list of requirements asks for, and what they ask for in turn."""
    found: set[str] = set()
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        there = distribution(name)
        assert requirement.specifier.contains(there.version, prereleases=True), text
        found.add(name)
        for further in ("", *requirement.extras):
            if (name, further) not in seen:
                seen.add((name, further))
                found |= needed(there.requires or (), further, seen)
    return found


def _link(name: str, packages: Path) -> None:
    there = distribution(name)
    for file in there.files or ():
        # Scripts lie outside, and bytecode is made again.
        if file.parts[0] == ".." or file.suffix == ".pyc":
            continue
        link = packages / file
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(str(there.locate_file(file)))

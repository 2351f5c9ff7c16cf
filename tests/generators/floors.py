"""Prints the lowest release of each dependency that ``pyproject.toml`` admits, as constraints.

python tests/generators/floors.py > floors.txt
pip install --constraint floors.txt …
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
_FLOOR = re.compile(r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?>=(?P<version>[\w.]+)")


def floors() -> dict[str, str]:
    """The lower bound of each dependency of the package and its extras, by its name."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    found = {}
    for requirement in declared:
        if requirement.startswith(f"{project['name']}["):
            continue  # the extra that is all others
        matched = _FLOOR.match(requirement)
        if matched is None:
            raise ValueError(f"a dependency must have a lower bound: {requirement!r}")
        found[matched["name"]] = matched["version"]
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}=={version}\n" for name, version in floors().items())

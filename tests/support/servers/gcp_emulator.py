"""gcp-storage-emulator: Cloud Storage with lifecycle rules and batches, but no preconditions."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


def missing() -> str | None:
    """Say why gcp-storage-emulator cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if not importlib.util.find_spec("gcp_storage_emulator"):
        return "gcp-storage-emulator is not installed: pip install gcp-storage-emulator"
    return None


@contextmanager
def running_gcp_emulator() -> Iterator[Server]:
    """Run a gcp-storage-emulator of its own, empty at the start.

    It serves one connection at a time: a client that connects and says nothing blocks it.

    Yields:
        The server.
    """
    # It hangs if its port is taken, and is up within a second if not.
    with serve("gcp-storage-emulator", _command) as (port, pid):
        yield Server(
            name="gcp_emulator",
            service="gcs",
            url=f"http://{HOST}:{port}",
            access_key="",
            secret_key="",
            pid=pid,
        )


def _command(port: int) -> list[str]:
    """Give the command line for a port."""
    module = [sys.executable, "-m", "gcp_storage_emulator"]
    return [*module, "start", f"--host={HOST}", f"--port={port}", "--in-memory", "--quiet"]

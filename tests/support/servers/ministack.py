"""ministack: S3 that also checks Content-MD5 and the ETags of a batch delete."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def missing() -> str | None:
    """Say why ministack cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if not importlib.util.find_spec("ministack"):
        return "ministack is not installed: pip install ministack"
    return None


@contextmanager
def running_ministack() -> Iterator[Server]:
    """Run a ministack of its own, empty at the start.

    Yields:
        The server.
    """
    with serve("ministack", lambda _port: [sys.executable, "-m", "ministack"], env=_environ) as (
        port,
        pid,
    ):
        yield Server(
            name="ministack",
            service="s3",
            url=f"http://{HOST}:{port}",
            access_key="test-access-key",
            secret_key="test-secret-key",
            pid=pid,
        )


def _environ(port: int) -> Mapping[str, str]:
    """Give ministack's settings: S3 on one loopback port, in memory, and nothing else."""
    return {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": "s3",
        # On by default, on every address and a fixed port, regardless of BIND_HOST and SERVICES.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # A developer's own settings must not bring yesterday's objects back.
        "LOCALSTACK_PERSISTENCE": "0",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "USE_SSL": "0",
        "LOG_LEVEL": "WARNING",
    }

"""LocalStack: S3 that names, for each object, the lifecycle rule that will remove it, and when.

It needs other versions of boto3 and cryptography than we do, so it has its own environment:
``localstack`` in the Python environment, made by ``make test-localstack``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def missing() -> str | None:
    """Say why LocalStack cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if not _python().exists():
        return "LocalStack is not installed: make .venv/.localstack"
    return None


@contextmanager
def running_localstack() -> Iterator[Server]:
    """Run a LocalStack of its own, with only S3 and STS, empty at the start.

    It takes 10 to 20 s to start, and accepts any credentials.

    Yields:
        The server.

    Raises:
        FileNotFoundError: It is not installed.
    """
    if reason := missing():
        raise FileNotFoundError(reason)

    def environ(port: int) -> Mapping[str, str]:
        return _environ(port, Path(name))

    with (
        tempfile.TemporaryDirectory(prefix="localstack-") as name,
        serve(
            "LocalStack",
            lambda _port: [str(_python()), "-m", "localstack.runtime.main"],
            env=environ,
            timeout=120,
        ) as (port, pid),
    ):
        yield Server(
            name="localstack",
            service="s3",
            url=f"http://{HOST}:{port}",
            access_key="test-access-key",
            secret_key="test-secret-key",
            pid=pid,
        )


def _python() -> Path:
    """Give the interpreter of its environment."""
    return Path(sys.prefix) / "localstack" / "bin" / "python"


def _environ(port: int, folder: Path) -> Mapping[str, str]:
    """Give its settings: S3 and STS on one loopback port, state in a folder, and no network."""
    return {
        "SERVICES": "s3,sts",
        "STRICT_SERVICE_LOADING": "1",
        "EAGER_SERVICE_LOADING": "1",
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        # The other gateway listens on every address.
        "GATEWAY_SERVER": "hypercorn",
        "DNS_ADDRESS": "0",
        # Otherwise it would report its use, and fetch a certificate.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LOCALSTACK_VOLUME_DIR": str(folder),
        "FILESYSTEM_ROOT": str(folder),
        "TMPDIR": str(folder),
        "PERSISTENCE": "0",
        "DEBUG": "0",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

"""The server as a process of its own, seen from outside."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "devstoreaccount1"
KEY = "a2V5" * 16
CONTAINER = "bench"


class Server:
    """A running server.

    Args:
        ports: By service and kind.
        ca: The file of the authority that its certificates are from.
    """

    def __init__(self, ports: dict[str, dict[str, int]], ca: str) -> None:
        self._ports = ports
        self.ca = ca

    def port(self, service: str, kind: str = "plain") -> int:
        """The port of a service, "plain" or "tls"."""
        return self._ports[service][kind]

    def url(self, service: str, kind: str = "plain") -> str:
        """The endpoint of a service, the account included where it is in the path."""
        scheme = "http" if kind == "plain" else "https"
        base = f"{scheme}://127.0.0.1:{self.port(service, kind)}"
        return f"{base}/{ACCOUNT}" if service == "azure" else base

    def count(self, service: str) -> int:
        """How many requests the service has answered."""
        return int(self._ask(service, "GET", "count"))

    def size(self, service: str) -> int:
        """How many objects the service stores."""
        return int(self._ask(service, "GET", "size"))

    def clear(self, service: str) -> None:
        """Drops all that the service stores."""
        self._ask(service, "POST", "clear")

    def seed(self, service: str, name: str, count: int, body: str = "x") -> None:
        """Stores a body under ``name`` with each number below ``count`` in place of ``{}``."""
        how = {
            "container": CONTAINER,
            "name": name,
            "count": count,
            "body": body,
            "content_type": "application/json",
        }
        self._ask(service, "POST", "seed", how)

    def _ask(self, service: str, method: str, what: str, how: Any = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(service), timeout=60)
        try:
            connection.request(method, f"/-/{what}", json.dumps(how))
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def running(latency: float = 0.0) -> Iterator[Server]:
    """Runs a server for as long as the context lasts."""
    with TemporaryDirectory() as folder:
        authority = trustme.CA()
        ca = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(ca)
        certificate = Path(folder) / "server.pem"
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
            certificate
        )
        command = [sys.executable, "-m", "benchmarks.server", "--certificate", str(certificate)]
        with subprocess.Popen(
            [*command, "--latency", str(latency)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line:
                    raise SystemExit("the server did not start")
                yield Server(json.loads(line), str(ca))
            finally:
                process.stdin.close()  # it ends by itself

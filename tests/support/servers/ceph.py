"""Ceph's RADOS Gateway: a production S3, whose lifecycle rules really remove objects.

It is packaged in Debian (``radosgw`` and its dependencies), and root can install it::

    PYTHONPATH=tests python -m support.servers.ceph install

A monitor and a storage daemon with objects in memory run next to the gateway. One day of a
lifecycle rule takes `DAY_S` seconds here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from support.servers import Server
from support.servers.debian import InstallFailed, apt_install, can_install
from support.servers.ports import HOST, ServerFailed, background, free_ports, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
DAY_S = 25
"""Seconds that a rule's day takes. The gateway goes through 36 rules in 22 s, mostly asleep, and
starts again once a day: with a shorter day it never gets to the last of them."""

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-base", "ceph-common")
_PROGRAMS = (
    *("radosgw", "radosgw-admin", "ceph-mon", "monmaptool", "ceph-osd", "ceph"),
    "ceph-authtool",
)
_COMMAND_S = 60.0
_GATEWAY = "client.rgw.a"
_CAPABILITIES = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
    _GATEWAY: ("mon", "allow rw", "osd", "allow rwx"),
}
_SETTINGS = """
[global]
fsid = {fsid}
mon host = [v2:{host}:{v2},v1:{host}:{v1}]
mon initial members = a
public addr = {host}
cluster addr = {host}
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data = {folder}/mon
mon data avail crit = 1
mon data avail warn = 2
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
log to stderr = false
keyring = {folder}/keyring

[{gateway}]
rgw data = {folder}/rgw
# Without tcp_nodelay a small GET takes 44 ms.
rgw frontends = beast endpoint={host}:{port} tcp_nodelay=1
rgw lc debug interval = {day}
rgw lifecycle work time = 00:00-23:59
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw enable apis = s3, admin
"""


@dataclass(frozen=True, slots=True)
class Ceph:
    """A running gateway, and its settings and logs.

    Attributes:
        server: The gateway, with the keys of its first user.
        folder: Where its settings and logs are.
    """

    server: Server
    folder: Path

    def make_user(self, name: str) -> Server:
        """Make another user.

        Args:
            name: Its id; its access key is ``{name}-key``, its secret ``{name}-secret``.

        Returns:
            The gateway, with that user's keys.
        """
        return _make_user(self.folder, self.server, name, f"{name}-key", f"{name}-secret")

    def set(self, option: str, value: object) -> None:
        """Change one of the gateway's options while it runs.

        Args:
            option: The option, such as "rgw_max_concurrent_requests".
            value: Its new value.
        """
        socket = self.folder / "run" / f"{_GATEWAY}.asok"
        _run("ceph", "--admin-daemon", str(socket), "config", "set", option, str(value))


def missing() -> str | None:
    """Say why Ceph cannot run here.

    Returns:
        The reason, or None if it can.
    """
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    if lacking:
        return (
            f"Ceph is not installed ({', '.join(lacking)} not found): as root, on Debian, "
            f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"
        )
    return None


def install() -> None:
    """Install Debian's packages, unless they are there. None of their services is started.

    Raises:
        InstallFailed: This is not root, or not Debian, or apt failed.
    """
    reason = missing()
    if reason is None:
        return
    if not can_install():
        raise InstallFailed(reason)
    apt_install(PACKAGES)


@contextmanager
def running_ceph() -> Iterator[Ceph]:
    """Run a Ceph of its own, empty at the start.

    It takes some 15 s to start.

    Yields:
        The gateway.

    Raises:
        FileNotFoundError: It is not installed.
    """
    if reason := missing():
        raise FileNotFoundError(reason)
    with (
        tempfile.TemporaryDirectory(prefix="ceph-") as name,
        tempfile.TemporaryFile() as log,
    ):
        folder = Path(name)
        for part in ("mon", "osd", "rgw", "run", "log"):
            (folder / part).mkdir()
        fsid, monitors = str(uuid.uuid4()), free_ports(2)
        # The gateway's port is known only when it starts; the others do not need it.
        _write_settings(folder, fsid, monitors, port=0)
        _make_keys(folder)
        _make_monitor(folder, fsid, monitors)
        settings = ("-f", "-c", str(folder / "ceph.conf"))
        with background(["ceph-mon", *settings, "-i", "a"], log):
            _make_storage(folder)

            def gateway(port: int) -> list[str]:
                _write_settings(folder, fsid, monitors, port)
                return ["radosgw", *settings, "-n", _GATEWAY]

            # The data is thrown away, so neither gets time for a clean shutdown.
            with (
                background(["ceph-osd", *settings, "-i", "0"], log, grace=0),
                serve("Ceph's gateway", gateway, timeout=120, grace=0) as (port, pid),
            ):
                server = Server(
                    name="ceph",
                    service="s3",
                    url=f"http://{HOST}:{port}",
                    access_key=ACCESS_KEY,
                    secret_key=SECRET_KEY,
                    pid=pid,
                )
                _make_user(folder, server, "tests", ACCESS_KEY, SECRET_KEY)
                yield Ceph(server, folder)


def _write_settings(folder: Path, fsid: str, monitors: list[int], port: int) -> None:
    """Write the configuration that all programs read."""
    v2, v1 = monitors
    text = _SETTINGS.format(
        fsid=fsid, v2=v2, v1=v1, host=HOST, folder=folder, port=port, day=DAY_S, gateway=_GATEWAY
    )
    (folder / "ceph.conf").write_text(text)


def _make_keys(folder: Path) -> None:
    """Make the keys with which the daemons and tools authenticate each other."""
    create = ["--create-keyring"]
    for name, capabilities in _CAPABILITIES.items():
        pairs = zip(capabilities[::2], capabilities[1::2], strict=True)
        grants = [word for pair in pairs for word in ("--cap", *pair)]
        _run("ceph-authtool", *create, str(folder / "keyring"), "--gen-key", "-n", name, *grants)
        create = []


def _make_monitor(folder: Path, fsid: str, monitors: list[int]) -> None:
    """Make the monitor's data."""
    v2, v1 = monitors
    place = f"[v2:{HOST}:{v2},v1:{HOST}:{v1}]"
    monitor_map = str(folder / "monmap")
    _run("monmaptool", "--create", "--addv", "a", place, "--fsid", fsid, monitor_map)
    made = ("--mkfs", "-i", "a", "--monmap", monitor_map, "--keyring", str(folder / "keyring"))
    _run("ceph-mon", "-c", str(folder / "ceph.conf"), *made)


def _make_storage(folder: Path) -> None:
    """Make the storage daemon's data; the monitor must be running."""
    settings = ("-c", str(folder / "ceph.conf"))
    name = str(uuid.uuid4())
    _run("ceph", *settings, "-n", "client.admin", "osd", "new", name)
    _run("ceph-osd", *settings, "-i", "0", "--mkfs", "--osd-uuid", name)


def _make_user(folder: Path, server: Server, name: str, key: str, secret: str) -> Server:
    keys = (f"--access-key={key}", f"--secret-key={secret}")
    _admin(folder, "user", "create", f"--uid={name}", f"--display-name={name}", *keys)
    return replace(server, access_key=key, secret_key=secret)


def _admin(folder: Path, *words: str) -> str:
    """Run the gateway's own tool, and return its output."""
    return _run("radosgw-admin", "-c", str(folder / "ceph.conf"), *words)


def _run(*command: str) -> str:
    """Run one of Ceph's programs to its end, and return its output."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def main(arguments: list[str]) -> str | None:
    """Install Ceph from the command line.

    Args:
        arguments: The one word "install".

    Returns:
        What went wrong, or None.
    """
    if arguments != ["install"]:
        return "usage: python -m support.servers.ceph install"
    try:
        install()
    except InstallFailed as error:
        return str(error)
    sys.stdout.write("Ceph is installed\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Ceph listens only on this machine, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.servers import ceph, debian
from support.servers.sdk import ROUND_TRIPS

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 100


def processes(folder: Path) -> Iterator[Path]:
    """The processes, in Linux's /proc, whose settings are in a folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if str(folder).encode() in command and b"-f" in command.split(b"\0"):
            yield entry


def listeners(process: Path) -> set[str]:
    """The addresses that a process listens on, as Linux writes them."""
    inodes = {str(link.readlink()) for link in (process / "fd").iterdir()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def test_it_stores_an_object_on_loopback_alone_and_ends() -> None:
    with ceph.running_ceph() as running:
        assert ROUND_TRIPS["s3"](running.server, BODY) == BODY
        daemons = list(processes(running.folder))
        assert len(daemons) == 3
        places = {place for process in daemons for place in listeners(process)}
        assert f"0100007F:{running.server.port:04X}" in places
        assert {place.partition(":")[0] for place in places} == {"0100007F"}
    deadline = time.monotonic() + 10
    while any(processes(running.folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(processes(running.folder)) == []
    assert not running.folder.exists()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    reason = ceph.missing()
    assert reason is not None
    assert all(package in reason for package in ceph.PACKAGES)
    with pytest.raises(debian.InstallFailed, match="radosgw"):
        ceph.install()
    assert ceph.main(["install"]) == reason
    assert (ceph.main([]) or "").startswith("usage")

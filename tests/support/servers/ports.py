"""Free ports, readiness, and server processes that do not outlive the tests."""

from __future__ import annotations

import atexit
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HOST = "127.0.0.1"

_POLL_S = 0.02
_PROBE_S = 5.0
_END_S = 5.0
_ATTEMPTS = 3  # SeaweedFS needs eight ports, for seconds of its start
_LISTEN = "0A"  # The socket state "listening" in Linux's /proc/net/tcp.

# Runs in the new process: asks the kernel to kill it when its parent dies, then becomes the
# server. A preexec_fn would do the same, but runs Python between fork and exec, which can
# deadlock in a process with threads.
_TIE_TO_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this server is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""

_running: set[subprocess.Popen[bytes]] = set()


class ServerFailed(RuntimeError):
    """A server did not start."""


def free_port() -> int:
    """Find a port on 127.0.0.1 that nothing listens on.

    Returns:
        The port. Another process may take it before the caller does: `serve` then tries again.
    """
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Find several ports on 127.0.0.1 that nothing listens on, for a server that needs them.

    Args:
        count: How many.

    Returns:
        The ports, no two alike; see `free_port`.
    """
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def listening(port: int) -> bool:
    """Say whether something accepts connections on a port of 127.0.0.1.

    Args:
        port: The port to try.

    Returns:
        True if a connection was made.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def wait_until_ready(port: int, process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait until a server answers HTTP, with whatever status.

    A connection is not enough: some servers listen before they can reply. Neither is a reply: it
    may come from another process that took the port meanwhile.

    Args:
        port: The server's port.
        process: The server's process.
        timeout: Seconds to wait.

    Raises:
        ServerFailed: The process ended or did not answer in time, or another one answers.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"it ended with {process.returncode}")
        connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_S)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(_POLL_S)
        else:
            if not _listens(process.pid, port):
                raise ServerFailed(f"another process answers on port {port}")
            return
        finally:
            connection.close()
    raise ServerFailed(f"no answer on port {port} within {timeout:.0f} s")


def _listens(pid: int, port: int) -> bool:
    """Say whether a process listens on a port of 127.0.0.1; yes if that cannot be determined."""
    if sys.platform != "linux":
        return True
    where = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listeners = {
        f"socket:[{row[9]}]" for row in rows if row[3] == _LISTEN and row[1].endswith(where)
    }
    with suppress(OSError):  # It has ended meanwhile.
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # Closed meanwhile.
                if str(link.readlink()) in listeners:
                    return True
    return False


@contextmanager
def serve(
    name: str,
    command: Callable[[int], Sequence[str]],
    *,
    env: Callable[[int], Mapping[str, str]] = lambda _port: {},
    timeout: float = 60,
    grace: float = _END_S,
) -> Iterator[tuple[int, int]]:
    """Run a server for as long as the context lasts.

    On Linux the kernel ends the server when the thread that entered the context ends, even by
    SIGKILL: so enter it on the main thread, or on one that lives long enough.

    Args:
        name: What to call it in errors.
        command: Gives the command line for a port.
        env: Gives what to add to the environment for a port.
        timeout: Seconds to wait for its first answer.
        grace: Seconds that it has to end by itself before it is killed.

    Yields:
        The server's port and process id.

    Raises:
        ServerFailed: It did not start; the message ends with what it printed.
    """
    # The log is a file: a pipe that is not read would fill up and block the server.
    with tempfile.TemporaryFile() as log:
        process, port = _start(name, command, env, timeout, log)
        try:
            yield port, process.pid
        finally:
            _end(process, grace)


@contextmanager
def background(command: Sequence[str], log: IO[bytes], *, grace: float = _END_S) -> Iterator[int]:
    """Run a process next to a server, for as long as the context lasts: see `serve`.

    Args:
        command: The command line.
        log: Where its output goes.
        grace: Seconds that it has to end by itself before it is killed.

    Yields:
        Its process id.
    """
    process = _spawn(command, {}, log)
    try:
        yield process.pid
    finally:
        _end(process, grace)


def _start(
    name: str,
    command: Callable[[int], Sequence[str]],
    env: Callable[[int], Mapping[str, str]],
    timeout: float,
    log: IO[bytes],
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server, and retry on another port if the first was taken meanwhile."""
    attempt = 0
    while True:
        attempt += 1
        port = free_port()
        process = _spawn(command(port), env(port), log)
        try:
            wait_until_ready(port, process, timeout)
        except ServerFailed as error:
            _end(process)
            if attempt < _ATTEMPTS:
                continue  # Its port may have been taken; not every server exits in that case.
            raise ServerFailed(f"{name} did not start: {error}\n{_tail(log)}") from None
        except BaseException:
            _end(process)
            raise
        return process, port


def _spawn(
    command: Sequence[str], env: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process that does not outlive this one."""
    process = subprocess.Popen(
        _tied(command),
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # Ctrl-C goes to the tests, which end the server once they are done with it.
        start_new_session=True,
    )
    _running.add(process)
    return process


def _tied(command: Sequence[str]) -> list[str]:
    """Wrap a command so that its process dies with this one, if the system supports that."""
    if sys.platform != "linux":
        return list(command)  # There only atexit is available.
    return [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), *command]


def _end(process: subprocess.Popen[bytes], grace: float = _END_S) -> None:
    """Terminate a process, kill it if need be, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _running.discard(process)


def _tail(log: IO[bytes]) -> str:
    """Give the end of what a server printed."""
    log.seek(0)
    return log.read()[-2000:].decode(errors="replace")


@atexit.register
def _end_all() -> None:
    """Terminate the servers whose contexts were never left."""
    for process in tuple(_running):
        _end(process)

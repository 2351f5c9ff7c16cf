"""A process that imports the command line once, and forks for each command of a test.

To start Python and to import typer and rich takes a processor a third of a second; the tests in a
terminal run a hundred commands. Those that start ``python -m statebucket`` are in test_exits.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from statebucket.cli import main
from support.command_line import command_line
from support.competing_processes import environ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MESSAGE = 128 * 1024  # an environment, above all


class Command:
    """A command that runs in a process and a session of its own.

    Args:
        terminal: What is to be its standard input, output and error output.
        arguments: Those of ``statebucket``.
        environment: Its whole environment.
    """

    def __init__(
        self, terminal: int, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            words = json.dumps([list(arguments), dict(environment), str(Path.cwd())])
            socket.send_fds(_parent(), [words.encode()], [terminal, theirs.fileno()])
        self.pid = int(self._channel.recv(32))

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """Ends it at once."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended; a negative one is a signal.

        Raises:
            TimeoutError: It has not ended in so many seconds.
        """
        with self._channel:
            self._channel.settimeout(seconds)
            return int(self._channel.recv(32))


@cache
def _parent() -> socket.socket:
    """Our end of the socket to the process that forks; that process ends when it is closed."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.forking"],
            stdin=theirs.fileno(),
            env=environ({}),
            start_new_session=True,  # Ctrl-C for the tests is none for it
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(commands: socket.socket) -> None:
    """Forks for each message, until there are no more."""
    with TemporaryDirectory() as folder:  # modules that are loaded late are loaded by now
        cli = command_line(f"sqlite:///{folder}/state.db")
        assert [cli(*words).code for words in (("set", "k", "v"), ("tenants",))] == [0, 0]
        for thread in set(threading.enumerate()) - {threading.main_thread()}:
            thread.join()  # the store's, which ends by itself: what is forked has none but this one
    gc.freeze()  # to look at each object once more, and copy it, costs more than the command
    while True:
        message, descriptors, _, _ = socket.recv_fds(commands, _MESSAGE, 2)
        if not message:
            return
        if os.fork() == 0:
            commands.detach()
            terminal, channel = descriptors
            _report(socket.socket(fileno=channel))
            _become(terminal, *json.loads(message))
            _run()
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):  # there are none left
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _report(channel: socket.socket) -> None:
    """Tells a test the process that the command runs in, and its exit code; returns in that one."""
    command = os.fork()
    if command == 0:
        channel.close()
        return
    channel.send(b"%d" % command)
    _, status = os.waitpid(command, 0)
    channel.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(terminal: int, arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Makes this process what a shell would have started in the terminal."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor in range(3):
        os.dup2(terminal, descriptor)
    os.close(terminal)
    sys.argv[1:] = arguments
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)


def _run() -> NoReturn:
    """Runs the command, and ends without the interpreter's tidying up, which takes longer."""
    code: object = 1
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    with socket.socket(fileno=0) as commands:
        _serve(commands)

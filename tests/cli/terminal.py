"""The command line in a real terminal: a pty of a given size, with a test's key presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import psutil

from cli.forking import Command

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9])")
_SECONDS = 60.0
_LOOKS, _LOOK_S = 5, 0.03  # so often in a row a command must be found waiting, to have come to rest


class Terminal:
    """One command, running in a terminal.

    Args:
        arguments: Those of ``statebucket``.
        environment: What differs from this process's.
        columns: The terminal's width.
    """

    def __init__(
        self, *arguments: str, environment: dict[str, str] | None = None, columns: int = 100
    ) -> None:
        self.raw = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._command = Command(
            slave,
            arguments,
            os.environ | {"TERM": "xterm-256color", "COLUMNS": ""} | (environment or {}),
        )
        os.close(slave)

    @property
    def text(self) -> str:
        """What was printed so far, without colours and cursor movements."""
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def wait_for(self, text: str) -> None:
        """Reads until a text was printed."""
        until = time.monotonic() + _SECONDS
        while text not in self.text:
            if not self._read(until):
                raise AssertionError(f"{text!r} was not printed, but: {self.text}")

    def press(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._master, keys.encode())

    def until_it_waits(self) -> None:
        """Returns once the command does nothing any more but wait, as for a key."""
        idle, seen = 0, None
        until = time.monotonic() + _SECONDS
        while idle < _LOOKS:
            assert time.monotonic() < until, f"the command does not come to rest after: {self.text}"
            process = psutil.Process(self._command.pid)
            now = (process.status(), process.cpu_times(), process.num_ctx_switches())
            idle = idle + 1 if now == seen and now[0] == psutil.STATUS_SLEEPING else 0
            seen = now
            time.sleep(_LOOK_S)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._command.interrupt()

    def end(self) -> int:
        """Reads to the end, and returns the exit code."""
        until = time.monotonic() + _SECONDS
        while self._read(until):
            pass
        os.close(self._master)
        return self._command.wait(_SECONDS)

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            self._command.kill()
            raise AssertionError(f"the command hangs after: {self.text}")
        try:
            piece = os.read(self._master, 65_536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.raw += piece.decode(errors="replace")
        return bool(piece)


def run(*arguments: str, keys: str = "", columns: int = 100) -> tuple[int, str]:
    """Runs a command to its end; its exit code and what a person saw."""
    terminal = Terminal(*arguments, columns=columns)
    if keys:
        terminal.wait_for("[y/n]")
        terminal.press(keys)
    code = terminal.end()
    return code, terminal.text

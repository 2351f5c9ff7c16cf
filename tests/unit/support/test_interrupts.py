"""Tests of Ctrl-C also work in the background of a script, which ignores it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.interrupts import heed_interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

SAYS = """
import signal
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.fixture
def _ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def started_heeds() -> bool:
    run = [sys.executable, "-I", "-S", "-c", SAYS]
    return subprocess.check_output(run, text=True) == "True\n"


@pytest.mark.usefixtures("_ignored")
def test_a_started_process_is_interrupted_again() -> None:
    assert not started_heeds()
    heed_interrupts()
    assert started_heeds()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_this_run_does() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert started_heeds()

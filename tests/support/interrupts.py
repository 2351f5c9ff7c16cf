"""Ctrl-C for processes that tests start, whatever the test run itself was started with."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Undoes that SIGINT is ignored, as in the background of a script.

    A process that is started inherits it, and Python then installs no handler: what a test
    interrupts would go on. A signal that has a handler is reset in a new process.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

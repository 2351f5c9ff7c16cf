"""Ctrl-C for processes that tests start, no matter how the test run was started."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Stops ignoring SIGINT, which is ignored in the background of a script.

    A new process inherits an ignored signal, and Python then installs no handler, so a test's
    interrupt would have no effect. A signal with a handler is reset in a new process.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""The pytest plugin around the scanner: a run in which a credential leaked has failed."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from support.secret_scan.scan import SecretScanner

if TYPE_CHECKING:
    import warnings
    from collections.abc import Iterator

_KEY = "leaked_secrets"
LEAKED = 7
"""The exit code of a run in which a credential leaked, regardless of its tests."""


class SecretScan:
    """Scans in each process, and reports at the end of the whole run.

    Args:
        config: pytest's configuration; an xdist worker sends its results to the main process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.scanner = SecretScanner()
        self.scanner.open()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record which test is running."""
        self.scanner.test = item.nodeid
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Scan what a test printed; log messages are already scanned."""
        self.scanner.test = report.nodeid
        for name, text in report.sections:
            if "log" not in name:
                self.scanner.scan("what was printed", text)

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Scan a warning."""
        self.scanner.scan("a warning", str(warning_message.message))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the results of a worker."""
        self.scanner.leaks += getattr(node, "workeroutput", {}).get(_KEY, [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if anything leaked."""
        gc.unfreeze()  # what `support.warnings_guard` set aside
        gc.collect()  # errors in reference cycles are freed only now
        gc.freeze()  # pytest collects five times more, and Python when it ends
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.scanner.leaks
        elif self.scanner.leaks:
            session.exitstatus = LEAKED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report what leaked."""
        if self.scanner.leaks:
            terminalreporter.section("credentials leaked", red=True)
            for leak in self.scanner.leaks[:50]:
                terminalreporter.write_line(leak)

    def pytest_unconfigure(self) -> None:
        """Stop scanning."""
        self.scanner.close()

"""The pytest plugin around the ear: a run in which a credential was told has failed."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from support.secret_scan.scan import Ear

if TYPE_CHECKING:
    import warnings
    from collections.abc import Iterator

_KEY = "told_secrets"
TOLD = 7
"""The exit code of a run that told a credential, not that of failed tests, which run again."""


class Discretion:
    """Listens in each process, and tells at the end of the whole run.

    Args:
        config: pytest's; a worker of xdist hands what it has heard to the one that started it.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ear = Ear()
        self.ear.open()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note which test is under way."""
        self.ear.test = item.nodeid
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear what a test printed; what goes to loggers is heard already."""
        self.ear.test = report.nodeid
        for name, text in report.sections:
            if "log" not in name:
                self.ear.hear("what was printed", text)

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Hear a warning."""
        self.ear.hear("a warning", str(warning_message.message))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has heard."""
        self.ear.leaks += getattr(node, "workeroutput", {}).get(_KEY, [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if anything was told."""
        gc.collect()  # errors in cycles are gone only now
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.ear.leaks
        elif self.ear.leaks:
            session.exitstatus = TOLD

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was told."""
        if self.ear.leaks:
            terminalreporter.section("credentials were told", red=True)
            for leak in self.ear.leaks[:50]:
                terminalreporter.write_line(leak)

    def pytest_unconfigure(self) -> None:
        """Listen no more."""
        self.ear.close()

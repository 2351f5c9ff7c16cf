"""Searches all of statebucket's output for the credentials that the suite uses.

This covers the messages of our loggers, from DEBUG up; our errors and all that is chained to them,
once they are freed; the reprs of stores, buckets and their attributes; warnings; what tests print.
"""

from __future__ import annotations

import logging
import re
from reprlib import Repr
from typing import TYPE_CHECKING, Any

from statebucket.errors import StateBucketError
from statebucket.store.store import ObjectStateStore
from support.servers import AZURE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = {
    "the AWS secret key": re.escape("test-secret-key"),
    "the AWS session token": re.escape("test-session-token"),
    "Azurite's account key": re.escape(AZURE_KEY[:40]),
    "an account key": r"AccountKey=[^;\s]{8,}",
    "a SAS signature": r"sig=[\w%/+]{16,}",
    "an AWS signature": r"Signature=[0-9a-f]{64}",
    "a GCS token": r"secret-token-\d",
    "a bearer token": r"Bearer [\w.~+/-]{12,}",
    "a password": re.escape("hunter2"),
}
# One alternation of all would take 30 times as long: half a second for an error of 5 MB.
_PATTERNS = {name: re.compile(pattern) for name, pattern in SECRETS.items()}


# A memory bucket may have thousands of objects, and each view of its store is scanned.
_MAX_ENTRIES = 20


class _Repr(Repr):
    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        # Other threads of a test may write to a memory bucket meanwhile.
        return super().repr_dict(x.copy(), level)


_REPR = _Repr()
_REPR.maxdict = _REPR.maxlist = _REPR.maxset = _REPR.maxtuple = _MAX_ENTRIES
_REPR.maxstring = _REPR.maxother = 1_000_000


def secret_in(text: str) -> str | None:
    """The credential that a text contains; None for none."""
    return next((name for name, pattern in _PATTERNS.items() if pattern.search(text)), None)


class SecretScanner(logging.Handler):
    """Scans while it is open; see the module.

    Attributes:
        leaks: Which credential leaked, where, and in which test; not the text itself.
        scanned: How many texts were searched, by source.
        test: The running test.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self.scanned: dict[str, int] = {}
        self.test = "no test"
        self._undo: list[Callable[[], None]] = []

    def scan(self, where: str, text: str) -> None:
        """Search a text.

        Args:
            where: Where it comes from.
            text: What was written or printed.
        """
        self.scanned[where] = self.scanned.get(where, 0) + 1
        secret = secret_in(text)
        if secret is not None:
            self.leaks.append(f"{where} holds {secret}, during or before {self.test}")

    def emit(self, record: logging.LogRecord) -> None:
        """Scan a log record."""
        self.scan("a log line", record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            self.scan_error(record.exc_info[1])

    def scan_error(self, error: BaseException | None) -> None:
        """Scan an error and all that it wraps.

        Those hidden by `from None`, too: a traceback does not show them, but pyrollbar does.
        """
        left = [error]
        seen: set[int] = set()
        while left:
            one = left.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            notes = getattr(one, "__notes__", ())
            self.scan("an error", "\n".join([str(one), repr(one), *notes]))
            left += [one.__cause__, one.__context__]

    def scan_store(self, store: ObjectStateStore) -> None:
        """Scan the reprs of a store, of its bucket and of the bucket's attributes."""
        bucket = store.context.objects.bucket
        held = _REPR.repr(getattr(bucket, "__dict__", {}))
        self.scan("a repr", f"{store!r}\n{bucket!r}\n{held}")

    def open(self) -> None:
        """Start scanning."""
        log = logging.getLogger("statebucket")
        level = log.level
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        self._undo += [lambda: log.removeHandler(self), lambda: log.setLevel(level)]

        # An error's text is final only when it is freed.
        def gone(error: StateBucketError) -> None:
            self.scan_error(error)

        StateBucketError.__del__ = gone  # type: ignore[attr-defined]  # it has none
        self._undo.append(lambda: delattr(StateBucketError, "__del__"))

        made = ObjectStateStore.__init__

        def init(store: ObjectStateStore, *args: Any, **options: Any) -> None:
            made(store, *args, **options)
            self.scan_store(store)

        ObjectStateStore.__init__ = init  # type: ignore[method-assign, assignment]  # for the run
        self._undo.append(lambda: setattr(ObjectStateStore, "__init__", made))

    def close(self) -> None:
        """Stop scanning."""
        while self._undo:
            self._undo.pop()()
        super().close()

"""What statebucket says, searched for the credentials that the suite uses.

Said is: what goes to our loggers, from DEBUG up; our errors and all that is chained to them, when
they are gone; the reprs of stores, buckets and what these hold; warnings; what tests print.
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
    "a SAS signature": r"\bsig=[\w%/+]{16,}",
    "an AWS signature": r"Signature=[0-9a-f]{64}",
    "a GCS token": r"secret-token-\d",
    "a bearer token": r"Bearer [\w.~+/-]{12,}",
    "a password": re.escape("hunter2"),
}
_ANY = re.compile("|".join(f"({pattern})" for pattern in SECRETS.values()))


# A memory bucket holds thousands of objects, and each view of its store is scanned.
_MAX_ENTRIES = 20


class _Repr(Repr):
    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        # Other threads of a test may write to a memory bucket meanwhile.
        return super().repr_dict(x.copy(), level)


_REPR = _Repr()
_REPR.maxdict = _REPR.maxlist = _REPR.maxset = _REPR.maxtuple = _MAX_ENTRIES
_REPR.maxstring = _REPR.maxother = 1_000_000


def secret_in(text: str) -> str | None:
    """Which credential a text holds; None for none."""
    found = _ANY.search(text)
    return None if found is None else list(SECRETS)[(found.lastindex or 1) - 1]


class SecretScanner(logging.Handler):
    """Listens while it is open; see the module.

    Attributes:
        leaks: Which credential leaked, where, and in which test; not the text itself.
        scanned: How many texts were searched, by where they come from.
        test: The test under way.
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
        """Hear what is logged."""
        self.scan("a log line", record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            self.scan_error(record.exc_info[1])

    def scan_error(self, error: BaseException | None) -> None:
        """Hear an error and all behind it."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            notes = getattr(error, "__notes__", ())
            self.scan("an error", "\n".join([str(error), repr(error), *notes]))
            # As a traceback does: what `from None` hides is not shown.
            hidden = error.__suppress_context__
            error = error.__cause__ or (None if hidden else error.__context__)

    def scan_store(self, store: ObjectStateStore) -> None:
        """Hear the reprs of a store, of its bucket and of what that holds."""
        bucket = store.context.objects.bucket
        held = _REPR.repr(getattr(bucket, "__dict__", {}))
        self.scan("a repr", f"{store!r}\n{bucket!r}\n{held}")

    def open(self) -> None:
        """Begin to listen."""
        log = logging.getLogger("statebucket")
        level = log.level
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        self._undo += [lambda: log.removeHandler(self), lambda: log.setLevel(level)]

        # Only when an error is gone is its text final.
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
        """Listen no more."""
        while self._undo:
            self._undo.pop()()
        super().close()

"""The exit codes of the command line."""

from __future__ import annotations

from enum import IntEnum

from statebucket import errors


class Exit(IntEnum):
    """The exit codes, for scripts; `HELP` lists them for people."""

    OK = 0
    NO = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4
    CONFLICT = 5
    DECLINED = 6
    INTERRUPTED = 130


HELP = (
    "Exit codes: 0 done · 1 not found, findings, or something not done · 2 wrong usage · "
    "3 refused (rights, credentials, no such bucket) · 4 not reachable in time, try again · "
    "5 another writer was quicker · 6 declined at the prompt · 130 interrupted."
)

_EXITS: tuple[tuple[type[Exception], Exit], ...] = (
    (errors.InvalidInput, Exit.USAGE),
    (errors.AdapterNotInstalled, Exit.USAGE),
    (errors.AmbiguousExecution, Exit.USAGE),  # it takes --tenant
    (errors.AccessDenied, Exit.REFUSED),
    (errors.BucketNotFound, Exit.REFUSED),
    (errors.VersionConflict, Exit.CONFLICT),
    (errors.StaleSnapshot, Exit.CONFLICT),
    (errors.LeaseHeld, Exit.CONFLICT),
    (errors.LeaseLost, Exit.CONFLICT),
)


def exit_of(error: errors.StateBucketError) -> Exit:
    """The exit code for an error."""
    for kind, code in _EXITS:
        if isinstance(error, kind):
            return code
    return Exit.UNAVAILABLE if error.transient else Exit.NO

"""What errors show, for tests that look for secrets in it."""

from __future__ import annotations


def texts(error: BaseException | None) -> list[str]:
    """The texts and reprs of an error and of all behind it, those that are hidden too."""
    found: list[str] = []
    while error is not None:
        found += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    return found

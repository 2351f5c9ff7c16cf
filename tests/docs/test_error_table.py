"""The table of errors in core/README.md has every error that a caller may get."""

from __future__ import annotations

import re

from generators.pages import ERRORS
from statebucket import errors

# An adapter's, which no caller sees, and two bases, which the text beside the table names.
LEFT = {"PreconditionFailed", "StateBucketError", "InvalidInput"}


def test_every_error_is_there_once_and_no_other() -> None:
    named = re.findall(
        r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", ERRORS.stored(), re.MULTILINE))
    )
    public = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.StateBucketError)
    }
    assert sorted(named) == sorted(public - LEFT)

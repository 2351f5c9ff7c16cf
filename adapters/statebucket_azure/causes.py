"""Errors of the SDKs as causes of ours, left out if their text would show a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statebucket.errors import StateBucketError

# Secrets in error texts: a SAS or its parts, the service's report of a wrong signature, and a
# proxy's password. Compiled for the first error, since it takes more than a first load may.
_REVEALING = r"sig=|signature|sharedkey|accountkey|bearer |password=|://[^/@\s]*:[^/@\s]*@"


def chained(failure: StateBucketError, cause: BaseException) -> StateBucketError:
    """Sets the cause of an error, unless that would show a secret."""
    failure.__cause__ = None if _holds_secret(cause) else cause
    return failure


def shows_secret(text: str) -> bool:
    """Whether a text contains or may contain a secret."""
    return re.search(_REVEALING, text, re.IGNORECASE) is not None


def _holds_secret(error: BaseException | None) -> bool:
    """Whether the text of an error or of one that it wraps contains or may contain a secret."""
    while error is not None:
        if shows_secret(f"{error} {error!r}"):
            return True
        error = error.__cause__ or error.__context__
    return False

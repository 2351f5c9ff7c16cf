"""Generations as versions."""

from __future__ import annotations

import re

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed

_GENERATION = re.compile("[1-9][0-9]{0,18}")  # 0 would mean "only create"
_MAX_GENERATION = 2**63


def matching(condition: Version | None) -> str:
    """The parameter that makes a request conditional; empty for none.

    Raises:
        PreconditionFailed: The version cannot be a generation, so that no object is at it.
    """
    if condition is None:
        return ""
    if condition == Version.ABSENT:
        return "ifGenerationMatch=0"
    token = condition.token
    if _GENERATION.fullmatch(token) and int(token) < _MAX_GENERATION:
        return f"ifGenerationMatch={token}"
    raise PreconditionFailed(f"{token!r} is not a valid Cloud Storage version (a generation)")

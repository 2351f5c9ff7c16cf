"""Generations as versions."""

from __future__ import annotations

from statebucket.contract.versions import Version
from statebucket.errors import PreconditionFailed, shown

_MAX_DIGITS = 19
_MAX_GENERATION = 2**63


def matching(condition: Version | None) -> str:
    """The parameter that makes a request conditional; empty for none.

    Raises:
        PreconditionFailed: The version cannot be a generation, so no object has it.
    """
    if condition is None:
        return ""
    if condition == Version.ABSENT:
        return "ifGenerationMatch=0"
    token = condition.token
    number = token.isascii() and token.isdecimal() and len(token) <= _MAX_DIGITS
    if number and token[0] != "0" and int(token) < _MAX_GENERATION:
        return f"ifGenerationMatch={token}"
    raise PreconditionFailed(f"{shown(token)} is not a valid Cloud Storage version (a generation)")

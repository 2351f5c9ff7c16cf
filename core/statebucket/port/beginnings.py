"""Where a listing begins, on services that include the name that they are to begin with."""

from __future__ import annotations


def just_behind(name: str) -> str:
    """The name to begin with, to begin behind this one.

    It is this name and the first character that can be seen: no name that a store writes comes
    before it and behind this one.
    """
    return f"{name}!"

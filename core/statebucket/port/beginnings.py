"""Where a listing begins that does not begin with its first name."""

from __future__ import annotations


def just_behind(name: str) -> str:
    """The name to begin with, to begin behind this one, where a service includes it.

    It is this name followed by the first printable character: no name that a store writes lies
    between the two.
    """
    return f"{name}!"


def behind_folder(prefix: str) -> str:
    """The name to begin with, to begin behind a prefix that ends in ``/`` and all names below it.

    "0" is the character behind "/". No prefix is this name, so that it does not matter whether a
    service includes it.
    """
    return f"{prefix[:-1]}0"

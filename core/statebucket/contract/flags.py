"""Flags: checks what callers pass for True or False."""

from __future__ import annotations

from statebucket.errors import InvalidArgument, shown


def check_flags(**flags: object) -> None:
    """Checks that flags are True or False.

    Nothing else is taken for one. To Python the text "false" is true, and None is false: as
    ``dry_run`` the one would be right by chance, and the other would remove what it must not.

    Args:
        flags: The flags, by the names of the arguments they were given as.

    Raises:
        InvalidArgument: One is something else.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InvalidArgument(f"{name} must be True or False: {shown(value)}")

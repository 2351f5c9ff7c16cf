"""Spans of time as the command line writes them: 90s, 15m, 36h, 7d."""

import re

import typer

from statebucket.errors import shown

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def ttl_seconds(text: str) -> int:
    """The seconds of a TTL; its unit must be given.

    Raises:
        BadParameter: It is not such a span.
    """
    return _seconds(
        text, r"(\d{1,9})([smhd])", "a TTL is a number followed by s, m, h or d, as in 36h"
    )


def margin_seconds(text: str, longest: int) -> int:
    """The seconds of a margin; a number without a unit is seconds.

    Args:
        text: What was written.
        longest: The most seconds that it may be.

    Raises:
        BadParameter: It is not such a span, or is longer.
    """
    rule = "--margin is a number of seconds, or one followed by s, m, h or d, as in 7d"
    seconds = _seconds(text, r"(\d{1,10})([smhd]?)", rule)
    if seconds > longest:
        raise typer.BadParameter(f"--margin is at most {longest} seconds: {shown(text)}")
    return seconds


def _seconds(text: str, form: str, rule: str) -> int:
    found = re.fullmatch(form, text, re.ASCII)
    if found is None:
        raise typer.BadParameter(f"{rule}: {shown(text)}")
    return int(found[1]) * _UNITS[found[2] or "s"]

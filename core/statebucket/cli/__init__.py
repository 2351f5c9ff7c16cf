"""The command line: ``statebucket`` or ``python -m statebucket``; the extra is ``cli``."""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec


def main() -> int:
    """Runs the command line and returns its exit code."""
    missing = [module for module in ("typer", "rich") if find_spec(module) is None]
    if missing:
        print(  # noqa: T201  (no other output exists yet)
            f"The command line needs {' and '.join(missing)}: pip install 'statebucket[cli]'",
            file=sys.stderr,
        )
        return 2
    from statebucket.cli.commands import app  # noqa: PLC0415  (needs the packages checked above)

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # "?" for a sign that cannot be shown
    app(prog_name="statebucket")
    return 0

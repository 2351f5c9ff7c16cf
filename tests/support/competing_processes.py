"""Other processes that use the same place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.places import Place

_TESTS = Path(__file__).parents[1]
_PATIENCE_S = 250  # with imports, on a machine that is busy


def environ(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that must find the tests' modules."""
    path = os.pathsep.join(filter(None, [str(_TESTS), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **extra, "PYTHONPATH": path}


@contextmanager
def started(
    place: Place, mode: str, seconds: float, ahead: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Run `support.competing_worker`; it is killed when the context ends."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "support.competing_worker",
            place.url,
            mode,
            str(seconds),
            str(ahead),
        ],
        env=environ(place.environ),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> Any:
    """The next event that it prints."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def rest(process: subprocess.Popen[str]) -> list[Any]:
    """All events until it ends with exit code 0."""
    output, _ = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0
    return [json.loads(text) for text in output.splitlines()]

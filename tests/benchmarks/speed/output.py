"""The results of a run: results.json, tables.md and cpu.png."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.speed.chart import draw
from benchmarks.speed.report import Results, tables

if TYPE_CHECKING:
    from pathlib import Path


def write_all(folder: Path, found: dict[str, Any]) -> None:
    """Writes them, and prints the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    results = Results(found)
    text = "\n".join(tables(results)) + "\n"
    (folder / "tables.md").write_text(text)
    sys.stdout.write(text)
    try:
        draw(results, folder / "cpu.png")
    except ImportError:
        sys.stderr.write("no chart: matplotlib is not installed\n")

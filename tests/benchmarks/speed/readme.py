"""``make bench-readme``: the results that the documentation shows.

tests/README.md has the aims and a chart, and results.md, beside this package, the tables.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed import aims
from benchmarks.speed.chart import draw
from benchmarks.speed.report import CLOUDS, FLOOR, TUNED, Results, cpu, rate, spread, wall
from generators.pages import BENCH, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parents[1]
_SHOWN = [
    "save 1 KiB, 1 at a time",
    "load 1 KiB, 1 at a time",
    "save 1 KiB, 32 at a time",
    "load 1 KiB, 32 at a time",
    "save 64 KiB, 1 at a time",
    "load 64 KiB, 1 at a time",
    "save 1 MiB, 1 at a time",
    "load 1 MiB, 1 at a time",
    "save 10 MiB, 1 at a time",
    "load 10 MiB, 1 at a time",
    "save 1 KiB, 1 at a time, over TLS",
    "load 1 KiB, 1 at a time, over TLS",
    "save 10 MiB, 1 at a time, over TLS",
    "load 10 MiB, 1 at a time, over TLS",
]
_WHOLE = ("list 10,000", "clean 10,000")


def section(results: Results) -> Iterator[str]:
    """The page's part between its markers."""
    yield "![processor time of a call, ours and others](benchmarks/cpu.svg)"
    yield ""
    yield _how(results)
    yield ""
    yield from aims.table(results)


def page(results: Results) -> Iterator[str]:
    """Every table, with the spread."""
    yield "# What `make bench` measured"
    yield ""
    yield _how(results)
    yield (
        f"Figures are ratios to {FLOOR}'s processor time in the same round unless said otherwise, "
        "with their quartiles; [what was tested](../README.md#performance) says what was measured."
    )
    for cloud in results.clouds():
        yield from _cloud(results, cloud)
    yield from _whole(results)
    yield from _growth(results)


def _how(results: Results) -> str:
    about = results.about
    return (
        f"Medians of {about['rounds']} interleaved rounds; {about['transport']}; "
        f"{about['machine']}, Python {about['python']}, {about['date']}, "
        f"load average {about['load']:.1f} (two are the benchmark's own)."
    )


def _cloud(results: Results, cloud: str) -> Iterator[str]:
    """Ratios of processor time for each size, and how many small saves a second there were."""
    cases = [case for case in _SHOWN if case in results.cases(cloud)]
    names = list(dict.fromkeys(n for case in cases for n in results.subjects(cloud, case)))
    if not cases:
        return
    names.sort(key=lambda name: (not name.startswith("statebucket"), name != TUNED, name))
    floor = results.about["server_requests_per_second"][cloud]
    yield ""
    yield f"## {CLOUDS[cloud]}"
    yield ""
    yield f"The server alone answers {floor:,.0f} requests a second."
    yield ""
    yield f"| | {' | '.join(names)} |"
    yield "|---|" + "---|" * len(names)
    for case in cases:
        cells = [spread(results.ratios(cloud, case, name, FLOOR)) for name in names]
        base = spread(results.values(cloud, case, FLOOR, cpu))
        yield f"| {case} ({FLOOR}: {base} ms) | {' | '.join(cells)} |"
    cells = [
        spread(results.values(cloud, cases[0], name, rate), 0)
        if name in results.subjects(cloud, cases[0])
        else "-"
        for name in names
    ]
    yield f"| {cases[0]}, a second | {' | '.join(cells)} |"


def _whole(results: Results) -> Iterator[str]:
    if not any(case in _WHOLE for cloud in results.clouds() for case in results.cases(cloud)):
        return
    yield ""
    yield "## Listing and cleaning up 10,000 objects"
    yield ""
    yield f"Seconds by the clock, and as a ratio to {FLOOR}'s."
    yield ""
    yield "| | listing | ratio | clean-up | ratio |"
    yield "|---|---|---|---|---|"
    for cloud in results.clouds():
        names = dict.fromkeys(n for case in _WHOLE for n in results.subjects(cloud, case))
        for name in names:
            cells = []
            for case in _WHOLE:
                seconds = [v / 1000 for v in results.values(cloud, case, name, wall)]
                cells += [spread(seconds), spread(results.ratios(cloud, case, name, FLOOR, wall))]
            yield f"| {CLOUDS[cloud]}, {name} | {' | '.join(cells)} |"


def _growth(results: Results) -> Iterator[str]:
    counts = ["1,000", "10,000", "100,000"]
    if not any(f"save among {counts[0]}" in results.cases(cloud) for cloud in results.clouds()):
        return
    yield ""
    yield "## Growth"
    yield ""
    yield "Processor milliseconds a call of ours, by the number of executions in the bucket."
    yield ""
    yield f"| | {' | '.join(counts)} |"
    yield "|---|" + "---|" * len(counts)
    for cloud in results.clouds():
        for operation in ("save", "load"):
            if f"{operation} among {counts[0]}" not in results.cases(cloud):
                continue
            cells = [
                spread(results.values(cloud, f"{operation} among {count}", "statebucket", cpu))
                for count in counts
            ]
            yield f"| {CLOUDS[cloud]}, {operation} | {' | '.join(cells)} |"


def main() -> None:
    """Replaces what stands between the page's markers, the chart, and the page of tables."""
    measured = ROOT / "dist/bench/results.json"
    if not measured.exists():
        raise SystemExit("nothing measured yet: make bench")
    results = Results(json.loads(measured.read_text()))
    if not any(
        FLOOR in results.subjects(c, case) for c in results.clouds() for case in results.cases(c)
    ):
        raise SystemExit(f"nothing to compare with: make bench, with {FLOOR} among its subjects")
    text = "\n".join(section(results)) + "\n"
    BENCH.write(text)
    (_HERE / "results.md").write_text("\n".join(page(results)) + "\n")
    draw(results, _HERE / "cpu.svg")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

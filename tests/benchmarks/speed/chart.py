"""The figures as a chart: one panel for each cloud and kind of work, the best on top."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.speed.report import CLOUDS, cpu

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.speed.report import Results

SHOWN = {
    "save 1 KiB, 1 at a time, over TLS": "save 1 KiB over TLS",
    "load 1 KiB, 1 at a time, over TLS": "load 1 KiB over TLS",
    "clean 10,000": "clean up 10,000",
}
"""The cases of the chart, with their titles in it."""

_OURS, _OTHERS = "#1f6feb", "#b8bfc8"
_LONGEST = 2.2  # times the second longest: a bar beyond is cut off, and its figure tells


def draw(results: Results, *paths: Path) -> None:
    """Draws the processor time of each subject, ours in colour.

    Args:
        results: What was measured.
        *paths: Where to write it, each in the format that its ending names.
    """
    import matplotlib as mpl  # noqa: PLC0415  (the tables do without)

    mpl.use("Agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "statebucket", "font.size": 9})
    import matplotlib.pyplot as plt  # noqa: PLC0415

    clouds = [c for c in results.clouds() if set(SHOWN) & set(results.cases(c))]
    if not clouds:  # nothing that was chosen could be measured
        return
    most = [max(len(results.subjects(cloud, case)) for case in SHOWN) for cloud in clouds]
    figure, rows = plt.subplots(
        len(clouds),
        len(SHOWN),
        figsize=(4 * len(SHOWN), sum(0.22 * n + 0.5 for n in most)),
        height_ratios=[n + 0.5 for n in most],
        squeeze=False,
    )
    for cloud, row in zip(clouds, rows, strict=True):
        for (case, title), axis in zip(SHOWN.items(), row, strict=True):
            times = {
                name: median(results.values(cloud, case, name, cpu))
                for name in results.subjects(cloud, case)
            }
            _panel(axis, f"{CLOUDS[cloud]}: {title}", times)
    figure.tight_layout()
    for path in paths:
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _panel(axis: Any, title: str, times: dict[str, float]) -> None:
    """One panel; empty if nothing was measured."""
    for side in axis.spines.values():
        side.set_visible(False)
    axis.set_xticks([])
    if not times:
        axis.set_yticks([])
        return
    names = sorted(times, key=lambda name: times[name])
    end = _LONGEST * sorted(times.values())[-2:][0]
    bars = axis.barh(
        names,
        [min(times[name], end) for name in names],
        color=[_OURS if name.startswith("statebucket") else _OTHERS for name in names],
    )
    axis.bar_label(bars, [_figure(times[name], end) for name in names], padding=3)
    axis.set_xlim(0, 1.7 * min(max(times.values()), end))
    axis.tick_params(axis="y", length=0)
    axis.invert_yaxis()
    axis.set_title(title, loc="right", fontsize=9, fontweight="bold")


def _figure(ms: float, end: float) -> str:
    text = f"{ms:.2f} ms" if ms < 10 else f"{ms:,.0f} ms"
    return f"→ {text}" if ms > end else text

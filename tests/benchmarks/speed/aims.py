"""What the benchmark is for: how our store's processor time compares, and where it is to be."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.speed.report import CLOUDS, FLOOR, TUNED, wall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.speed.report import Results

OURS = "statebucket"
LEAN = "statebucket, engine=http"
BLOCKING = "statebucket.sync, engine=http"
OVER_TLS = ", over TLS"
"""The end of the names of cases that were measured over TLS beside others that were not."""

_CALLS = ("save", "load", "set", "get")
_BULK = ("save", "load")
_CLEAN = 1.2


class Aim(NamedTuple):
    """A ratio, and what it may be at most.

    Attributes:
        cloud: The service.
        subject: Who is measured.
        base: Against whom.
        most: The aim.
        calls: The calls that it is for.
        size: How large their bodies are.
        more: What else the names of the cases end in.
    """

    cloud: str
    subject: str
    base: str
    most: float
    calls: tuple[str, ...] = _CALLS
    size: str = "1 KiB"
    more: str = ""


AIMS = [
    Aim("s3", OURS, "aioboto3 by hand", 1.0),
    Aim("s3", OURS, TUNED, 1.1),
    Aim("gcs", OURS, TUNED, 1.1),
    Aim("azure", OURS, TUNED, 1.1),
    Aim("s3", LEAN, FLOOR, 0.5),
    Aim("gcs", LEAN, FLOOR, 0.5),
    Aim("azure", LEAN, FLOOR, 0.5),
    Aim("s3", BLOCKING, "obstore, blocking", 1.0),
    Aim("s3", LEAN, "py-key-value S3Store", 0.1, ("set", "get")),
    Aim("s3", LEAN, FLOOR, 1.2, _BULK, "10 MiB", OVER_TLS),
]


def table(results: Results) -> Iterator[str]:
    """The aims in Markdown, each with what was measured; what is missed is in bold."""
    rows = [row for aim in AIMS if (row := _row(results, aim)) is not None]
    if rows:
        heads = [f"{call}{many}" for many in ("", ", 32 at a time") for call in _CALLS]
        yield f"| processor time, as a ratio | aim | {' | '.join(heads)} |"
        yield "|---|---|" + "---|" * len(heads)
        yield from rows
    clean = results.ratios("s3", "clean 10,000", LEAN, FLOOR, wall)
    if clean:
        found = _shown(clean, _CLEAN)
        yield ""
        yield (
            f"Clean-up of 10,000 objects on S3 by the clock, {LEAN} / {FLOOR}: {found} "
            f"(aim: {_CLEAN:.2f})."
        )


def _row(results: Results, aim: Aim) -> str | None:
    cells = []
    for many in (1, 32):
        for call in _CALLS:
            case = f"{call} {aim.size}, {many} at a time{aim.more}"
            found = results.ratios(aim.cloud, case, aim.subject, aim.base)
            cells.append(_shown(found, aim.most) if call in aim.calls else "-")
    if set(cells) == {"-"}:
        return None
    what = "" if aim.size == "1 KiB" else f", {aim.size}{aim.more}"
    title = f"{CLOUDS[aim.cloud]}: {aim.subject} / {aim.base}{what}"
    return f"| {title} | {aim.most:.2f} | {' | '.join(cells)} |"


def _shown(ratios: list[float], most: float) -> str:
    if not ratios:
        return "-"
    text = f"{median(ratios):.2f}"
    return text if float(text) <= most else f"**{text}**"

"""The aims of the benchmark: how our store's processor time should compare."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.speed.report import CLOUDS, FLOOR, TUNED, cpu, wall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.speed.report import Results

OURS = "statebucket"
LEAN = "statebucket, engine=http"
BLOCKING = "statebucket.sync, engine=http"
OVER_TLS = ", over TLS"
"""The end of the names of cases that were measured over TLS beside others that were not."""

FLOOR_BLOCKING = "obstore, blocking"

_CALLS = ("save", "load", "set", "get")
_BULK = {"list": 1.5, "clean": 1.0}
_MANY = 32


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
        many: The aim with 32 calls at a time, where it is another.
    """

    cloud: str
    subject: str
    base: str
    most: float
    calls: tuple[str, ...] = _CALLS
    size: str = "1 KiB"
    more: str = ""
    many: float | None = None


AIMS = [
    Aim("s3", OURS, "aioboto3 by hand", 1.0),
    *[Aim(cloud, OURS, TUNED, 1.1) for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 0.5, many=0.6) for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 0.5, more=OVER_TLS, many=0.6) for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 0.6, ("set", "get"), "64 KiB") for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 0.6, ("set", "get"), "64 KiB", OVER_TLS) for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 1.0, _CALLS, "1 MiB", OVER_TLS) for cloud in CLOUDS],
    *[Aim(cloud, LEAN, FLOOR, 1.2, _CALLS, "10 MiB", OVER_TLS) for cloud in CLOUDS],
    Aim("s3", BLOCKING, FLOOR_BLOCKING, 1.0),
    Aim("s3", BLOCKING, FLOOR_BLOCKING, 1.0, more=OVER_TLS),
    Aim("s3", LEAN, "py-key-value S3Store", 0.1, ("set", "get")),
]


def table(results: Results) -> Iterator[str]:
    """The aims in Markdown, each with what was measured; what is missed is in bold.

    A figure is the median of the rounds' ratios, and behind it the ratio of the two minima.
    """
    rows = [row for aim in AIMS if (row := _row(results, aim)) is not None]
    if rows:
        heads = [f"{call}{many}" for many in ("", f", {_MANY} at a time") for call in _CALLS]
        yield f"| processor time, as a ratio: median (minima) | aim | {' | '.join(heads)} |"
        yield "|---|---|" + "---|" * len(heads)
        yield from rows
    bulk = [row for cloud in CLOUDS if (row := _bulk(results, cloud)) is not None]
    if bulk:
        yield ""
        heads = [f"{operation} (aim: {most:.2f})" for operation, most in _BULK.items()]
        yield f"| 10,000 objects by the clock, as a ratio | {' | '.join(heads)} |"
        yield "|---|" + "---|" * len(heads)
        yield from bulk


def _row(results: Results, aim: Aim) -> str | None:
    cells = []
    for many, most in ((1, aim.most), (_MANY, aim.many or aim.most)):
        for call in _CALLS:
            case = f"{call} {aim.size}, {many} at a time{aim.more}"
            shown = _shown(results, aim.cloud, case, (aim.subject, aim.base), most)
            cells.append(shown if call in aim.calls else "-")
    if set(cells) == {"-"}:
        return None
    what = f"{'' if aim.size == '1 KiB' else f', {aim.size}'}{aim.more}"
    title = f"{CLOUDS[aim.cloud]}: {aim.subject} / {aim.base}{what}"
    wanted = f"{aim.most:.2f}" if aim.many is None else f"{aim.most:.2f}, {aim.many:.2f}"
    return f"| {title} | {wanted} | {' | '.join(cells)} |"


def _bulk(results: Results, cloud: str) -> str | None:
    cells = [
        _shown(results, cloud, f"{operation} 10,000", (LEAN, FLOOR), most, wall)
        for operation, most in _BULK.items()
    ]
    if set(cells) == {"-"}:
        return None
    return f"| {CLOUDS[cloud]}: {LEAN} / {FLOOR} | {' | '.join(cells)} |"


def _shown(
    results: Results,
    cloud: str,
    case: str,
    pair: tuple[str, str],
    most: float,
    of: Callable[[dict[str, Any]], float] = cpu,
) -> str:
    """The ratio of a pair of subjects, in bold where it is over the aim."""
    ratios = results.ratios(cloud, case, *pair, of)
    if not ratios:
        return "-"
    text = f"{median(ratios):.2f}"
    mine, other = (min(results.values(cloud, case, subject, of)) for subject in pair)
    least = f" ({mine / other:.2f})" if other > 0 else ""
    return f"{text}{least}" if float(text) <= most else f"**{text}**{least}"

"""The figures: measurements, ratios between subjects, and full tables."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TUNED = "tuned SDK by hand"
FLOOR = "obstore"
CLOUDS = {"s3": "S3", "gcs": "Cloud Storage", "azure": "Azure Blob"}
_Record = dict[str, Any]


def spread(values: list[float], digits: int = 2) -> str:
    """The median, and the quartiles."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else "-"
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


class Results:
    """What was measured, by cloud, case, subject and round."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.about = found["about"]
        self._by: dict[tuple[str, str], dict[str, dict[int, _Record]]] = {}
        for record in found["records"]:
            case = self._by.setdefault((record["cloud"], record["case"]), {})
            case.setdefault(record["subject"], {})[record["round"]] = record

    def clouds(self) -> list[str]:
        """The clouds, in the order of their measurement."""
        return list(dict.fromkeys(cloud for cloud, _ in self._by))

    def cases(self, cloud: str) -> list[str]:
        """A cloud's cases, in the order of their measurement."""
        return [case for of, case in self._by if of == cloud]

    def subjects(self, cloud: str, case: str) -> list[str]:
        """Those that did a case."""
        return list(self._by.get((cloud, case), {}))

    def values(
        self, cloud: str, case: str, subject: str, of: Callable[[_Record], float]
    ) -> list[float]:
        """A figure of each round."""
        return [of(record) for record in self._by.get((cloud, case), {}).get(subject, {}).values()]

    def ratios(
        self,
        cloud: str,
        case: str,
        subject: str,
        base: str,
        of: Callable[[_Record], float] | None = None,
    ) -> list[float]:
        """A figure as a ratio to another subject's in the same round."""
        of = of or cpu
        rounds = self._by.get((cloud, case), {})
        mine, other = rounds.get(subject, {}), rounds.get(base, {})
        return [of(mine[n]) / of(other[n]) for n in mine if n in other and of(other[n]) > 0]


def cpu(record: _Record) -> float:
    """Milliseconds of the client's processor for each operation."""
    return 1000 * float(record["cpu"]) / float(record["operations"])


def wall(record: _Record) -> float:
    """Milliseconds for each operation by the clock."""
    return 1000 * float(record["wall"]) / float(record["operations"])


def rate(record: _Record) -> float:
    """Operations a second."""
    return float(record["operations"]) / float(record["wall"])


def tables(results: Results) -> Iterator[str]:
    """Everything, in Markdown."""
    about = results.about
    yield f"{about['machine']}, Python {about['python']}, {about['date']},"
    yield f"load {about['load']:.1f} at the end,"
    yield f"{about['rounds']} rounds, {about['transport']}."
    for cloud in results.clouds():
        floor = about["server_requests_per_second"][cloud]
        yield f"\n## {CLOUDS[cloud]} (the server alone: {floor:,.0f} requests a second)"
        for case in results.cases(cloud):
            yield f"\n### {case}\n"
            yield (
                f"| | cpu ms/op | cpu / {FLOOR} | cpu / tuned SDK | ops/s | wall ms/op "
                "| requests/op | peak MiB |"
            )
            yield "|---|---|---|---|---|---|---|---|"
            for subject in results.subjects(cloud, case):
                cells = [
                    spread(results.values(cloud, case, subject, cpu)),
                    spread(results.ratios(cloud, case, subject, FLOOR)),
                    spread(results.ratios(cloud, case, subject, TUNED)),
                    spread(results.values(cloud, case, subject, rate), 0),
                    spread(results.values(cloud, case, subject, wall)),
                    f"{median(results.values(cloud, case, subject, _requests)):.2f}",
                    f"{max(results.values(cloud, case, subject, _peak)):.0f}",
                ]
                yield f"| {subject} | {' | '.join(cells)} |"


def _requests(record: _Record) -> float:
    return float(record["requests"]) / float(record["operations"])


def _peak(record: _Record) -> float:
    return float(record["peak"])

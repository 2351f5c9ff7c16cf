"""How many rows of an inventory report were read, held against what its manifest says.

Each part of a report knows its own rows only. So nothing is compared before all parts were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from statebucket.errors import InvalidReport

if TYPE_CHECKING:
    from statebucket.contract.partition import Partition

MAX_REPORTS = 16
"""How many reports are remembered of which only some parts were read."""


class PartRows(msgspec.Struct, frozen=True):
    """The rows of one part of a report.

    Attributes:
        read: How many it has.
        all_parts: How many all parts have together, by the manifest.
    """

    read: int
    all_parts: int


RowsRead: TypeAlias = dict[tuple[str, int], dict[int, PartRows]]
"""The rows of each part that was read, by the report's address and its number of parts."""


def note(rows_read: RowsRead, part: Partition, rows: PartRows) -> None:
    """Records the rows of a part. One that is read twice counts once.

    Raises:
        InvalidReport: All parts were read, and their rows are not as many as the manifest says.
    """
    parts = rows_read.setdefault(_key(part), {})
    if len(parts) == part.count:
        parts.clear()  # they were compared: this is the first part of another round
    parts[part.index] = rows
    if len(rows_read) > MAX_REPORTS:
        rows_read.pop(next(iter(rows_read)))
    total = sum(one.read for one in parts.values())
    if len(parts) == part.count and total != rows.all_parts:
        raise InvalidReport(
            f"the files of the report have {total:,} rows, and {rows.all_parts:,} by the "
            "manifest: some are cut short, or of another report"
        )


def of(rows_read: RowsRead, part: Partition) -> PartRows | None:
    """The rows of a part that was read last; None if its manifest does not say how many."""
    return rows_read.get(_key(part), {}).get(part.index)


def _key(part: Partition) -> tuple[str, int]:
    return part.report or "", part.count

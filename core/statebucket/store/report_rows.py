"""The rows of one file of an inventory report, some at a time, and the objects they name."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any, Self

from statebucket.errors import AdapterNotInstalled, InvalidReport, excerpt
from statebucket.port.inventory_reports import Row, folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from statebucket.port.bucket import ObjectInfo
    from statebucket.port.inventory_reports import InventoryReport, ReportFile

ROWS = 1000
"""Rows that are read at a time, as many as a page of a listing has objects."""

MAX_ROW = 1 << 18
"""The longest row of CSV, in characters.

A name has at most 1,024 bytes, which are 3,072 when URL-encoded. Even with the largest optional
columns (8 KiB of metadata, or an access list of 100 grants, as quoted JSON or base64) a row has
less than half of this.
"""

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 20  # bytes read ahead for each column of Parquet, instead of a whole row group


class ReportRows:
    """The rows of one file.

    Args:
        report: The report.
        file: Which of its files, for errors.
        opened: That file, open.

    Attributes:
        read: How many rows were read so far.
    """

    def __init__(self, report: InventoryReport, file: ReportFile, opened: IO[bytes]) -> None:
        self._report = report
        self._wanted = {folded(one) for one in (*report.needed, *report.more)}
        self._file = file
        self._opened = opened
        self.read = 0

    def pages(self) -> Iterator[list[ObjectInfo]]:
        """The objects that are there by the report, those of up to 1,000 rows at a time.

        Raises:
            InvalidReport: The file cannot be read, or lacks a column that is needed.
            AdapterNotInstalled: It is Parquet, and pyarrow is missing.
        """
        self.read = 0
        self._opened.seek(0)
        batches = self._csv() if self._report.form == "csv" else self._parquet()
        entry = self._report.entry
        for places, batch in batches:
            page: list[ObjectInfo] = []
            for values in batch:
                self.read += 1
                try:
                    info = entry(Row(places, values))
                except (ValueError, IndexError, TypeError) as error:
                    raise self._invalid(f"row {self.read:,}: {excerpt(error)}") from error
                if info is not None:
                    page.append(info)
            yield page

    def _csv(self) -> Iterator[tuple[dict[str, int], list[list[str]]]]:
        report = self._report
        places = None if report.header is None else self._places(report.header)
        columns = 0 if places is None else len(report.header or ())
        batch: list[list[str]] = []
        try:
            with self._text() as text:
                lines = _Lines(text)
                for values in csv.reader(lines, delimiter=report.delimiter, strict=True):
                    lines.left = MAX_ROW
                    if not values:  # an empty line, as S3 has written at the end of a file
                        continue
                    if places is None:
                        places, columns = self._places(values), len(values)
                        continue
                    if len(values) != columns:
                        raise self._invalid(
                            f"row {self.read + len(batch) + 1:,} has {len(values)} columns instead "
                            f"of {columns}: it is cut short, or written in another way than its "
                            "manifest says"
                        )
                    batch.append(values)
                    if len(batch) == ROWS:
                        yield places, batch
                        batch = []
        except (csv.Error, EOFError, OSError, TypeError, UnicodeError, zlib.error) as error:
            raise self._invalid(
                f"behind row {self.read + len(batch):,}: {excerpt(error)}"
            ) from error
        if places is not None:
            yield places, batch

    @contextlib.contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        """The file's text, decompressed where it begins as gzip does; the file stays open."""
        packed = self._opened.read(2) == _GZIP
        self._opened.seek(0)
        body: Any = gzip.GzipFile(fileobj=self._opened, mode="rb") if packed else self._opened
        text = io.TextIOWrapper(body, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()

    def _parquet(self) -> Iterator[tuple[dict[str, int], list[Sequence[object]]]]:
        pa, parquet = _pyarrow()
        try:
            with parquet.ParquetFile(self._opened, pre_buffer=False, buffer_size=_BUFFER) as file:
                names = [one for one in file.schema_arrow.names if folded(one) in self._wanted]
                places = self._places(names)
                for batch in file.iter_batches(batch_size=ROWS, columns=names):
                    yield places, list(zip(*(one.to_pylist() for one in batch), strict=True))
        except (
            pa.ArrowException,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            OverflowError,
        ) as error:
            raise self._invalid(f"behind row {self.read:,}: {excerpt(error)}") from error

    def _places(self, columns: Sequence[str]) -> dict[str, int]:
        """Where each column stands.

        Raises:
            InvalidReport: One that is needed is missing, or one that is read is there twice.
        """
        places: dict[str, int] = {}
        for at, column in enumerate(columns):
            if folded(column) in places and folded(column) in self._wanted:
                raise self._invalid(f"there are two columns {column.strip()!r}")
            places[folded(column)] = at
        for needed in self._report.needed:
            if folded(needed) not in places:
                raise self._invalid(
                    f"there is no column {needed!r}: add it to {self._report.configured}, and wait "
                    "for the next report"
                )
        for column, other in self._report.paired:
            if folded(column) in places and folded(other) not in places:
                raise self._invalid(
                    f"there is a column {column!r} but no column {other!r}, without which older "
                    f"versions look like objects: add it to {self._report.configured}, and wait "
                    "for the next report"
                )
        return places

    def _invalid(self, what: str) -> InvalidReport:
        return InvalidReport(
            f"the inventory report cannot be read: {what}", object_name=self._file.name
        )


class _Lines:
    """The lines of a file, for a CSV reader, which holds all the lines of a row in memory.

    Args:
        text: The file.

    Attributes:
        left: How many more characters the current row may have.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.left = MAX_ROW

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.left + 1)
        if not line:
            raise StopIteration
        self.left -= len(line)
        if self.left < 0:
            raise csv.Error(
                f"a row has more than {MAX_ROW:,} characters: the file is not CSV, or was altered"
            )
        return line


def _pyarrow() -> tuple[Any, Any]:
    """The library that reads Parquet, which nothing else needs.

    Raises:
        AdapterNotInstalled: It is missing.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  (an extra, and 0.2 s)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise AdapterNotInstalled(
            "a report in Parquet needs pyarrow: pip install 'statebucket[parquet]', or configure "
            "the report as CSV"
        ) from error
    return pa, parquet

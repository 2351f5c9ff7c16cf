"""Inventory reports: what a service writes down of a bucket each day, to be read without a listing.

A report is a manifest and the files that it names, CSV or Parquet, in a bucket of the same service.
The core fetches and decodes files; an adapter says how its service's manifests and columns read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from statebucket.contract.versions import Version
from statebucket.errors import InvalidReport, Unavailable, excerpt, shown
from statebucket.port.bucket import Bucket, Object, ObjectInfo
from statebucket.port.complete_types import complete
from statebucket.port.dates import from_http, from_iso

T = TypeVar("T")

REPORTED = Version("reported")
"""The version of an object that is known from a report alone: none that a service would take."""


class ReportFile(msgspec.Struct, frozen=True):
    """One of the files that a manifest names.

    Attributes:
        name: The object's name in the bucket where the report lies.
        size: Its size in bytes; None if the manifest does not say.
        md5: The MD5 of its bytes, in hex; None if the manifest has none.
    """

    name: str
    size: int | None = None
    md5: str | None = None


class Row:
    """One line of a report.

    Args:
        places: Where each column stands, by its `folded` name.
        values: The values: text in CSV, of their types in Parquet, None if there is none.
    """

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[object]) -> None:
        self._places = places
        self._values = values

    def value(self, column: str) -> object:
        """What stands in a column; None if there is no such column, or nothing in it."""
        place = self._places.get(column)
        found = None if place is None else self._values[place]
        return None if found == "" else found

    def text(self, column: str) -> str:
        """A column's text.

        Raises:
            ValueError: There is none.
        """
        found = self.value(column)
        if isinstance(found, bytes):
            found = found.decode()
        if not isinstance(found, str):
            raise ValueError(f"column {column!r} has no text: {shown(found)}")  # noqa: TRY004  (of a file)
        return found

    def number(self, column: str) -> int:
        """A column's number.

        Raises:
            ValueError: There is none.
        """
        found = self.value(column)
        if isinstance(found, str) and found.isascii() and found.isdecimal():
            return int(found)
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise ValueError(f"column {column!r} has no size: {shown(found)}")
        return found

    def flag(self, column: str, *, default: bool) -> bool:
        """Whether a column says true; ``default`` where it says nothing.

        Raises:
            ValueError: It says something else.
        """
        found = self.value(column)
        if found is None:
            return default
        if isinstance(found, str):
            found = {"true": True, "false": False}.get(found.lower(), found)
        if not isinstance(found, bool):
            raise ValueError(f"column {column!r} says neither true nor false: {shown(found)}")  # noqa: TRY004  (as above)
        return found

    def moment(self, column: str) -> datetime | None:
        """A column's moment in UTC; None if it has none that can be read."""
        found = self.value(column)
        if isinstance(found, datetime):
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        if not isinstance(found, str):
            return None
        return from_iso(found) or from_http(found)


class InventoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report, as an adapter has read its manifest.

    Attributes:
        taken_at: When the service began to look at the bucket (UTC). What was written since may be
            missing.
        files: The files, in the manifest's order.
        form: How they are written. CSV may be compressed with gzip.
        header: The columns of a CSV file in order; None if the first line of each names them.
        delimiter: What stands between the columns of a CSV file.
        needed: Columns without which the report says too little, as its configuration names them.
        more: Columns that are read where there are any.
        paired: Columns that need another column beside them, each with that other: a version's id
            needs the column that says whether the version is current.
        configured: Where columns are chosen, for the error that one is missing.
        entry: The object that a row is about; None for a row that is about none that is there: an
            older version, a delete marker. Raises ValueError where the row cannot be read.
        lists_metadata: Whether ``entry`` knows the objects' metadata.
        rows: How many rows all files have together; None if the manifest does not say.
        verify: Looks up, by 1 request, what the manifest does not say, and raises InvalidReport if
            the report is not sufficient; None if the manifest says everything.
    """

    taken_at: datetime
    files: tuple[ReportFile, ...]
    form: Literal["csv", "parquet"]
    header: tuple[str, ...] | None = None
    delimiter: str = ","
    needed: tuple[str, ...]
    more: tuple[str, ...] = ()
    paired: tuple[tuple[str, str], ...] = ()
    configured: str
    entry: Callable[[Row], ObjectInfo | None]
    lists_metadata: bool = False
    rows: int | None = None
    verify: Callable[[], Awaitable[None]] | None = None


class ReportBucket(Bucket, Protocol):
    """A bucket of which parts of objects can be read."""

    async def get_range(self, name: str, start: int, length: int) -> Object | None:
        """Reads a part of an object in one request; None if the object does not exist.

        The part lies within the object. ``info`` is of the object, but for its size, which may be
        the part's.

        Args:
            name: The object.
            start: Its first byte, from 0.
            length: How many bytes, at least 1.

        Raises:
            Unavailable: Another part came, or it was cut short.
        """
        ...


@runtime_checkable
class Reporting(Protocol):
    """What an adapter whose service writes inventory reports offers beside its `Bucket`."""

    report_scheme: str
    """The scheme of the URL of a manifest: ``s3``."""

    def beside(self, bucket: str) -> ReportBucket:
        """Another bucket of the service, by the same options and credentials: 0 requests."""
        ...

    def read_report(self, name: str, manifest: bytes, areas: Sequence[str]) -> InventoryReport:
        """Reads a manifest.

        Args:
            name: The manifest's own name, where the files that it names are beside it.
            manifest: Its bytes.
            areas: The prefixes that the report must not leave out.

        Raises:
            InvalidReport: It is not a report of this service, is of another bucket, or is
                incomplete.
        """
        ...


def folded(column: str) -> str:
    """A column's name by which it is looked up: ``lastmodified`` for ``Last-Modified``.

    Services write names differently in CSV and in Parquet.
    """
    return column.strip().replace("-", "").replace("_", "").lower()


def manifest_of(manifest: bytes, kind: type[T], service: str, *, folds: bool = False) -> T:
    """Decodes a manifest.

    Args:
        manifest: Its bytes.
        kind: What it must be.
        service: What writes such manifests, for the error.
        folds: Whether the names in it are compared as `folded`, as those of ``kind`` must be: for a
            service that does not document how it writes them.

    Raises:
        InvalidReport: It is something else.
    """
    try:
        if folds:
            named = _folded_names(msgspec.json.decode(manifest))
            return msgspec.convert(named, complete(kind), strict=False)
        return msgspec.json.decode(manifest, type=complete(kind), strict=False)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidReport(
            f"this is no manifest of {service}: {excerpt(error)}; pass the "
            "manifest's address, not that of a file of the report"
        ) from error


def _folded_names(value: Any) -> Any:  # noqa: ANN401  (what JSON holds)
    if isinstance(value, dict):
        return {folded(name): _folded_names(one) for name, one in value.items()}
    return [_folded_names(one) for one in value] if isinstance(value, list) else value


def whole_part(body: bytes, start: int, length: int, content_range: str | None) -> bytes:
    """The body of a reply to a request for a part of an object.

    Args:
        body: The body.
        start: The first byte that was requested.
        length: How many were.
        content_range: The reply's ``Content-Range``; None if it has none.

    Raises:
        Unavailable: It is another part, or cut short.
    """
    expected = f"bytes {start}-{start + length - 1}/"
    if content_range is None or not content_range.startswith(expected) or len(body) != length:
        raise Unavailable(
            f"the service answered with {len(body)} bytes ({excerpt(content_range)}) instead of "
            f"{length} from {start} on"
        )
    return body

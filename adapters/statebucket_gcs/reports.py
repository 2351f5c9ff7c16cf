"""Reports of Storage Insights: the manifests that it writes, and the columns of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import InvalidReport, shown
from statebucket.port.bucket import ObjectInfo
from statebucket.port.dates import from_iso
from statebucket.port.inventory_reports import (
    REPORTED,
    InventoryReport,
    ReportFile,
    manifest_of,
)

if TYPE_CHECKING:
    from statebucket.port.inventory_reports import Row

_CONFIGURED = "the metadata fields of the inventory report configuration"


class _CSV(msgspec.Struct):
    delimiter: str = ","
    header_required: bool = False


class _Filters(msgspec.Struct):
    bucket: str = ""


class _Options(msgspec.Struct):
    metadata_fields: list[str] = []
    storage_filters: _Filters = msgspec.field(default_factory=_Filters)


class _Config(msgspec.Struct):
    csv_options: _CSV | None = None
    parquet_options: dict[str, object] | None = None
    object_metadata_report_options: _Options = msgspec.field(default_factory=_Options)


class _Manifest(msgspec.Struct):
    report_shards_file_names: list[str]
    snapshot_time: str
    report_config: _Config = msgspec.field(default_factory=_Config)
    records_processed: int | None = None


def read(bucket: str, name: str, manifest: bytes) -> InventoryReport:
    """Reads a ``…_manifest.json`` of a Storage Insights inventory report.

    Args:
        bucket: The store's bucket.
        name: The manifest's name; the shards lie beside it.
        manifest: Its bytes.

    Raises:
        InvalidReport: It is not a report, or is of another bucket.
    """
    found = manifest_of(manifest, _Manifest, "Storage Insights")
    options = found.report_config.object_metadata_report_options
    theirs = options.storage_filters.bucket
    if theirs and theirs != bucket:
        raise InvalidReport(
            f"the inventory report is of bucket {shown(theirs)}, the store's is {bucket!r}"
        )
    taken_at = from_iso(found.snapshot_time)
    if taken_at is None:
        raise InvalidReport(
            f"the manifest's snapshot_time is no moment: {shown(found.snapshot_time)}"
        )
    form = found.report_config.csv_options
    shards = found.report_shards_file_names
    packed = found.report_config.parquet_options is not None or (
        form is None and all(one.endswith(".parquet") for one in shards)
    )
    form = form or _CSV(header_required=not options.metadata_fields)
    folder = name[: name.rfind("/") + 1]

    def entry(row: Row) -> ObjectInfo | None:
        if row.value("timedeleted") is not None:
            return None  # an older generation, or one that is deleted softly
        if row.text("bucket") != bucket:
            raise ValueError(f"it is about bucket {shown(row.text('bucket'))}")
        return ObjectInfo(row.text("name"), REPORTED, row.number("size"), {}, row.moment("updated"))

    return InventoryReport(
        taken_at=taken_at,
        files=tuple(ReportFile(one if "/" in one else folder + one) for one in shards),
        form="parquet" if packed else "csv",
        header=None if form.header_required else tuple(options.metadata_fields),
        delimiter=form.delimiter,
        needed=("bucket", "name", "size"),
        more=("updated", "timeDeleted"),
        configured=_CONFIGURED,
        entry=entry,
        rows=found.records_processed,
    )

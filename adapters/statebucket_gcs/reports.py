"""Reports of Storage Insights: the manifests that it writes, and the columns of their files.

The names of a manifest are those that others read (``report_shards_file_names``, ``shard_count``,
``records_processed``, ``snapshot_time``). In ``report_config`` they are those of
``ReportConfig`` (google/cloud/storageinsights/v1 in https://github.com/googleapis/googleapis):
that they are written with underscores, as the outer ones are, is assumed. Without them the first
line of a CSV file is read as its header, and a file that has none is refused. A shard has up to
a million rows, by https://cloud.google.com/storage/docs/troubleshooting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from statebucket.errors import AccessDenied, InvalidReport, shown
from statebucket.port.bucket import ObjectInfo
from statebucket.port.dates import from_iso
from statebucket.port.inventory_reports import (
    REPORTED,
    InventoryReport,
    ReportFile,
    folded,
    manifest_of,
)
from statebucket_gcs.errors import error_of
from statebucket_gcs.wire import decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.port.inventory_reports import Row
    from statebucket_gcs.sender import Sender

_CONFIGURED = "the metadata fields of the inventory report configuration"
_OK = 200


class _Versioning(msgspec.Struct):
    enabled: bool = False


class _Bucket(msgspec.Struct):
    versioning: _Versioning = msgspec.field(default_factory=_Versioning)


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
    shard_count: int | None = None


def read(
    bucket: str, name: str, manifest: bytes, keeps_versions: Callable[[], Awaitable[bool | None]]
) -> InventoryReport:
    """Reads a ``…_manifest.json`` of a Storage Insights inventory report.

    ``timeDeleted`` alone tells older versions from objects: an object has it if and only if it is
    noncurrent or deleted, by https://cloud.google.com/storage/docs/json_api/v1/objects. It is among
    the fields that gcloud chooses. That a report leaves such versions out, Google's pages do not
    say: one without the field is read of a bucket without versioning alone.

    Args:
        bucket: The store's bucket.
        name: The manifest's name; the shards are next to it.
        manifest: Its bytes.
        keeps_versions: See `keeps_versions`.

    Raises:
        InvalidReport: It is not a report, is of another bucket, or names too few shards.
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
    if found.shard_count is not None and found.shard_count != len(shards):
        raise InvalidReport(
            f"the manifest names {len(shards):,} shards, and says that there are "
            f"{found.shard_count:,}: it is cut short or was altered"
        )
    packed = found.report_config.parquet_options is not None or (
        form is None and all(one.endswith(".parquet") for one in shards)
    )
    form = form or _CSV(header_required=not options.metadata_fields)
    folder = name[: name.rfind("/") + 1]
    fields = options.metadata_fields
    tells_versions = not fields or any(folded(one) == "timedeleted" for one in fields)

    async def verify() -> None:
        if (kept := await keeps_versions()) is not False:
            raise InvalidReport(
                "there is no column 'timeDeleted', which tells older versions from objects, and "
                f"the bucket {'keeps' if kept else 'may keep'} versions"
                f"{'' if kept else ' (it takes storage.buckets.get to see that)'}: add it to "
                f"{_CONFIGURED}, and wait for the next report",
                object_name=name,
            )

    def entry(row: Row) -> ObjectInfo | None:
        if row.value("timedeleted") is not None:
            return None  # an older or a soft-deleted generation
        if row.text("bucket") != bucket:
            raise ValueError(f"it is about bucket {shown(row.text('bucket'))}")
        return ObjectInfo(row.text("name"), REPORTED, row.number("size"), {}, row.moment("updated"))

    return InventoryReport(
        taken_at=taken_at,
        files=tuple(ReportFile(one if "/" in one else folder + one) for one in shards),
        form="parquet" if packed else "csv",
        header=None if form.header_required else tuple(options.metadata_fields),
        delimiter=form.delimiter,
        needed=("bucket", "name", "size", *(["timeDeleted"] if tells_versions else [])),
        more=("updated", "timeDeleted"),
        configured=_CONFIGURED,
        entry=entry,
        rows=found.records_processed,
        verify=None if tells_versions else verify,
    )


async def keeps_versions(sender: Sender, path: str, bucket: str) -> bool | None:
    """Whether a bucket keeps versions now: 1 request. None without the right to see it.

    Args:
        sender: What sends requests.
        path: The bucket's path in the JSON API.
        bucket: The bucket's name.

    Raises:
        StateBucketError: There was no answer.
    """
    answer = await sender.send("GET", path, query="fields=versioning")
    if answer.status != _OK:
        error = error_of(answer, bucket)
        if type(error) is AccessDenied:
            return None
        raise error
    return decode(answer, _Bucket).versioning.enabled

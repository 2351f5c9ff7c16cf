"""Reports of Storage Insights: the manifests that it writes, and the columns of their files.

Public readers of manifests use ``report_shards_file_names``, ``shard_count``, ``records_processed``
and ``snapshot_time``. ``report_config`` is a ``ReportConfig`` of google/cloud/storageinsights/v1 in
https://github.com/googleapis/googleapis. We found no manifest that shows how its fields are
written. So ``csv_options`` and ``csvOptions`` are the same here, and either may leave out what has
its default. By https://cloud.google.com/storage/docs/troubleshooting a shard has up to a million
rows.
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


class _CSV(msgspec.Struct, rename=folded):
    delimiter: str = ","
    header_required: bool = False


class _Filters(msgspec.Struct, rename=folded):
    bucket: str = ""


class _Options(msgspec.Struct, rename=folded):
    metadata_fields: list[str] = []
    storage_filters: _Filters = msgspec.field(default_factory=_Filters)


class _Config(msgspec.Struct, rename=folded):
    csv_options: _CSV | None = None
    parquet_options: dict[str, object] | None = None
    object_metadata_report_options: _Options = msgspec.field(default_factory=_Options)


class _Manifest(msgspec.Struct, rename=folded):
    report_shards_file_names: list[str]
    snapshot_time: str
    report_config: _Config = msgspec.field(default_factory=_Config)
    records_processed: int | None = None
    shard_count: int | None = None


def read(
    bucket: str, name: str, manifest: bytes, keeps_versions: Callable[[], Awaitable[bool | None]]
) -> InventoryReport:
    """Reads a ``…_manifest.json`` of a Storage Insights inventory report.

    Only ``timeDeleted`` distinguishes older versions from current objects: it is set if and only if
    a version is noncurrent or deleted (https://cloud.google.com/storage/docs/json_api/v1/objects).
    It is one of gcloud's default fields. We found no page of Google's that says whether a report
    leaves such versions out, so a report without the field is read only if the bucket does not
    keep versions.

    Args:
        bucket: The store's bucket.
        name: The manifest's name; the shards are next to it.
        manifest: Its bytes.
        keeps_versions: See `keeps_versions`.

    Raises:
        InvalidReport: It is not a report, is of another bucket, or names too few shards.
    """
    found = manifest_of(manifest, _Manifest, "Storage Insights", folds=True)
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
    has_deletion_times = not fields or any(folded(one) == "timedeleted" for one in fields)

    async def verify() -> None:
        if (kept := await keeps_versions()) is not False:
            raise InvalidReport(
                "there is no column 'timeDeleted', without which older versions look like objects, "
                f"and the bucket {'keeps' if kept else 'may keep'} versions"
                f"{'' if kept else ' (seeing that needs storage.buckets.get)'}: add it to "
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
        needed=("bucket", "name", "size", *(["timeDeleted"] if has_deletion_times else [])),
        more=("updated", "timeDeleted"),
        configured=_CONFIGURED,
        entry=entry,
        rows=found.records_processed,
        verify=None if has_deletion_times else verify,
    )


async def keeps_versions(sender: Sender, path: str, bucket: str) -> bool | None:
    """Whether a bucket keeps versions now: 1 request. None without the right to see it.

    Args:
        sender: What sends requests.
        path: The bucket's path in the JSON API.
        bucket: The bucket's name.

    Raises:
        StateBucketError: There was no reply, or it reports another error.
    """
    answer = await sender.send("GET", path, query="fields=versioning")
    if answer.status != _OK:
        error = error_of(answer, bucket)
        if type(error) is AccessDenied:
            return None
        raise error
    return decode(answer, _Bucket).versioning.enabled

"""S3 Inventory: the manifests that S3 writes, and the columns of their files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import msgspec

from statebucket.errors import InvalidReport, excerpt, shown
from statebucket.port.bucket import ObjectInfo
from statebucket.port.expiry import from_ms
from statebucket.port.inventory_reports import (
    REPORTED,
    InventoryReport,
    ReportFile,
    manifest_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from statebucket.port.inventory_reports import Row

_CONFIGURED = "the optional fields of the bucket's inventory configuration"


class _File(msgspec.Struct):
    key: str
    size: int
    md5: str | None = msgspec.field(default=None, name="MD5checksum")


class _Manifest(msgspec.Struct, rename="camel"):
    source_bucket: str
    file_format: str
    files: list[_File]
    creation_timestamp: int
    file_schema: str = ""


def read(bucket: str, manifest: bytes) -> InventoryReport:
    """Reads a ``manifest.json`` of S3 Inventory.

    By https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html, a report of all
    versions has ``VersionId``, ``IsLatest`` and ``IsDeleteMarker``, a report of current versions
    has none of them, and keys in CSV are URL-encoded. A space is encoded as ``+``, as in forms
    (https://github.com/cloud-custodian/cloud-custodian/issues/1997).

    Args:
        bucket: The store's bucket.
        manifest: Its bytes.

    Raises:
        InvalidReport: It is not a report, or is of another bucket, or of ORC files.
    """
    found = manifest_of(manifest, _Manifest, "S3 Inventory")
    if found.source_bucket != bucket:
        raise InvalidReport(
            f"the inventory report is of bucket {shown(found.source_bucket)}, the store's is "
            f"{bucket!r}"
        )
    form = found.file_format.lower()
    if form not in {"csv", "parquet"}:
        raise InvalidReport(
            f"an inventory report in {excerpt(found.file_format)} is not read: configure the "
            "inventory as CSV or Parquet"
        )
    packed = form == "csv"

    def entry(row: Row) -> ObjectInfo | None:
        # From a report of all versions, only what a listing shows.
        if not row.flag("islatest", default=True) or row.flag("isdeletemarker", default=False):
            return None
        if row.text("bucket") != bucket:
            raise ValueError(f"it is about bucket {shown(row.text('bucket'))}")
        name = row.text("key")
        return ObjectInfo(
            unquote_plus(name) if packed else name,
            REPORTED,
            row.number("size"),
            {},
            row.moment("lastmodifieddate"),
        )

    return InventoryReport(
        taken_at=_moment(found.creation_timestamp),
        files=tuple(ReportFile(one.key, one.size, one.md5) for one in found.files),
        form="csv" if packed else "parquet",
        header=tuple(found.file_schema.split(",")) if packed else None,
        needed=("Bucket", "Key", "Size"),
        more=("VersionId", "IsLatest", "IsDeleteMarker", "LastModifiedDate"),
        paired=(("VersionId", "IsLatest"), ("VersionId", "IsDeleteMarker")),
        configured=_CONFIGURED,
        entry=entry,
    )


def _moment(milliseconds: int) -> datetime:
    try:
        return from_ms(milliseconds)
    except OverflowError:
        raise InvalidReport(
            f"the manifest's creationTimestamp is no moment: {milliseconds}"
        ) from None

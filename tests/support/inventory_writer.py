"""Inventory reports in the services' formats, from a listing of a bucket.

The formats follow each service's documentation: the keys of a manifest, the names of columns, what
is quoted, compressed and percent-encoded.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statebucket.port.bucket import Bucket, ObjectInfo

TAKEN = datetime(2026, 11, 27, 1, 0, tzinfo=UTC)


class Written(NamedTuple):
    """A report.

    Attributes:
        manifest: The name of the manifest.
        objects: Each object of the report by its name, the manifest too.
    """

    manifest: str
    objects: dict[str, bytes]

    def changed(self, **fields: Any) -> Written:
        """The same with other values in the manifest."""
        manifest = json.loads(self.objects[self.manifest]) | fields
        return Written(self.manifest, self.objects | {self.manifest: json.dumps(manifest).encode()})

    @property
    def files(self) -> list[str]:
        """The names of its files."""
        return sorted(set(self.objects) - {self.manifest})


async def listed(bucket: Bucket) -> list[ObjectInfo]:
    """All objects of a bucket, each with the metadata of a HEAD."""
    found: list[ObjectInfo] = []
    after = None
    while True:
        page = await bucket.list("", after=after, limit=1000)
        found += page.objects
        after = page.following
        if after is None:
            return found


def s3_report(
    bucket: str,
    infos: Sequence[ObjectInfo],
    *,
    form: str = "CSV",
    files: int = 2,
    versions: bool = False,
    fields: Sequence[str] = ("Size", "LastModifiedDate", "ETag", "StorageClass"),
) -> Written:
    """A report of S3 Inventory, of current versions or of all."""
    columns = ["Bucket", "Key", *(["VersionId", "IsLatest", "IsDeleteMarker"] * versions), *fields]
    rows: list[dict[str, Any]] = []
    for info in infos:
        row: dict[str, Any] = {
            "Bucket": bucket,
            "Key": info.name if form == "Parquet" else quote_plus(info.name, safe="/"),
            "VersionId": "v2",
            "IsLatest": True,
            "IsDeleteMarker": False,
            "Size": info.size,
            "LastModifiedDate": info.modified_at or TAKEN,
            "ETag": info.version.token.strip('"'),
            "StorageClass": "STANDARD",
        }
        rows.append(row)
        if versions:  # an older one of each, and an object that is deleted by now
            rows.append(row | {"VersionId": "v1", "IsLatest": False, "Size": 7})
            gone = {"Key": row["Key"] + "-gone", "IsDeleteMarker": True, "Size": None}
            rows.append(row | gone)
    names = {one: one for one in columns}
    if form == "Parquet":
        names = {one: _snake(one) for one in columns}
    folder = f"{bucket}/daily"
    objects: dict[str, bytes] = {}
    for at in range(files):
        some = [{names[one]: row[one] for one in columns} for row in rows[at::files]]
        if form == "Parquet":
            objects[f"{folder}/data/{at:08}.parquet"] = _parquet(list(names.values()), some)
        else:
            objects[f"{folder}/data/{at:08}.csv.gz"] = gzip.compress(
                _csv(columns, some, header=False, quoting=csv.QUOTE_ALL)
            )
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": str(int(TAKEN.timestamp() * 1000)),
        "fileFormat": form,
        "fileSchema": ", ".join(columns)
        if form == "CSV"
        else f"message s3.inventory {{ {'; '.join(names.values())}; }}",
        "files": [
            {"key": name, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}
            for name, body in objects.items()
        ],
    }
    name = f"{folder}/2026-11-27T01-00Z/manifest.json"
    return Written(name, objects | {name: json.dumps(manifest).encode()})


def gcs_report(
    bucket: str,
    infos: Sequence[ObjectInfo],
    *,
    form: str = "CSV",
    files: int = 2,
    header: bool = True,
    delimiter: str = ",",
    fields: Sequence[str] = ("project", "bucket", "name", "size", "updated", "timeDeleted", "etag"),
) -> Written:
    """A report of Storage Insights."""
    rows = [
        {
            "project": "test",
            "bucket": bucket,
            "name": info.name,
            "size": info.size,
            "updated": info.modified_at or TAKEN,
            "timeDeleted": None,
            "etag": "CKih16GjycICEAE=",
        }
        for info in infos
    ]
    stem = "reports/7f1c5a0e-1b2c-4c55-9a5d-0c3f6e2f1a11_2026-11-27T01:00"
    suffix = "parquet" if form == "Parquet" else "csv"
    objects: dict[str, bytes] = {}
    for at in range(files):
        some = [{one: row[one] for one in fields} for row in rows[at::files]]
        objects[f"{stem}_{at}.{suffix}"] = (
            _parquet(fields, some)
            if form == "Parquet"
            else _csv(fields, some, header=header, delimiter=delimiter)
        )
    options = {"csv_options": {"delimiter": delimiter, "header_required": header}}
    manifest = {
        "report_config": {
            "name": "projects/test/locations/us/reportConfigs/7f1c5a0e",
            **({"parquet_options": {}} if form == "Parquet" else options),
            "object_metadata_report_options": {
                "metadata_fields": list(fields),
                "storage_filters": {"bucket": bucket},
                "storage_destination_options": {"bucket": "inventories"},
            },
        },
        "records_processed": len(rows),
        "snapshot_time": "2026-11-27T01:00:00Z",
        "shard_count": files,
        "report_shards_file_names": [name.rpartition("/")[2] for name in objects],
    }
    name = f"{stem}_manifest.json"
    return Written(name, objects | {name: json.dumps(manifest).encode()})


def azure_report(
    account: str,
    container: str,
    infos: Sequence[ObjectInfo],
    *,
    form: str = "CSV",
    files: int = 2,
    metadata: bool = True,
    filters: dict[str, Any] | None = None,
) -> Written:
    """A report of Azure Blob inventory, of an account that has another container, too."""
    fields = ["Name", "Last-Modified", "Content-Length", "ETag", "Snapshot"]
    fields += ["VersionId", "IsCurrentVersion", *["Metadata"] * metadata]
    rows: list[dict[str, Any]] = []
    for info in infos:
        row: dict[str, Any] = {
            "Name": f"{container}/{info.name}",
            "Last-Modified": info.modified_at or TAKEN,
            "Content-Length": info.size,
            "ETag": info.version.token,
            "Snapshot": None,
            "VersionId": "2026-11-27T00:30:00.0000000Z",
            "IsCurrentVersion": True,
            "Metadata": json.dumps(dict(info.metadata)) if info.metadata else None,
        }
        rows.append(row)
        rows.append(row | {"Name": f"another-{row['Name']}"})
        rows.append(row | {"VersionId": "2026-11-27T00:20:00.0000000Z", "IsCurrentVersion": False})
        rows.append(row | {"VersionId": "2026-11-27T00:10:00.0000000Z", "IsCurrentVersion": None})
        taken = {"VersionId": None, "IsCurrentVersion": None}
        rows.append(row | {"Snapshot": TAKEN.isoformat(), **taken})
    folder = "2026/11/27/01-00-00/state"
    suffix = "parquet" if form == "Parquet" else "csv"
    objects: dict[str, bytes] = {}
    for at in range(files):
        some = [{one: row[one] for one in fields} for row in rows[at::files]]
        objects[f"{folder}/state_1000000_{at}.{suffix}"] = (
            _parquet(fields, some) if form == "Parquet" else _csv(fields, some, header=True)
        )
    manifest = {
        "destinationContainer": "inventories",
        "endpoint": f"https://{account}.blob.core.windows.net",
        "files": [{"blob": name, "size": len(body)} for name, body in objects.items()],
        "inventoryCompletionTime": "2026-11-27T01:12:00Z",
        "inventoryStartTime": "2026-11-27T01:00:00Z",
        "ruleDefinition": {
            "filters": {
                "blobTypes": ["blockBlob"],
                "includeBlobVersions": True,
                "includeSnapshots": True,
                **(filters or {}),
            },
            "format": form.lower(),
            "objectType": "blob",
            "schedule": "daily",
            "schemaFields": fields,
        },
        "ruleName": "state",
        "status": "Succeeded",
        "summary": {"objectCount": len(rows), "totalObjectSize": 0},
        "version": "1.0",
    }
    name = f"{folder}/state-manifest.json"
    return Written(name, objects | {name: json.dumps(manifest).encode()})


def _csv(
    columns: Sequence[str], rows: Sequence[dict[str, Any]], *, header: bool, **how: Any
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", **how)
    if header:
        writer.writerow(columns)
    writer.writerows([_text(row[one]) for one in row] for row in rows)
    return text.getvalue().encode()


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _parquet(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415  (an extra, which not every environment has)
    from pyarrow import parquet  # noqa: PLC0415

    body = io.BytesIO()
    kinds = {
        "size": pa.int64(),
        "Content-Length": pa.int64(),
        "last_modified_date": pa.timestamp("ms", tz="UTC"),
        "Last-Modified": pa.timestamp("ms", tz="UTC"),
        "updated": pa.timestamp("us", tz="UTC"),
        "timeDeleted": pa.timestamp("us", tz="UTC"),
        "is_latest": pa.bool_(),
        "is_delete_marker": pa.bool_(),
        "IsCurrentVersion": pa.bool_(),
    }
    schema = pa.schema([(one, kinds.get(one, pa.string())) for one in columns])
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), body, row_group_size=100)
    return body.getvalue()


def _snake(name: str) -> str:
    known = {"LastModifiedDate": "last_modified_date", "ETag": "e_tag", "VersionId": "version_id"}
    known |= {"IsLatest": "is_latest", "IsDeleteMarker": "is_delete_marker"}
    return known.get(name, {"StorageClass": "storage_class"}.get(name, name.lower()))

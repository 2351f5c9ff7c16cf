"""Inventory reports in the forms that the services' documentation prints or describes.

S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html and
storage-inventory.html. Azure: https://learn.microsoft.com/azure/storage/blobs/blob-inventory, and
the rules of the PowerShell reference. Storage Insights: ``ReportConfig`` of the API, as JSON writes
it.
"""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.store.report_rows import ReportRows
from statebucket_azure.reports import read as read_azure
from statebucket_gcs.reports import read as read_gcs
from statebucket_s3.reports import read as read_s3

if TYPE_CHECKING:
    from statebucket.port.bucket import ObjectInfo
    from statebucket.port.inventory_reports import InventoryReport

MORE = (
    "ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, EncryptionStatus, "
    "ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, "
    "IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm, ObjectAccessControlList, "
    "ObjectOwner, LifecycleExpirationDate"
)
ALL = f"Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, {MORE}"
CURRENT = f"Bucket, Key, Size, LastModifiedDate, {MORE}"
NEW_TYPES = """message s3.inventory {  required binary bucket (STRING);
required binary key (STRING);  optional int64 size;
optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); }"""
OLD_TYPES = """message s3.inventory { required binary bucket (UTF8); required binary key (UTF8);
optional int64 size; optional int64 last_modified_date (TIMESTAMP_MILLIS); }"""
ORC = "struct<bucket:string,key:string,size:bigint,last_modified_date:timestamp,e_tag:string>"


def names(report: InventoryReport, body: bytes) -> list[tuple[str, int]]:
    rows = ReportRows(report, report.files[0], io.BytesIO(body))
    found: list[ObjectInfo] = [one for page in rows.pages() for one in page]
    return [(one.name, one.size) for one in found]


def s3(form: str, schema: str) -> InventoryReport:
    manifest = {
        "sourceBucket": "example-source-bucket",
        "destinationBucket": "arn:aws:s3:::example-inventory-destination-bucket",
        "version": "2016-11-30",
        "creationTimestamp": "1514944800000",
        "fileFormat": form,
        "fileSchema": schema,
        "files": [
            {
                "key": "inventory/example-source-bucket/data/939c6d46-85a9-4ba8-87bd-9db705a579ce",
                "size": 2147483647,
                "MD5checksum": "f11166069f1990abeb9c97ace9cdfabc",
            }
        ],
    }
    return read_s3("example-source-bucket", json.dumps(manifest, indent=4).encode())


def line(*values: str, columns: str) -> str:
    """A row as S3 writes it: every value quoted, those at the end empty."""
    width = len(columns.split(","))
    return ",".join(f'"{one}"' for one in (*values, *[""] * (width - len(values)))) + "\n"


def test_s3_all_versions_in_csv() -> None:
    report = s3("CSV", ALL)
    assert report.taken_at.isoformat() == "2018-01-03T02:00:00+00:00"
    assert (report.files[0].size, report.files[0].md5) == (
        2147483647,
        "f11166069f1990abeb9c97ace9cdfabc",
    )
    bucket, at = "example-source-bucket", "2018-01-02T03:04:05.000Z"
    body = "".join(
        line(*values, columns=ALL)
        for values in (
            (bucket, "a/%C3%A9+b", "Iv1", "true", "false", "12", at, "e1", "STANDARD"),
            (bucket, "a/%C3%A9+b", "Iv0", "false", "false", "11", at, "e0", "STANDARD"),
            (bucket, "c", "Im1", "true", "true", "", at),  # a delete marker has no size
            (bucket, "d", "", "true", "false", "0", at),  # written before there were versions
        )
    )
    assert names(report, gzip.compress(body.encode())) == [("a/é b", 12), ("d", 0)]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n\r\n"])
def test_s3_current_versions_in_csv_with_empty_lines_at_the_end(end: str) -> None:
    # As read from S3 by https://github.com/umccr/orcabus, which trims them.
    body = line("example-source-bucket", "k", "3", columns=CURRENT) + end
    assert names(s3("CSV", CURRENT), gzip.compress(body.encode())) == [("k", 3)]
    assert names(s3("CSV", CURRENT), gzip.compress(end.encode())) == []


@pytest.mark.parametrize("schema", [NEW_TYPES, OLD_TYPES])
def test_s3_in_parquet(schema: str) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415  (an extra, which not every environment has)

    body = io.BytesIO()
    columns = {"bucket": ["example-source-bucket"], "key": ["a/é b"], "size": [5]}
    parquet.write_table(pa.table(columns | {"is_multipart_uploaded": [False]}), body)
    assert names(s3("Parquet", schema), body.getvalue()) == [("a/é b", 5)]


def test_s3_in_orc_is_refused() -> None:
    with pytest.raises(errors.InvalidReport, match="configure the inventory as CSV or Parquet"):
        s3("ORC", ORC)


def azure(**rule: Any) -> dict[str, Any]:
    filters = {
        "blobTypes": ["blockBlob"],
        "includeBlobVersions": False,
        "includeSnapshots": False,
        "prefixMatch": ["penner-test-container-100003"],
    }
    fields = ["Name", "Creation-Time", "BlobType", "Content-Length", "LastAccessTime"]
    definition = {
        "filters": filters,
        "format": "csv",
        "objectType": "blob",
        "schedule": "daily",
        "schemaFields": [*fields, "Last-Modified", "Metadata", "AccessTier"],
    }
    return {
        "destinationContainer": "inventory-destination-container",
        "endpoint": "https://testaccount.blob.core.windows.net",
        "files": [{"blob": "2021/05/26/13-25-36/Rule_1/Rule_1.csv", "size": 12710092}],
        "inventoryCompletionTime": "2021-05-26T13:35:56Z",
        "inventoryStartTime": "2021-05-26T13:25:36Z",
        "ruleDefinition": definition | rule,
        "ruleName": "Rule_1",
        "status": "Succeeded",
        "summary": {"objectCount": 110000, "totalObjectSize": 23789775},
        "version": "1.0",
    }


CONTAINER = "penner-test-container-100003"


def of_azure(manifest: dict[str, Any]) -> InventoryReport:
    return read_azure("testaccount", CONTAINER, json.dumps(manifest).encode(), ["app/tenants/"])


def test_azure_in_csv() -> None:
    report = of_azure(azure())
    assert report.taken_at.isoformat() == "2021-05-26T13:25:36+00:00"
    assert (report.files[0].size, report.lists_metadata) == (12710092, True)
    head = ",".join(azure()["ruleDefinition"]["schemaFields"])
    at = "2021-05-20T00:00:00Z"
    row = f'{CONTAINER}/app/k,{at},BlockBlob,7,,{at},"{{""a"":""b""}}",Hot'
    assert names(report, f"{head}\n{row}\n".encode()) == [("app/k", 7)]


@pytest.mark.parametrize("status", ["Pending", "Failed", "PartiallySucceeded"])
def test_azure_before_a_run_has_succeeded_is_refused(status: str) -> None:
    with pytest.raises(errors.InvalidReport, match=f"'{status}' instead of 'Succeeded'"):
        of_azure(azure() | {"status": status})


def test_azure_folders_are_none_of_the_blobs() -> None:
    """An account with a hierarchical namespace, whose rule has Metadata but not hdi_isfolder."""
    folder = '"{""hdi_isfolder"":""true""}"'
    body = (
        "Name,Content-Length,Metadata\n"
        f"{CONTAINER}/app/tenants,0,{folder}\n"
        f"{CONTAINER}/app/tenants/a/keys/k,3,\n"
    )
    fields = ["Name", "Content-Length", "Metadata"]
    report = of_azure(azure(schemaFields=fields))
    assert names(report, body.encode()) == [("app/tenants/a/keys/k", 3)]


def test_azure_in_parquet_by_a_rule_of_the_powershell_reference() -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    fields = (
        "name,Creation-Time,Last-Modified,Content-Length,BlobType,hdi_isfolder,Snapshot,Metadata"
    )
    filters = {"blobTypes": ["blockBlob", "appendBlob"], "includeSnapshots": True}
    manifest = azure(format="parquet", filters=filters, schemaFields=fields.split(","))
    table = {
        "Name": [f"{CONTAINER}/app/k", f"{CONTAINER}/app", f"{CONTAINER}/app/k"],
        "Last-Modified": pa.array([1_621_468_800_000] * 3, pa.timestamp("ms")),
        "Content-Length": [9, 0, 8],
        "hdi_isfolder": [None, True, None],
        "Snapshot": [None, None, "2021-05-20T00:00:00.0000000Z"],
        "Metadata": ['{"a":"b"}', None, None],
    }
    body = io.BytesIO()
    parquet.write_table(pa.table(table), body)
    assert names(of_azure(manifest), body.getvalue()) == [("app/k", 9)]


SNAKE: dict[str, Any] = {
    "report_config": {
        "name": "projects/p/locations/us/reportConfigs/7f1c5a0e-1b2c-4c55-9a5d-0c3f6e2f1a11",
        "display_name": "daily",
        "frequency_options": {"frequency": "DAILY"},
        "csv_options": {"record_separator": "\r\n", "delimiter": ";"},
        "object_metadata_report_options": {
            "metadata_fields": ["project", "bucket", "name", "size", "timeDeleted"],
            "storage_filters": {"bucket": "state"},
            "storage_destination_options": {"bucket": "inventories", "destination_path": "r/"},
        },
    },
    "records_processed": "2",  # a 64-bit number, which the API's JSON has as a string
    "snapshot_time": "2026-11-27T01:00:00.123456789Z",
    "target_datetime": "2026-11-27T00:00:00Z",
    "shard_count": 1,
    "report_shards_file_names": ["7f1c5a0e-1b2c-4c55-9a5d-0c3f6e2f1a11_2026-11-27T01:00_0.csv"],
}


def camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel(name): camel(one) for name, one in value.items()}
    return value


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(one.capitalize() for one in more)


OUTSIDE = {name: one for name, one in SNAKE.items() if name != "report_config"}


@pytest.mark.parametrize(
    "manifest",
    [SNAKE, camel(SNAKE), OUTSIDE | {"report_config": camel(SNAKE["report_config"])}],
    ids=["underscores", "camel case", "a configuration in camel case"],
)
def test_storage_insights_however_the_configuration_is_written(manifest: dict[str, Any]) -> None:
    async def unasked() -> bool | None:
        raise AssertionError

    name = "r/7f1c5a0e-1b2c-4c55-9a5d-0c3f6e2f1a11_2026-11-27T01:00_manifest.json"
    body = json.dumps(manifest).encode()
    report = read_gcs("state", name, body, unasked)
    assert [one.name for one in report.files] == [f"r/{SNAKE['report_shards_file_names'][0]}"]
    assert report.rows == 2
    shard = "p;state;a/k;3;\r\np;state;a/k;2;2026-11-26T00:00:00Z\r\n"
    assert names(report, shard.encode()) == [("a/k", 3)]
    with pytest.raises(errors.InvalidReport, match="bucket 'state', the store's is 'other'"):
        read_gcs("other", name, body, unasked)

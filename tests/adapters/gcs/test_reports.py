"""Which manifests of Storage Insights belong to a store, and the format of its files."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors, open_store
from statebucket.admin import inventory
from statebucket.contract.versions import Version
from statebucket.port.bucket import ObjectInfo
from statebucket.port.inventory_reports import InventoryReport, Row
from statebucket.store.report_rows import ReportRows
from statebucket_gcs.reports import read
from support.fault_proxy.proxy import Answer, FaultProxy, gcs_error, on
from support.inventory_writer import TAKEN, Written, gcs_report
from support.targets.gcs_bucket import Around

if TYPE_CHECKING:
    from support.servers import Server

INFOS = [ObjectInfo(f"app/k{at}", Version("1"), at, {}, TAKEN) for at in range(5)]


def report(written: Written) -> InventoryReport:
    return read("state", written.manifest, written.objects[written.manifest], unasked)


async def unasked() -> bool | None:
    raise AssertionError


def rows(written: Written) -> list[ObjectInfo]:
    """What all files of a report name."""
    found: list[ObjectInfo] = []
    for file in report(written).files:
        opened = io.BytesIO(written.objects[file.name])
        for page in ReportRows(report(written), file, opened).pages():
            found += page
    return found


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("delimiter", [",", "|", "\t"])
def test_files_are_read_as_their_configuration_writes_them(
    header: bool,  # noqa: FBT001
    delimiter: str,
) -> None:
    written = gcs_report("state", INFOS, header=header, delimiter=delimiter)
    found = rows(written)
    assert sorted((one.name, one.size, one.modified_at) for one in found) == [
        (one.name, one.size, TAKEN) for one in INFOS
    ]
    assert (report(written).taken_at, report(written).rows) == (TAKEN, 5)


def test_a_field_that_is_not_in_the_configuration_is_named() -> None:
    for header in (True, False):
        written = gcs_report("state", INFOS, header=header, fields=("bucket", "name"))
        with pytest.raises(errors.InvalidReport, match="no column 'size': add it to the metadata"):
            rows(written)


def test_shards_are_beside_the_manifest_or_named_in_full() -> None:
    written = gcs_report("state", INFOS)
    assert sorted(one.name for one in report(written).files) == written.files
    full = written.changed(report_shards_file_names=written.files)
    assert [one.name for one in report(full).files] == written.files


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"snapshot_time": "yesterday"}, "snapshot_time is no moment"),
        ({"report_shards_file_names": None}, "no manifest of Storage Insights"),
    ],
)
def test_what_is_no_manifest_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidReport, match=message):
        report(gcs_report("state", INFOS).changed(**fields))


def test_a_report_of_another_bucket_is_refused() -> None:
    written = gcs_report("other", INFOS)
    with pytest.raises(errors.InvalidReport, match="bucket 'other', the store's is 'state'"):
        report(written)
    config = json.loads(written.objects[written.manifest])["report_config"]
    config["object_metadata_report_options"]["storage_filters"] = {}
    with pytest.raises(errors.InvalidReport, match="row 1: it is about bucket 'other'"):
        rows(written.changed(report_config=config))


def test_a_manifest_that_names_too_few_shards_is_refused() -> None:
    written = gcs_report("state", INFOS)
    with pytest.raises(errors.InvalidReport, match="names 2 shards, and says that there are 3"):
        report(written.changed(shard_count=3))


NO_TIME = ("project", "bucket", "name", "size", "updated")
VERSIONING = on("GET", "fields=versioning")


def described(bucket: dict[str, Any]) -> Answer:
    """What Cloud Storage says of a bucket."""
    headers = (("Content-Type", "application/json; charset=UTF-8"),)
    return Answer(200, headers, json.dumps(bucket).encode(), when=VERSIONING)


def test_without_the_fields_in_its_manifest_a_report_must_tell_versions() -> None:
    written = gcs_report("state", INFOS, fields=NO_TIME)
    config = json.loads(written.objects[written.manifest])["report_config"]
    config["object_metadata_report_options"]["metadata_fields"] = []
    with pytest.raises(errors.InvalidReport, match="no column 'timeDeleted': add it to the"):
        rows(written.changed(report_config=config))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (described({}), None),
        (described({"versioning": {"enabled": False}}), None),
        (described({"versioning": {"enabled": True}}), "bucket keeps versions: add it to the"),
        (
            gcs_error(403, "forbidden", when=VERSIONING),
            r"may keep versions \(seeing that needs storage.buckets.get",
        ),
    ],
    ids=["never", "no longer", "versions", "not to be seen"],
)
@pytest.mark.asyncio
async def test_a_report_without_deletion_times_is_of_a_bucket_without_versions(
    fake: Server, engine: str, answer: Answer, message: str | None
) -> None:
    place, reports = Around(fake.url), Around(fake.url)
    infos = [ObjectInfo("app/shared/keys/k", Version("1"), 3, {}, TAKEN)]
    written = gcs_report(place.bucket, infos, fields=NO_TIME)
    for name, body in written.objects.items():
        reports.write(name, body)
    with FaultProxy(fake.host, fake.port, rewrite_host=fake.netloc) as proxy:
        proxy.always(answer)
        where = f"endpoint_url={proxy.url}&anonymous=true&engine={engine}"
        async with open_store(f"gs://{place.bucket}/app?{where}") as store:
            address = f"gs://{reports.bucket}/{written.manifest}"
            if message is None:
                assert (await inventory(store, report=address)).shared.keys == 1
            else:
                with pytest.raises(errors.InvalidReport, match=message) as told:
                    await inventory(store, report=address)
                assert "timeDeleted" in str(told.value)
        assert sum(map(VERSIONING, proxy.requests)) == 1


def test_what_is_deleted_is_passed_over() -> None:
    places = {"bucket": 0, "name": 1, "size": 2, "timedeleted": 3}
    entry = report(gcs_report("state", INFOS)).entry
    assert entry(Row(places, ["state", "k", "1", "2026-11-27T01:00:00Z"])) is None
    assert entry(Row(places, ["state", "k", "1", ""])) is not None

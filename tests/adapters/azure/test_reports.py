"""Which manifests of Azure Blob inventory belong to a store, and what their rows mean."""

from __future__ import annotations

import io
from typing import Any

import pytest

from statebucket import errors
from statebucket.contract.versions import Version
from statebucket.port.bucket import ObjectInfo
from statebucket.port.inventory_reports import InventoryReport, Row
from statebucket.store.report_rows import ReportRows
from statebucket_azure.reports import read
from support.inventory_writer import TAKEN, Written, azure_report

AREAS = ("app/tenants/", "app/shared/")
INFO = ObjectInfo("app/tenants/a/keys/k", Version('"v"'), 3, {"expiresat": "1"})


def report(written: Written) -> InventoryReport:
    return read("account1", "state", written.objects[written.manifest], AREAS)


def written(**how: Any) -> Written:
    return azure_report("account1", "state", [INFO], **how)


def ruled(**fields: Any) -> Written:
    """A report of a rule with other filters or fields."""
    found = written()
    rule = {"filters": {}, "format": "csv", "objectType": "blob", "schemaFields": ["Name"]}
    return found.changed(ruleDefinition=rule | fields)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (written().changed(status="Pending"), "'Pending' instead of 'Succeeded'"),
        (written().changed(endpoint="https://other.blob.core.windows.net"), "account 'other'"),
        (written().changed(inventoryStartTime="yesterday"), "inventoryStartTime is no moment"),
        (written().changed(ruleDefinition=None), "no manifest of Azure Blob inventory"),
        (ruled(objectType="container"), "is of containers"),
        (ruled(format="orc"), "in orc is not read"),
        (ruled(filters={"blobTypes": ["appendBlob"]}), "must have blockBlob among blobTypes"),
        (ruled(filters={"creationTime": 3}), "no creationTime"),
        (ruled(filters={"prefixMatch": ["state/app/t"]}), "leaves 'state/app/shared/' out"),
        (ruled(filters={"prefixMatch": ["other"]}), "leaves 'state/app/tenants/' out"),
        (ruled(filters={"excludePrefix": ["state/app/shared/keys"]}), "excludePrefix has"),
        (ruled(filters={"excludePrefix": ["sta"]}), "leaves 'state/app/tenants/' out"),
    ],
)
def test_a_report_that_leaves_something_out_is_refused(found: Written, message: str) -> None:
    with pytest.raises(errors.InvalidReport, match=message):
        report(found)


@pytest.mark.parametrize("prefix", [[], ["state"], ["other", "state/app"], [""]])
def test_a_report_of_the_store_is_read(prefix: list[str]) -> None:
    found = report(written(filters={"prefixMatch": prefix, "excludePrefix": ["other"]}))
    assert (found.taken_at, found.lists_metadata, len(found.files)) == (TAKEN, True, 2)
    assert not report(written(metadata=False)).lists_metadata


def entry(**values: object) -> ObjectInfo | None:
    row = {"name": f"state/{INFO.name}", "contentlength": "3"} | values
    places = {name: at for at, name in enumerate(row)}
    return report(written()).entry(Row(places, list(row.values())))


def test_a_row_is_about_a_blob_with_its_metadata() -> None:
    found = entry(metadata='{"Expiresat": "5"}', lastmodified="2026-11-27T01:00:00Z")
    assert found is not None
    assert (found.name, found.size, found.metadata) == (INFO.name, 3, {"expiresat": "5"})
    assert found.modified_at == TAKEN
    typed = entry(metadata=[("expiresat", "5")], contentlength=3, lastmodified=TAKEN)
    assert typed == found
    assert entry(lastmodified="Fri, 27 Nov 2026 01:00:00 GMT").modified_at == TAKEN  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "values",
    [
        {"name": "state2/app/tenants/a/keys/k"},
        {"snapshot": "2026-11-27T01:00:00Z"},
        {"iscurrentversion": "false"},
        {"versionid": "2026-11-27T00:10:00.0000000Z", "iscurrentversion": "false"},
        {"versionid": "2026-11-27T00:10:00.0000000Z", "iscurrentversion": ""},
        {"versionid": "2026-11-27T00:10:00.0000000Z"},
        {"deleted": True},
        {"hdiisfolder": "true"},
    ],
)
def test_a_row_of_something_else_is_passed_over(values: dict[str, object]) -> None:
    assert entry(**values) is None


@pytest.mark.parametrize(
    "values",
    [
        {"iscurrentversion": ""},
        {"versionid": "", "iscurrentversion": ""},  # written before the account kept versions
        {"versionid": "2026-11-27T00:30:00.0000000Z", "iscurrentversion": "true"},
        {"versionid": "2026-11-27T00:30:00.0000000Z", "iscurrentversion": True},
        {"metadata": " "},
        {"metadata": "null"},
        {"metadata": "{}"},
    ],
)
def test_a_row_of_a_blob_is_read(values: dict[str, object]) -> None:
    found = entry(**values)
    assert found is not None
    assert (found.name, found.metadata) == (INFO.name, {})


BOTH = "Name,Content-Length,VersionId,IsCurrentVersion"


@pytest.mark.parametrize(
    ("filters", "columns", "missing"),
    [
        ({}, "Name,Content-Length", None),
        ({"includeBlobVersions": None, "includeDeleted": False}, "Name,Content-Length", None),
        ({}, "Name,Content-Length,VersionId", "'VersionId' but no column 'IsCurrentVersion'"),
        ({"includeBlobVersions": True}, "Name,Content-Length", "no column 'VersionId'"),
        (
            {"includeBlobVersions": True},
            "Name,Content-Length,VersionId",
            "no column 'IsCurrentVersion'",
        ),
        ({"includeBlobVersions": True}, BOTH, None),
        ({"includeSnapshots": True}, "Name,Content-Length", "no column 'Snapshot'"),
        ({"includeSnapshots": True}, "Name,Content-Length,Snapshot", None),
        ({"includeDeleted": True}, BOTH, "no column 'Deleted'"),
        ({"includeDeleted": True}, "Name,Content-Length,Deleted", None),
    ],
)
def test_what_the_rule_includes_beside_blobs_must_be_told_from_them(
    filters: dict[str, object], columns: str, missing: str | None
) -> None:
    found = report(ruled(filters=filters))
    values = {"Name": f"state/{INFO.name}", "Content-Length": "3"}
    row = ",".join(values.get(one, "") for one in columns.split(","))
    rows = ReportRows(found, found.files[0], io.BytesIO(f"{columns}\n{row}\n".encode()))
    if missing is None:
        assert [[one.name for one in page] for page in rows.pages()] == [[INFO.name]]
    else:
        with pytest.raises(errors.InvalidReport, match=f"{missing}.*add it to the schemaFields"):
            list(rows.pages())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metadata": "expiresat=5"}, "leave Metadata out of the schemaFields"),
        ({"contentlength": "-1"}, "column 'contentlength' has no size"),
        ({"deleted": "perhaps"}, "says neither true nor false"),
        ({"name": None}, "column 'name' has no text"),
    ],
)
def test_a_row_that_cannot_be_read_says_which_column(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        entry(**values)

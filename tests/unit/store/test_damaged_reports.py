"""Inventory reports that are of something else, damaged, incomplete or replaced."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.admin import inventory
from statebucket.testing import Clock
from support.inventory_writer import TAKEN, Written, listed, s3_report
from support.reporting_bucket import BUCKET, ReportingBucket
from support.scripted_bucket import opened

if TYPE_CHECKING:
    from statebucket import StateStore

pytestmark = pytest.mark.usefixtures("_scripted")

MINUTE = timedelta(minutes=1)


@pytest.fixture
def bucket() -> ReportingBucket:
    return ReportingBucket()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(bucket: ReportingBucket, clock: Clock) -> StateStore:
    return opened(bucket, clock=clock)


async def written(bucket: ReportingBucket, **how: Any) -> Written:
    return s3_report(BUCKET, await listed(bucket.inner), **how)


def replaced(found: Written, name: str, body: bytes, **fields: Any) -> Written:
    """The same with another file, of which the manifest says the truth."""
    manifest = json.loads(found.objects[found.manifest])
    manifest["files"] = [
        one | ({"size": len(body), "MD5checksum": None} if one["key"] == name else {})
        for one in manifest["files"]
    ]
    changed = Written(found.manifest, found.objects | {name: body})
    return changed.changed(files=manifest["files"], **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sourceBucket": "another"}, "of bucket 'another', the store's is 'b'"),
        ({"fileFormat": "ORC"}, "ORC is not read: configure the inventory as CSV or Parquet"),
        ({"fileSchema": "Bucket, Key"}, "no column 'Size': add it to the optional fields"),
        ({"fileSchema": "Bucket, Key, Size"}, "row 1 has 6 columns instead of 3"),
        ({"fileSchema": "Bucket, Key, Size, size, A, B"}, "there are two columns 'size'"),
        ({"fileSchema": "Bucket, Key, VersionId, Size"}, "'VersionId' but no column 'IsLatest'"),
        ({"files": "none"}, "no manifest of S3 Inventory"),
        ({"creationTimestamp": 10**18}, "creationTimestamp is no moment"),
    ],
)
@pytest.mark.asyncio
async def test_a_report_of_something_else_is_refused(
    bucket: ReportingBucket, store: StateStore, fields: dict[str, Any], message: str
) -> None:
    await store.set("k", b"v")
    address = await bucket.keep((await written(bucket)).changed(**fields))
    bucket.requests.clear()
    for call in (store.sweep(report=address), inventory(store, report=address)):
        with pytest.raises(errors.InvalidReport, match=message):
            await call
    assert bucket.operations == []


def packed(*rows: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return gzip.compress(text.getvalue().encode())


ROW = [BUCKET, "p/shared/keys/k", "3", "2026-11-27T00:00:00.000Z", "e", "STANDARD"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (packed([*ROW[:2], "many", *ROW[3:]]), "row 1: column 'size' has no size: 'many'"),
        (packed(ROW, ["another", *ROW[1:]]), "row 2: it is about bucket 'another'"),
        (packed(ROW)[:-9], "behind row 1"),
        (packed(ROW) + b"\x1f\x8bno", "behind row 1"),
        (b"\x1f\x8b\x08 not gzip", "behind row 0"),
        (b"\xff\xfe" + b",".join([b"x"] * 6), "behind row 0"),
        (b'"b","p/' + b"k" * 200_000 + b'"', "behind row 0"),
        (b'"b","p/unclosed', "behind row 0"),
        (packed(ROW[:4]), "row 1 has 4 columns instead of 6"),
    ],
    ids=[
        "a size that is none",
        "a row of another bucket",
        "gzip that is cut short",
        "gzip with something behind it",
        "something that begins as gzip does",
        "bytes that are no text",
        "a value that is too long",
        "a quote that is not closed",
        "a row that is too short",
    ],
)
@pytest.mark.asyncio
async def test_a_damaged_file_is_named(
    bucket: ReportingBucket, store: StateStore, body: bytes, message: str
) -> None:
    found = await written(bucket, files=1)
    address = await bucket.keep(replaced(found, found.files[0], body))
    with pytest.raises(errors.InvalidReport, match=message) as caught:
        await store.sweep(report=address)
    assert caught.value.object_name == found.files[0]


@pytest.mark.asyncio
async def test_a_file_that_its_manifest_does_not_fit_is_not_read(
    bucket: ReportingBucket, store: StateStore, clock: Clock
) -> None:
    for at in range(20):
        await store.set(f"k{at}", b"v", MINUTE)
    clock.advance(3600)
    found = await written(bucket, files=1)
    (name,) = found.files
    body = found.objects[name]
    bucket.requests.clear()
    for other, message in (
        (body[:-1], "cut short"),
        (body[:-1] + b"x", "does not have the MD5"),
    ):
        address = await bucket.keep(Written(found.manifest, found.objects | {name: other}))
        with pytest.raises(errors.InvalidReport, match=message) as caught:
            await store.sweep(report=address)
        assert caught.value.object_name == name
    await bucket.others["inventories"].inner.delete(name)
    with pytest.raises(errors.InvalidReport, match="not in the bucket 'inventories'"):
        await store.sweep(report=address)
    await bucket.others["inventories"].inner.delete(found.manifest)
    with pytest.raises(errors.InvalidReport, match="manifest is not in the bucket"):
        await store.sweep(report=address)
    assert bucket.operations == []


@pytest.mark.asyncio
async def test_what_one_file_has_is_done_when_the_next_is_damaged(
    bucket: ReportingBucket, store: StateStore, clock: Clock
) -> None:
    for at in range(10):
        await store.set(f"k{at}", b"v", MINUTE)
    clock.advance(3600)
    found = await written(bucket, files=2)
    address = await bucket.keep(replaced(found, found.files[1], b"no"))
    with pytest.raises(errors.SweepIncomplete, match="1 failures") as caught:
        await store.sweep(report=address)
    assert list(caught.value.failures) == [found.files[1]]
    assert (caught.value.report.removed, caught.value.report.as_of) == (5, TAKEN)


@pytest.mark.asyncio
async def test_a_file_in_another_folder_than_the_manifest_says_is_refused(
    bucket: ReportingBucket, store: StateStore
) -> None:
    found = await written(bucket, files=1)
    files = json.loads(found.objects[found.manifest])["files"]
    address = await bucket.keep(found.changed(files=[files[0] | {"key": "../secret/f.csv.gz"}]))
    with pytest.raises(errors.InvalidReport, match=r"'\.' or '\.\.' in its path"):
        await inventory(store, report=address)


@pytest.mark.parametrize(
    "address",
    ["", "scripted://inventories", "s3://inventories/m.json", "scripted://i/m.json?sig=SECRET"],
)
@pytest.mark.asyncio
async def test_an_address_of_no_manifest_is_refused(store: StateStore, address: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        await store.sweep(report=address)
    assert "SECRET" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_damaged_parquet_file_is_named(bucket: ReportingBucket, store: StateStore) -> None:
    pytest.importorskip("pyarrow")
    await store.set("k", b"v")
    found = await written(bucket, files=1, form="Parquet")
    (name,) = found.files
    for body, message in (
        (found.objects[name][:-40], "behind row 0"),
        (b"PAR1", "behind row 0"),
        (
            (await written(bucket, files=1, form="Parquet", fields=())).objects[name],
            "column 'Size'",
        ),
    ):
        address = await bucket.keep(replaced(found, name, body))
        with pytest.raises(errors.InvalidReport, match=message) as caught:
            await store.sweep(report=address)
        assert caught.value.object_name == name

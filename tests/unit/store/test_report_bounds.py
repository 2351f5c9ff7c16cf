"""The limits of a report, and that its rows are also counted in parts."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import errors
from statebucket.admin import inventory
from statebucket.contract.versions import Version
from statebucket.port.bucket import ObjectInfo
from statebucket.port.inventory_reports import ReportFile
from statebucket.store.report_files import MAX_MANIFEST
from statebucket.store.report_rows import MAX_ROW, ReportRows
from statebucket_s3.reports import read
from support.inventory_writer import Written, listed, s3_report
from support.reporting_bucket import BUCKET, ReportingBucket
from support.scripted_bucket import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statebucket import StateStore

pytestmark = [pytest.mark.usefixtures("_scripted"), pytest.mark.asyncio]

KEY = "p/shared/keys/k"
FIELDS = {"fileSchema": "Bucket, Key, Size, More"}


@pytest.fixture
def bucket() -> ReportingBucket:
    return ReportingBucket()


@pytest.fixture
def store(bucket: ReportingBucket) -> StateStore:
    return opened(bucket)


def with_body(body: bytes, **fields: Any) -> Written:
    """A report of one file that has these bytes."""
    written = s3_report(BUCKET, [], files=1)
    (name,) = written.files
    file = {"key": name, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}
    found = Written(written.manifest, written.objects | {name: body})
    return found.changed(files=[file], **fields)


def text_of(*rows: list[str], end: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue()


async def test_a_manifest_that_is_too_large_is_not_read(
    bucket: ReportingBucket, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = s3_report(BUCKET, [], files=1)
    size = len(written.objects[written.manifest])
    address = await bucket.keep(written)
    beside = bucket.others["inventories"]
    for most, operations in ((size, 4), (size - 1, 1)):
        monkeypatch.setattr("statebucket.store.report_files.MAX_MANIFEST", most)
        beside.requests.clear()
        if most == size:
            await inventory(store, report=address)
        else:
            with pytest.raises(errors.InvalidReport, match=f"{size} bytes, and at most {most}"):
                await inventory(store, report=address)
        assert len(beside.operations) == operations
    assert beside.operations == ["head"]


async def test_a_file_of_this_machine_that_is_no_manifest_is_not_read(
    store: StateStore, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    with path.open("wb") as made:
        made.truncate(MAX_MANIFEST + 1)  # it takes no room
    tracemalloc.start()
    try:
        with pytest.raises(errors.InvalidReport, match="67,108,865 bytes, and at most 67,108,864"):
            await inventory(store, report=str(path))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


async def test_a_manifest_is_read_in_pieces_and_must_not_be_replaced(
    bucket: ReportingBucket, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statebucket.store.report_files._PIECE", 256)
    written = s3_report(BUCKET, [], files=1)
    address = await bucket.keep(written)
    beside = bucket.others["inventories"]

    async def replace(send: Callable[[], Any]) -> Any:
        answer = await send()
        await bucket.keep(written)
        return answer

    beside.script.append(replace)
    with pytest.raises(errors.InvalidReport, match="manifest was replaced while it was read"):
        await inventory(store, report=address)
    assert (await inventory(store, report=address)).listed == 0


async def test_a_manifest_that_names_a_file_twice_is_refused(
    bucket: ReportingBucket, store: StateStore
) -> None:
    await store.set("k", b"v")
    written = s3_report(BUCKET, await listed(bucket.inner), files=1)
    files = json.loads(written.objects[written.manifest])["files"]
    address = await bucket.keep(written.changed(files=files * 2))
    with pytest.raises(errors.InvalidReport, match="names a file of the report twice"):
        await inventory(store, report=address)


@pytest.mark.parametrize(
    ("start", "more", "times", "row"),
    [
        (b"", b"x", 32 << 20, 0),
        (text_of([BUCKET, KEY, "3", "e"]).encode(), b",", 32 << 20, 1),
        (b"", b'"a\n",', 1 << 20, 0),
        (b"", b"x", MAX_ROW + 1, 0),
    ],
    ids=["no line has an end", "one has none", "no row has an end", "a row is just too long"],
)
async def test_a_row_without_an_end_is_refused_before_it_is_in_memory(
    bucket: ReportingBucket, store: StateStore, start: bytes, more: bytes, times: int, row: int
) -> None:
    written = with_body(gzip.compress(start + more * times, 1), **FIELDS)
    address = await bucket.keep(written)
    tracemalloc.start()
    try:
        with pytest.raises(errors.InvalidReport, match=f"behind row {row}: a row has more") as told:
            await inventory(store, report=address)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert told.value.object_name == written.files[0]
    assert f"{MAX_ROW:,} characters" in str(told.value)


async def test_the_longest_row_that_a_service_writes_is_read(
    bucket: ReportingBucket, store: StateStore
) -> None:
    name = KEY + "%C3%A9" * 500
    rows = [[BUCKET, name, "3", "x" * 120_000]] * 3
    address = await bucket.keep(with_body(text_of(*rows).encode(), **FIELDS))
    assert (await inventory(store, report=address)).listed == 3


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
async def test_a_file_is_read_with_any_line_ends_and_a_byte_order_mark(
    bucket: ReportingBucket, store: StateStore, end: str, mark: str
) -> None:
    rows = [[BUCKET, f"{KEY}{at}", "3", ""] for at in range(3)]
    body = (mark + text_of(*rows, end=end)).encode()
    for packed in (body, gzip.compress(body)):
        address = await bucket.keep(with_body(packed, **FIELDS))
        assert (await inventory(store, report=address)).shared.keys == 3


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
async def test_names_of_others_are_read_as_the_service_writes_them(form: str) -> None:
    if form == "Parquet":
        pytest.importorskip("pyarrow")
    names = ["p/a b+c", "p/100%", "p/é~"]
    infos = [ObjectInfo(name, Version("v"), 3, {}) for name in names]
    written = s3_report(BUCKET, infos, files=1, form=form)
    (file,) = written.files
    assert (b"p/a+b%2Bc" in gzip.decompress(written.objects[file])) if form == "CSV" else True
    report = read(BUCKET, written.objects[written.manifest])
    rows = ReportRows(report, ReportFile(file), io.BytesIO(written.objects[file]))
    assert [one.name for page in rows.pages() for one in page] == names


async def test_the_rows_of_all_parts_are_those_of_the_manifest(
    bucket: ReportingBucket, store: StateStore
) -> None:
    for at in range(12):
        await store.set(f"k{at}", b"v")
    written = s3_report(BUCKET, await listed(bucket.inner), files=5)
    address = await bucket.keep(written)
    parts = await store.partitions(3, report=address)
    bucket.rows = 12
    for _ in range(2):
        counted = await asyncio.gather(*[inventory(store, partition=one) for one in parts])
        assert sum(one.listed for one in counted) == 12
    bucket.rows = 13
    message = "have 12 rows, and 13 by the manifest"
    for order in (parts, parts[::-1]):
        *first, last = order
        for one in (*first, *first):  # a part that runs twice counts once
            await inventory(store, partition=one)
        with pytest.raises(errors.InvalidReport, match=message):
            await inventory(store, partition=last)
    for one in parts[1:]:
        assert (await store.sweep(partition=one)).scanned
    with pytest.raises(errors.SweepIncomplete, match=message):
        await store.sweep(partition=parts[0])
    with pytest.raises(errors.InvalidReport, match=message):
        await inventory(store, report=address)


async def test_a_row_group_of_parquet_is_not_in_memory_as_a_whole(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    number = 100_000
    table = pa.table(
        {
            "bucket": [BUCKET] * number,
            "key": [f"p/tenants/acme/keys/{at:0200}" for at in range(number)],
            "size": [3] * number,
        }
    )
    path = tmp_path / "f.parquet"
    how: dict[str, Any] = {"use_dictionary": False, "compression": "none"}
    parquet.write_table(table, path, row_group_size=number, **how)
    written = s3_report(BUCKET, [ObjectInfo(KEY, Version("v"), 3, {})], files=1, form="Parquet")
    report = read(BUCKET, written.objects[written.manifest])
    assert path.stat().st_size > 20 << 20
    tracemalloc.start()  # bytes that are read are Python's
    try:
        with path.open("rb") as body:
            rows = ReportRows(report, ReportFile("f"), body)
            assert sum(map(len, rows.pages())) == number
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("size", ["3"], None),
        ("size", [3.0], "column 'size' has no size: 3.0"),
        ("size", [None], "column 'size' has no size: None"),
        ("key", [None], "column 'key' has no text"),
        ("key", [{"a": 1}], "column 'key' has no text"),
        ("is_latest", ["perhaps"], "says neither true nor false"),
        ("is_latest", [None], None),
        ("last_modified_date", [1], None),
    ],
)
async def test_a_column_of_another_type_is_read_where_it_says_enough(
    column: str, values: list[object], message: str | None
) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    columns = {"bucket": [BUCKET], "key": [KEY], "size": [3], column: values}
    body = io.BytesIO()
    parquet.write_table(pa.table(columns), body)
    written = s3_report(BUCKET, [], files=1, form="Parquet")
    report = read(BUCKET, written.objects[written.manifest])
    rows = ReportRows(report, ReportFile("f"), body)
    if message is None:
        assert [[(one.name, one.size) for one in page] for page in rows.pages()] == [[(KEY, 3)]]
    else:
        with pytest.raises(errors.InvalidReport, match=message):
            list(rows.pages())


async def test_an_older_version_is_told_by_two_columns_alone() -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    columns = {"bucket": [BUCKET], "key": [KEY], "size": [3], "version_id": ["v1"]}
    written = s3_report(BUCKET, [], files=1, form="Parquet")
    report = read(BUCKET, written.objects[written.manifest])
    for more, missing in (({}, "IsLatest"), ({"is_latest": [True]}, "IsDeleteMarker")):
        body = io.BytesIO()
        parquet.write_table(pa.table(columns | more), body)
        with pytest.raises(errors.InvalidReport, match=f"'VersionId' but no column '{missing}'"):
            list(ReportRows(report, ReportFile("f"), body).pages())

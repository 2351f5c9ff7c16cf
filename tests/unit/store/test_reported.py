"""What an inventory report is used for, and what it costs."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statebucket import errors, open_store
from statebucket.admin import copy, inventory
from statebucket.contract.versions import Version
from statebucket.port.bucket import BYTES, ObjectInfo, Write
from statebucket.testing import Clock
from support.inventory_writer import TAKEN, Written, listed, s3_report
from support.reporting_bucket import BUCKET, ReportingBucket
from support.scripted_bucket import fail, opened
from support.selection import examples

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


async def report(bucket: ReportingBucket, **how: Any) -> str:
    return await bucket.keep(await written(bucket, **how))


@pytest.mark.asyncio
async def test_a_sweep_looks_at_each_object_and_lists_nothing(
    bucket: ReportingBucket, store: StateStore, clock: Clock
) -> None:
    for at in range(3):
        await store.tenant("acme").set(f"k{at}", b"v", MINUTE)
    await store.tenant("acme").set("k9", b"v")
    address = await report(bucket, files=1)
    clock.advance(3600)
    bucket.requests.clear()
    done = await store.sweep(report=address)
    assert (done.scanned, done.expired, done.removed, done.as_of) == (4, 3, 3, TAKEN)
    assert sorted(bucket.operations) == ["delete"] * 3 + ["head"] * 4
    beside = bucket.others["inventories"]
    assert beside.operations == ["head", "get_range", "head", "get_range"]
    assert beside.closed == 1


@pytest.mark.asyncio
async def test_an_object_that_is_replaced_between_the_look_and_the_removal_stays(
    bucket: ReportingBucket, store: StateStore, clock: Clock
) -> None:
    acme = store.tenant("acme")
    await acme.set("k", b"old", MINUTE)
    address = await report(bucket, files=1)
    clock.advance(3600)

    async def replace(send: Any) -> Any:
        found = await send()
        write = Write("p/tenants/acme/keys/k", b"new", BYTES, {}, None)
        await bucket.inner.put(write, None)
        return found

    bucket.script.append(replace)
    done = await store.sweep(report=address)
    assert (done.removed, done.raced) == (0, 1)
    found = await bucket.inner.get("p/tenants/acme/keys/k")
    assert found is not None
    assert found.body == b"new"


@pytest.mark.asyncio
async def test_records_are_repaired_for_snapshots_that_are_still_there(
    bucket: ReportingBucket, store: StateStore, clock: Clock
) -> None:
    acme = store.tenant("acme")
    for at in range(3):
        await acme.save_snapshot(acme.snapshot(f"e{at}"))
    address = await report(bucket, files=1)
    await bucket.inner.delete("p/owners/e0/acme")
    for area in ("owners/e1/acme", "tenants/acme/snapshots/e1"):
        await bucket.inner.delete(f"p/{area}")
    await bucket.inner.delete("p/tenants/acme/snapshots/e2")
    clock.advance(3600)
    done = await store.sweep(report=address)
    assert (done.repaired, done.owners) == (1, 1)
    assert await bucket.inner.head("p/owners/e0/acme") is not None
    assert await bucket.inner.head("p/owners/e1/acme") is None
    assert await bucket.inner.head("p/owners/e2/acme") is None


class SlowToDelete(ReportingBucket):
    """A service that takes a moment to delete an object: others get on meanwhile."""

    async def delete(self, name: str, condition: Version | None = None) -> bool | None:
        await asyncio.sleep(0.01)
        return await super().delete(name, condition)


@pytest.mark.asyncio
async def test_a_record_goes_in_the_same_sweep_as_the_last_that_it_leads_to(clock: Clock) -> None:
    bucket = SlowToDelete()
    store = opened(bucket, clock=clock)
    acme = store.tenant("acme")
    await acme.save_snapshot(acme.snapshot("e1"), ttl=MINUTE)
    await acme.set("exec:e1:k", b"v", ttl=MINUTE)
    address = await report(bucket, files=1)  # which names the record first
    clock.advance(3600)
    told: list[Any] = []
    done = await store.sweep(report=address, progress=told.append)
    assert (done.removed, done.owners) == (2, 1)
    assert told[-1] == done
    assert bucket.inner._objects == {}


@pytest.mark.asyncio
async def test_an_error_of_progress_ends_a_sweep_by_a_report_as_it_is(
    bucket: ReportingBucket, store: StateStore
) -> None:
    theirs = errors.LeaseLost("of the caller's own")

    def fails(_: object) -> None:
        raise theirs

    await store.set("k", b"v")
    address = await report(bucket)
    with pytest.raises(errors.LeaseLost) as caught:
        await store.sweep(report=address, progress=fails)
    assert caught.value is theirs


@pytest.mark.asyncio
async def test_orphans_are_not_told_by_a_report(bucket: ReportingBucket, store: StateStore) -> None:
    await store.tenant("acme").set("exec:e1:k", b"v")
    address = await report(bucket)
    with pytest.raises(errors.InvalidArgument, match="without a report"):
        await store.sweep(report=address, orphans=True)
    assert (await store.sweep(report=address)).orphans == 0
    assert bucket.others["inventories"].closed == 1


@pytest.mark.asyncio
async def test_only_the_objects_of_the_store_and_the_tenant_are_looked_at(
    bucket: ReportingBucket, store: StateStore
) -> None:
    for tenant in ("acme", "b"):
        await store.tenant(tenant).set("k", b"v")
    acme = store.tenant("acme")
    await acme.save_snapshot(acme.snapshot("e1"))
    for name in ("other/tenants/acme/keys/k", "p/tenantsx", "p", "p/tenants/acme/odd name"):
        await bucket.inner.put(Write(name, b"v", BYTES, {}, None), None)
    address = await report(bucket)
    assert (await store.sweep(report=address)).scanned == 5
    assert (await store.sweep(report=address, tenant="b")).scanned == 1
    assert (await store.tenant("b").sweep(report=address)).scanned == 1
    held = await inventory(store, report=address)
    assert (held.listed, held.foreign, held.owners) == (5, 1, 1)
    assert sorted(held.tenants) == ["acme", "b"]
    with pytest.raises(errors.TenantMismatch):
        await store.tenant("b").sweep(report=address, tenant="acme")


@pytest.mark.asyncio
async def test_names_are_read_that_are_written_otherwise_in_csv(bucket: ReportingBucket) -> None:
    store = open_store("scripted://host/day=1+2/~a", bucket=bucket)
    await store.tenant("acme").set("k é", b"v")
    assert (await inventory(store, report=await report(bucket))).tenants["acme"].keys == 1


@pytest.mark.asyncio
async def test_a_file_that_is_replaced_while_it_is_read_is_refused(
    bucket: ReportingBucket, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statebucket.store.report_files._PIECE", 64)
    for at in range(20):
        await store.set(f"k{at}", b"v")
    found = await written(bucket, files=1)
    address = await bucket.keep(found)
    beside = bucket.others["inventories"]

    async def replace(send: Any) -> Any:
        answer = await send()
        write = Write(found.files[0], found.objects[found.files[0]], BYTES, {}, None)
        await beside.inner.put(write, None)
        return answer

    beside.script.extend([*[_through] * (2 + pieces_of(found, found.manifest)), replace])
    with pytest.raises(errors.InvalidReport, match="replaced while it was read"):
        await store.sweep(report=address)
    beside.requests.clear()
    await inventory(store, report=address)
    assert beside.operations == [
        *["head", *["get_range"] * pieces_of(found, found.manifest)],
        *["head", *["get_range"] * pieces_of(found, found.files[0])],
    ]


def pieces_of(found: Written, name: str) -> int:
    """How many requests a file takes, at 64 bytes each."""
    return -(-len(found.objects[name]) // 64)


async def _through(send: Any) -> Any:
    return await send()


@pytest.mark.asyncio
async def test_pieces_are_fetched_again_as_any_request_is(
    bucket: ReportingBucket, store: StateStore
) -> None:
    await store.set("k", b"v")
    address = await report(bucket, files=1)
    beside = bucket.others["inventories"]
    beside.script.extend([fail(errors.Throttled), *[_through] * 3, fail()])
    assert (await inventory(store, report=address)).listed == 1
    assert beside.operations == ["head", "head", "get_range", "head", "get_range", "get_range"]


@pytest.mark.asyncio
async def test_without_room_for_a_file_the_error_says_where(
    bucket: ReportingBucket, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await report(bucket, files=1)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(errors.InvalidReport, match="set TMPDIR"):
        await inventory(store, report=address)


@pytest.mark.asyncio
async def test_requests_for_a_report_are_the_store_s(
    bucket: ReportingBucket, store: StateStore
) -> None:
    address = await report(bucket, files=1)
    await inventory(store, report=address)
    assert store.stats().requests == 4
    bucket.others["inventories"].script.append(fail(errors.BucketNotFound))
    with pytest.raises(errors.BucketNotFound, match="bucket 'inventories'"):
        await inventory(store, report=address)


@pytest.mark.asyncio
async def test_parts_of_a_report_are_for_sweeps_and_inventories_of_that_report(
    bucket: ReportingBucket, store: StateStore
) -> None:
    await store.tenant("acme").set("k", b"v")
    address = await report(bucket)
    (first, _) = await store.partitions(2, report=address)
    assert type(first).from_dict(first.to_dict()) == first
    with pytest.raises(errors.InvalidArgument, match="for sweep and inventory"):
        await store.delete_tenant("acme", partition=first)
    with pytest.raises(errors.InvalidArgument, match="for sweep and inventory"):
        await copy(store, open_store("memory://"), partition=first)
    (part,) = await store.partitions(1)
    for other in (part, msgspec.structs.replace(first, report="scripted://x/y")):
        with pytest.raises(errors.InvalidArgument, match="of the same report"):
            await store.sweep(report=address, partition=other)
    with pytest.raises(errors.InvalidArgument, match="neither start nor end"):
        msgspec.structs.replace(first, end="shared/k").__post_init__()
    of_tenant = await store.partitions(9, report=address, tenant="b")
    assert [(await store.sweep(partition=one)).scanned for one in of_tenant] == [0, 0]


@pytest.mark.asyncio
async def test_a_service_without_reports_says_so() -> None:
    store = open_store("memory://")
    for call in (store.sweep(report="m.json"), store.partitions(2, report="m.json")):
        with pytest.raises(errors.InvalidArgument, match="memory writes no inventory reports"):
            await call
    with pytest.raises(errors.InvalidReport, match="cannot be read"):
        await opened(ReportingBucket()).sweep(report="nowhere/m.json")


@pytest.mark.asyncio
async def test_parquet_without_its_library_names_the_extra(
    bucket: ReportingBucket, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await written(bucket, files=1)
    address = await bucket.keep(found.changed(fileFormat="Parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.AdapterNotInstalled, match=r"pip install 'statebucket\[parquet\]'"):
        await store.sweep(report=address)


IDS = st.text("ab-.~/ é", min_size=1, max_size=5)
KEYS = st.tuples(st.sampled_from([None, "acme", "b-"]), st.none() | IDS, IDS)


@settings(
    max_examples=examples(15, 100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    keys=st.lists(KEYS, max_size=12),
    files=st.integers(1, 4),
    form=st.sampled_from(["CSV", "Parquet"]),
    versions=st.booleans(),
    n=st.integers(1, 5),
)
def test_an_inventory_by_a_report_is_that_of_a_listing(
    keys: list[tuple[str | None, str | None, str]],
    files: int,
    form: str,
    n: int,
    *,
    versions: bool,
) -> None:
    if form == "Parquet":
        pytest.importorskip("pyarrow")

    async def work() -> None:
        bucket = ReportingBucket()
        store = opened(bucket)
        for tenant, execution, key in keys:
            view = store if tenant is None else store.tenant(tenant)
            if execution is None:
                await view.set(key, b"v")
            else:
                await view.execution(execution).set(key, b"value")
        address = await report(bucket, files=files, form=form, versions=versions)
        by_listing = await inventory(store)
        parts = await store.partitions(n, report=address)
        found = [await inventory(store, partition=part) for part in parts]
        total = sum(found[1:], found[0])
        assert total == await inventory(store, report=address)
        assert msgspec.structs.replace(total, as_of=None) == by_listing

    asyncio.run(work())


@pytest.mark.slow
@pytest.mark.parametrize("form", ["CSV", "Parquet"])
@pytest.mark.asyncio
async def test_memory_does_not_grow_with_a_report(
    bucket: ReportingBucket, store: StateStore, form: str
) -> None:
    if form == "Parquet":
        pytest.importorskip("pyarrow")

    async def peak(number: int) -> int:
        infos = [
            ObjectInfo(f"p/tenants/acme/keys/k{at:07}", Version("v"), 10, {})
            for at in range(number)
        ]
        address = await bucket.keep(s3_report(BUCKET, infos, files=1, form=form))
        del infos
        tracemalloc.start()
        try:
            assert (await inventory(store, report=address)).listed == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await peak(10)  # what is loaded once
    assert await peak(16_000) < 3 * await peak(2_000) + (1 << 20)


@pytest.mark.asyncio
async def test_others_get_on_while_a_report_is_read(
    bucket: ReportingBucket, store: StateStore
) -> None:
    infos = [ObjectInfo(f"elsewhere/{at}", Version("v"), 10, {}) for at in range(20_000)]
    address = await bucket.keep(s3_report(BUCKET, infos, files=1))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    running = asyncio.create_task(others())
    await inventory(store, report=address)
    running.cancel()
    assert turns >= 20

"""What a copy does with what cannot be copied, and which arguments it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from cli.conftest import snapshot
from statebucket import Version, errors, open_store
from statebucket.admin import CopyReport
from statebucket.admin import copy as copy_store
from statebucket.store.layout import Layout
from unit.admin.conftest import copy

pytestmark = pytest.mark.asyncio


async def test_each_tenants_snapshot_waits_for_the_keys_without_a_tenant(stores: Any) -> None:
    source, target = stores
    for tenant in ("acme", "globex"):
        await source.save_snapshot(snapshot("e1", tenant))
    await source.set("exec:e1:k", b"1")
    put = target.context.objects.bucket.put

    async def refusing(write: Any, condition: Any) -> Any:
        if write.name == "shared/executions/e1/k":
            raise errors.RequestRejected("not this one")
        return await put(write, condition)

    target.context.objects.bucket.put = refusing
    report = await copy_store(source, target)
    assert (report.seen, report.copied, report.failed) == (3, 0, 3)
    target.context.objects.bucket.put = put
    assert (await copy_store(source, target)).copied == 3


@pytest.mark.parametrize("tenants", [5, {"acme": 1}.values, "acme"])
async def test_what_is_no_list_of_tenants_is_refused(stores: Any, tenants: Any) -> None:
    source, target = stores
    with pytest.raises(errors.InvalidArgument, match="tenants"):
        await copy_store(source, target, tenants=tenants)
    wrong: Any
    for wrong in ([5], [None], b"acme"):
        with pytest.raises(errors.InvalidKey, match="tenant id must be a string"):
            await copy_store(source, target, tenants=wrong)


async def test_what_is_damaged_on_the_way_is_found(stores: Any) -> None:
    source, target = stores
    await source.tenant("acme").set("k", b"right")
    put = target.context.objects.bucket.put

    async def damaged(write: Any, condition: Any) -> Any:
        import msgspec  # noqa: PLC0415

        return await put(msgspec.structs.replace(write, body=b"wrong"), condition)

    target.context.objects.bucket.put = damaged
    report = await copy(source, target)
    assert (report.copied, report.failed) == (0, 1)
    assert "differs from what was written" in next(iter(report.failures.values()))


async def test_the_snapshot_waits_for_its_keys(stores: Any) -> None:
    source, target = stores
    acme = source.tenant("acme")
    await acme.save_snapshot(snapshot("e1"))
    await acme.set("exec:e1:k", b"1")
    source.context.objects.bucket._objects["tenants/acme/executions/e1/k"].info.metadata["tail"] = (
        "99"
    )
    report = await copy(source, target)
    assert (report.seen, report.failed, len(report.failures)) == (2, 2, 1)
    assert await target.load_snapshot("e1") is None


async def test_a_store_that_fails_ends_the_copy(stores: Any) -> None:
    source, target = stores
    await source.tenant("acme").set("k", b"1")

    async def denied(*_: Any) -> Version:
        raise errors.AccessDenied("no")

    target.context.objects.bucket.put = denied
    with pytest.raises(errors.AccessDenied) as caught:
        await copy(source, target)
    assert caught.value.report is None


async def test_an_object_that_fails_each_time_holds_back_no_other(stores: Any) -> None:
    source, target = stores
    source, target = source.with_deadline(0.2), target.with_deadline(0.2)
    for number in range(12):
        await source.tenant("acme").set(f"k{number}", b"1")
    get = source.context.objects.bucket.get

    async def losing(name: str) -> Any:
        if name.endswith("/k5"):
            raise errors.Unavailable("its drives are lost")
        return await get(name)

    source.context.objects.bucket.get = losing
    report = await copy(source, target)
    assert (report.copied, report.failed) == (11, 1)
    assert list(report.failures) == ["tenants/acme/keys/k5"]


@pytest.mark.parametrize("good", [0, 3])
async def test_a_service_that_is_lost_ends_the_copy(stores: Any, good: int) -> None:
    source, target = stores
    source, target = source.with_deadline(0.2), target.with_deadline(0.2)
    for number in range(40):
        await source.tenant("acme").set(f"k{number}", b"1")
    put = target.context.objects.bucket.put
    done = 0

    async def lost(write: Any, condition: Any) -> Version:
        nonlocal done
        if done == good:
            raise errors.Unavailable("gone")
        done += 1
        version: Version = await put(write, condition)
        return version

    target.context.objects.bucket.put = lost
    with pytest.raises(errors.Unavailable, match="gone"):
        await copy(source, target)


async def test_a_destination_without_space_ends_the_copy(stores: Any) -> None:
    source, target = stores
    for at in range(100):
        await source.tenant("acme").set(f"k{at}", b"v")
    put, tried = target.context.objects.bucket.put, 0

    async def full(write: Any, condition: Any) -> Any:
        nonlocal tried
        tried += 1
        if tried > 10:
            raise errors.OutOfSpace("no space is left")
        return await put(write, condition)

    target.context.objects.bucket.put = full
    with pytest.raises(errors.OutOfSpace, match="no space is left") as caught:
        await copy(source, target)
    assert (caught.value.report.copied, caught.value.report.total) == (10, 100)
    assert tried < 50  # what was under way
    target.context.objects.bucket.put = put
    report = await copy(source, target)
    assert (report.copied, report.same) == (90, 10)


async def test_one_execution_that_fails_holds_back_no_other(stores: Any) -> None:
    source, target = stores
    for number in range(20):
        await source.save_snapshot(snapshot(f"e{number}"))
        for key in "abc":
            await source.tenant("acme").set(f"exec:e{number}:{key}", b"1")
    put = target.context.objects.bucket.put

    async def refusing(write: Any, condition: Any) -> Any:
        if write.name == "tenants/acme/snapshots/e7":
            raise errors.RequestRejected("not this one")
        return await put(write, condition)

    target.context.objects.bucket.put = refusing
    report = await copy(source, target)
    assert (report.seen, report.copied, report.failed) == (80, 79, 1)
    assert list(report.failures) == ["tenants/acme/snapshots/e7"]


@pytest.mark.parametrize("malformed", ["source", "target"])
async def test_a_snapshot_that_cannot_be_read_is_one_failure(stores: Any, malformed: str) -> None:
    source, target = stores
    for store in stores:
        await store.save_snapshot(snapshot("bad", number=5))
    for execution in ("bad", "good"):
        await source.tenant("acme").set(f"exec:{execution}:k", b"1")
    await source.save_snapshot(snapshot("good"))
    bucket = (source if malformed == "source" else target).context.objects.bucket
    bucket._objects["tenants/acme/snapshots/bad"].info.metadata["tail"] = "9999"
    report = await copy(source, target)
    assert (report.seen, report.copied, report.failed) == (4, 2, 2)
    assert list(report.failures) == ["tenants/acme/snapshots/bad"]
    assert not await target.tenant("acme").exists("exec:bad:k")
    assert await target.load_snapshot("good") is not None


async def test_a_name_too_long_for_the_destination_is_one_failure(stores: Any) -> None:
    source, target = stores
    target.context = target.context.but(layout=Layout("p" * 100))
    long = "x" * 950
    for execution in (long, "good"):
        await source.save_snapshot(snapshot(execution))
        await source.tenant("acme").set(f"exec:{execution}:k", b"1")
    report = await copy(source, target)
    assert (report.seen, report.copied, report.failed) == (4, 2, 2)
    assert list(report.failures) == [f"tenants/acme/snapshots/{long}"]
    assert "InvalidKey" in next(iter(report.failures.values()))


async def test_keys_without_a_tenant_are_failures_where_there_can_be_none(stores: Any) -> None:
    source, _ = stores
    target = open_store("memory://?owner_index=false")
    await source.set("banner", b"hello")
    report = await copy_store(source, target)
    assert (report.ok, report.failed) == (False, 1)
    assert "owner_index=false" in report.failures["shared/keys/banner"]


async def test_what_progress_raises_ends_the_copy_and_another_finishes_it(stores: Any) -> None:
    source, target = stores
    for number in range(30):
        await source.tenant("acme").set(f"k{number}", b"1")

    def stop(report: CopyReport) -> None:
        if report.copied == 10:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await copy_store(source, target, progress=stop)
    report = await copy_store(source, target)
    assert report.same >= 10
    assert report.same + report.copied == 30


async def test_a_tenant_with_nothing_is_missing_and_nothing_is_copied(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"))
    report = await copy_store(source, target, tenants=["acme", "amce"])
    assert (report.ok, report.missing, report.seen) == (False, ("amce",), 0)
    assert [tenant async for tenant in target.iter_tenants()] == []


async def test_a_string_for_the_tenants_says_what_to_write(stores: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"write tenants=\['acme'\]"):
        await copy_store(*stores, tenants="acme")


@pytest.mark.parametrize("bound", [0, 1])
async def test_a_view_is_not_copied(stores: Any, bound: int) -> None:
    pair = list(stores)
    pair[bound] = pair[bound].tenant("acme")
    with pytest.raises(errors.UnsupportedOperation, match="bound to no tenant"):
        await copy_store(*pair)


async def test_a_blocking_store_is_refused_by_name(stores: Any) -> None:
    from statebucket import sync  # noqa: PLC0415

    blocking: Any = sync.open_store("memory://")
    with pytest.raises(errors.InvalidArgument, match=r"asynchronous store.*BlockingStateStore"):
        await copy_store(stores[0], blocking)


async def test_a_url_is_to_be_opened_first(stores: Any) -> None:
    url: Any = "memory://"
    with pytest.raises(errors.InvalidArgument, match="open it first"):
        await copy_store(stores[0], url)

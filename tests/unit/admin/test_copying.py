"""What a copy keeps, and what it never does, between stores of every available kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cli.conftest import HOUR, snapshot
from statebucket import open_store
from statebucket.admin import CopyReport
from statebucket.admin import copy as copy_store
from statebucket.port.bucket import JSON
from statebucket.port.expiry import class_of
from support.targets.s3 import BUCKET
from unit.admin.conftest import copy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from statebucket.store.store import ObjectStateStore
    from support.servers import Server

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def all_kinds(moto: Server, folder: Path) -> AsyncIterator[list[ObjectStateStore]]:
    prefix = uuid4().hex
    s3 = f"s3://{BUCKET}/{prefix}?endpoint_url={moto.url}&region=us-east-1"
    async with open_store(s3) as one, open_store(f"sqlite:///{folder}/copy.db") as other:
        yield [one, other]


async def test_a_tenant_goes_to_s3_and_back_with_its_expiry(moto: Server, tmp_path: Path) -> None:
    async with all_kinds(moto, tmp_path) as (s3, sqlite):
        acme = sqlite.tenant("acme")
        await acme.save_snapshot(snapshot("e1", number=4), ttl=40 * HOUR)
        await acme.set("exec:e1:rows", b"\x00\xff binary", 5 * HOUR)
        await acme.set("settings", b"{}")
        assert (await copy(sqlite, s3)).copied == 3
        home = open_store("memory://")
        assert (await copy(s3, home)).copied == 3
        for key in ("exec:e1:rows", "settings"):
            first, last = await acme.get_stored(key), await home.tenant("acme").get_stored(key)
            assert first is not None
            assert last is not None
            assert (first.value, first.expires_at) == (last.value, last.expires_at)
        there, here = await sqlite.load_stored("e1"), await home.load_stored("e1")
        assert there is not None
        assert here is not None
        assert (there.value, there.expires_at) == (here.value, here.expires_at)


async def test_a_copy_on_s3_has_the_tag_that_its_remaining_time_needs(
    moto: Server, tmp_path: Path
) -> None:
    from support.targets.s3 import raw_client  # noqa: PLC0415

    async with all_kinds(moto, tmp_path) as (s3, sqlite):
        await sqlite.tenant("acme").set("k", b"v", 40 * HOUR)
        await copy(sqlite, s3)
        key = s3.context.layout.tenant("acme") + "keys/k"
        tags = raw_client(moto).get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        days = class_of(40 * 3_600_000)
        assert tags == [{"Key": "statebucket-ttl", "Value": str(days)}]


async def test_json_still_parses_behind_its_nonce(moto: Server, tmp_path: Path) -> None:
    import json  # noqa: PLC0415

    from support.targets.s3 import raw_client  # noqa: PLC0415

    async with all_kinds(moto, tmp_path) as (s3, sqlite):
        await sqlite.tenant("acme").set_json("k", [1, 2])
        await copy(sqlite, s3)
        key = s3.context.layout.tenant("acme") + "keys/k"
        found = raw_client(moto).get_object(Bucket=BUCKET, Key=key)
        assert json.loads(found["Body"].read()) == [1, 2]
        assert found["ContentType"] == JSON


async def test_running_it_again_writes_nothing(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"), ttl=HOUR)
    await source.tenant("acme").set("exec:e1:k", b"1")
    await copy(source, target)
    sent = target.stats().bytes_sent
    report = await copy(source, target)
    assert (report.copied, report.same) == (0, 2)
    assert target.stats().bytes_sent == sent


async def test_a_newer_snapshot_stays_and_so_do_its_keys(stores: Any) -> None:
    source, target = stores
    for store, number in ((source, 3), (target, 5)):
        await store.save_snapshot(snapshot("e1", number=number))
        await store.tenant("acme").set("exec:e1:k", str(number).encode())
    report = await copy(source, target)
    assert (report.copied, report.newer) == (0, 2)
    assert await target.tenant("acme").get("exec:e1:k") == b"5"
    assert (await target.load_snapshot("e1")).sequence_number == 5


async def test_an_older_snapshot_is_replaced_with_its_keys(stores: Any) -> None:
    source, target = stores
    for store, number in ((source, 5), (target, 3)):
        await store.save_snapshot(snapshot("e1", number=number))
        await store.tenant("acme").set("exec:e1:k", str(number).encode())
    assert (await copy(source, target)).copied == 2
    assert await target.tenant("acme").get("exec:e1:k") == b"5"
    assert (await target.load_snapshot("e1")).sequence_number == 5


async def test_a_snapshot_that_gets_newer_during_the_copy_stays(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1", number=3))
    put, raced = target.context.objects.bucket.put, False

    async def late(write: Any, condition: Any) -> Any:
        nonlocal raced
        if "snapshots/" in write.name and not raced:
            raced = True
            await target.save_snapshot(snapshot("e1", number=9))
        return await put(write, condition)

    target.context.objects.bucket.put = late
    report = await copy(source, target)
    assert (report.copied, report.newer) == (0, 1)
    assert (await target.load_snapshot("e1")).sequence_number == 9


@pytest.mark.parametrize("in_parts", [False, True])
async def test_a_snapshot_comes_with_its_keys_from_a_source_that_goes_on(
    stores: Any,
    in_parts: bool,  # noqa: FBT001
) -> None:
    source, target = stores
    acme = source.tenant("acme")

    async def step(number: int) -> None:
        await acme.set(f"exec:e1:k{number}", b"v")
        await acme.save_snapshot(snapshot("e1", number=number))

    async def copied() -> tuple[int, list[str]]:
        (part,) = await source.partitions(1)
        how = {"partition": part} if in_parts else {"tenants": ["acme"]}
        assert (await copy_store(source, target, **how)).ok
        found = await target.load_snapshot("e1")
        keys = target.tenant("acme").iter_keys("e1")
        return found.sequence_number, [key async for key in keys]

    await step(1)
    listing = source.context.objects.bucket.list

    async def then_goes_on(prefix: str, **how: Any) -> Any:
        page = await listing(prefix, **how)
        if prefix.endswith("executions/e1/"):
            source.context.objects.bucket.list = listing
            await step(2)
        return page

    source.context.objects.bucket.list = then_goes_on
    assert await copied() == (1, ["exec:e1:k1"])
    assert await copied() == (2, ["exec:e1:k1", "exec:e1:k2"])


async def test_a_differing_key_stays_unless_it_may_be_replaced(stores: Any) -> None:
    source, target = stores
    await source.tenant("acme").set("k", b"source")
    await target.tenant("acme").set("k", b"target")
    assert (await copy(source, target)).kept == 1
    assert await target.tenant("acme").get("k") == b"target"
    assert (await copy(source, target, replace_keys=True)).copied == 1
    assert await target.tenant("acme").get("k") == b"source"


async def test_a_dry_run_writes_nothing(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"))
    assert (await copy(source, target, dry_run=True)).copied == 1
    assert [tenant async for tenant in target.iter_tenants()] == []


async def test_the_copy_is_found_without_its_tenant(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"))
    await copy(source, target)
    fresh = open_store("memory://")
    fresh.context.objects.bucket = target.context.objects.bucket
    assert await fresh.load_snapshot("e1") is not None


async def test_another_tenants_execution_of_the_same_id_is_none_of_the_copys(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1", "acme"))
    await target.save_snapshot(snapshot("e1", "globex", 7))
    report = await copy(source, target)
    assert (report.ok, report.copied) == (True, 1)
    assert (await target.tenant("acme").load_snapshot("e1")).sequence_number == 1
    assert (await target.tenant("globex").load_snapshot("e1")).sequence_number == 7


async def test_keys_without_a_tenant_of_an_execution_that_others_have_by_now_stay(
    stores: Any,
) -> None:
    source, target = stores
    await source.set("exec:e1:k", b"source")
    for tenant in ("acme", "globex"):
        await target.save_snapshot(snapshot("e1", tenant))
    report = await copy_store(source, target)
    assert (report.ok, report.seen, report.newer) == (True, 1, 1)
    assert await target.get("exec:e1:k") is None
    await target.tenant("acme").delete_snapshot("e1")  # whose owner record stays
    assert (await copy_store(source, target)).newer == 1
    await target.tenant("globex").delete_snapshot("e1")
    assert (await copy_store(source, target)).copied == 1
    assert await target.get("exec:e1:k") == b"source"


async def test_keys_without_a_tenant_of_an_execution_that_several_have_are_copied_once(
    stores: Any,
) -> None:
    source, target = stores
    for tenant in ("acme", "globex"):
        await source.save_snapshot(snapshot("e1", tenant))
        await source.tenant(tenant).set("exec:e1:own", b"1")
    await source.set("exec:e1:k", b"1")
    report = await copy_store(source, target)
    assert (report.total, report.seen, report.copied, report.ok) == (5, 5, 5, True)
    report = await copy_store(source, target)
    assert (report.seen, report.same) == (5, 5)


@pytest.mark.parametrize("ahead", ["acme", "globex"])
async def test_keys_without_a_tenant_stay_where_any_tenants_snapshot_is_newer(
    stores: Any, ahead: str
) -> None:
    source, target = stores
    for tenant in ("acme", "globex"):
        await source.save_snapshot(snapshot("e1", tenant, 5))
        await target.save_snapshot(snapshot("e1", tenant, 7 if tenant == ahead else 3))
    await source.set("exec:e1:k", b"source")
    await target.set("exec:e1:k", b"target")
    report = await copy_store(source, target, replace_keys=True)
    assert (report.ok, report.copied, report.newer) == (True, 1, 2)
    assert await target.get("exec:e1:k") == b"target"


async def test_keys_without_a_tenant_stay_where_a_tenant_has_them_that_is_not_copied(
    stores: Any,
) -> None:
    source, target = stores
    for store in stores:
        await store.save_snapshot(snapshot("e1", "globex", 5))
        await store.set("exec:e1:k", b"source" if store is source else b"target")
    await source.save_snapshot(snapshot("e1"))
    report = await copy(source, target)
    assert (report.ok, report.copied, report.newer) == (True, 1, 1)
    assert await target.get("exec:e1:k") == b"target"


async def test_a_kept_execution_is_kept_in_the_copy(stores: Any) -> None:
    source, target = stores
    await source.tenant("acme").execution("e1").set("k", b"v")
    assert (await copy(source, target)).copied == 1
    await source.tenant("acme").execution("e1", keep=True).set("k", b"v")
    assert (await copy(source, target)).copied == 1
    later = open_store("memory://", clock=lambda: datetime.now(UTC).timestamp() + 7200)
    later.context.objects.bucket = target.context.objects.bucket
    assert (await later.sweep(orphans=True)).orphans == 0
    assert await target.tenant("acme").execution("e1").get("k") == b"v"


async def test_what_has_expired_is_not_copied() -> None:
    moment = datetime.now(UTC).timestamp()
    source = open_store("memory://", clock=lambda: moment)
    await source.tenant("acme").set("k", b"1", timedelta(seconds=1))
    moment += 2
    target = open_store("memory://")
    assert (await copy(source, target)).copied == 0
    assert not await target.tenant("acme").exists("k")


async def test_other_tenants_and_leases_stay_behind(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1", "acme"))
    await source.save_snapshot(snapshot("e2", "globex"))
    async with source.tenant("acme").lease("e1", ttl=HOUR):
        await copy(source, target)
    assert [tenant async for tenant in target.iter_tenants()] == ["acme"]
    assert not any("leases/" in name for name in target.context.objects.bucket._objects)


async def test_keys_without_a_tenant_go_along_when_asked(stores: Any) -> None:
    source, target = stores
    await source.set("banner", b"hello")
    await source.set("exec:e1:k", b"1")
    assert (await copy_store(source, target)).copied == 2
    assert (await target.get("banner"), await target.get("exec:e1:k")) == (b"hello", b"1")


async def test_an_executions_keys_without_a_tenant_go_with_its_snapshot(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"))
    await source.save_snapshot(snapshot("g1", "globex"))
    for execution in ("e1", "g1"):
        await source.set(f"exec:{execution}:k", b"1")
    assert (await copy(source, target)).copied == 2  # not those of the other tenant
    assert await target.get("exec:e1:k") == b"1"
    assert not await target.exists("exec:g1:k")


@pytest.mark.parametrize("source_has_it", [True, False])
async def test_a_newer_snapshot_keeps_its_keys_without_a_tenant(
    stores: Any, *, source_has_it: bool
) -> None:
    source, target = stores
    if source_has_it:
        await source.save_snapshot(snapshot("e1", number=3))
    await target.save_snapshot(snapshot("e1", number=5))
    await source.set("exec:e1:k", b"3")
    await target.set("exec:e1:k", b"5")
    report = await copy_store(source, target, replace_keys=True)
    assert (report.seen, report.newer) == ((2, 2) if source_has_it else (1, 1))
    assert await target.get("exec:e1:k") == b"5"


async def test_progress_knows_the_total_the_tenant_and_what_is_done(stores: Any) -> None:
    source, target = stores
    for tenant in ("acme", "globex"):
        await source.save_snapshot(snapshot("e1", tenant))
        await source.tenant(tenant).set("k", b"1")
    await source.set("banner", b"hello")
    steps: list[CopyReport] = []
    report = await copy_store(source, target, progress=steps.append)
    assert {step.total for step in steps} == {report.total} == {5}
    assert [step.seen for step in steps] == sorted(step.seen for step in steps)
    assert (steps[0].seen, steps[-1].seen) == (0, 5)
    assert {step.tenant for step in steps} == {"acme", "globex", None}
    assert (report.tenants, report.tenant, report.ok) == (2, None, True)


async def test_a_tenant_named_twice_is_copied_once(stores: Any) -> None:
    source, target = stores
    await source.save_snapshot(snapshot("e1"))
    report = await copy_store(source, target, tenants=iter(["acme", "acme"]))
    assert (report.tenants, report.seen, report.copied) == (1, 1, 1)


async def test_no_tenant_named_is_nothing_to_copy(stores: Any) -> None:
    source, target = stores
    await source.set("banner", b"hello")
    assert (await copy_store(source, target, tenants=[])).seen == 0

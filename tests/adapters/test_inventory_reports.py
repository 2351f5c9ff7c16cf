"""Sweeps and inventories by each service's report, although the bucket has changed since."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from statebucket import StateStore, errors, open_store
from statebucket.admin import inventory
from support.inventory_writer import (
    TAKEN,
    Written,
    azure_report,
    gcs_report,
    listed,
    s3_report,
)
from support.targets.azure import credential, raw_container
from support.targets.gcs_bucket import Around
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from statebucket.port.bucket import Bucket, ObjectInfo
    from support.servers import Server

pytestmark = pytest.mark.asyncio

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Service(NamedTuple):
    """A bucket for a store, another for reports, and how the service writes those."""

    url: str
    options: dict[str, Any]
    reports: str
    write: Callable[..., Written]
    upload: Callable[[str, bytes], Any]

    def open(self, *, ago: float = 0.0) -> StateStore:
        """The store, by a clock that is some seconds late."""
        clock = (lambda: time.time() - ago) if ago else None
        return open_store(self.url, clock=clock, **self.options)

    async def report(self, **how: Any) -> str:
        """Writes a report of what is there now, and gives its address."""
        async with self.open() as store:
            return self.put(self.write(await names(store), **how))

    def put(self, written: Written) -> str:
        """Puts a report where reports are, and gives its address."""
        for name, body in written.objects.items():
            self.upload(name, body)
        return self.reports + written.manifest


def bucket_of(store: StateStore) -> Bucket:
    found: Bucket = store.context.objects.bucket  # type: ignore[attr-defined]
    return found


async def names(store: StateStore) -> list[ObjectInfo]:
    return await listed(bucket_of(store))


@contextmanager
def _s3(server: Server, engine: str) -> Iterator[Service]:
    client = raw_client(server)
    bucket, reports = f"b-{uuid4().hex}", f"inventories-{uuid4().hex}"
    for name in (bucket, reports):
        client.create_bucket(Bucket=name)
    where = f"endpoint_url={server.url}&region=us-east-1&engine={engine}"
    yield Service(
        f"s3://{bucket}/app?{where}",
        {},
        f"s3://{reports}/",
        lambda infos, **how: s3_report(bucket, infos, **how),
        lambda name, body: client.put_object(Bucket=reports, Key=name, Body=body),
    )


@contextmanager
def _gcs(server: Server, engine: str) -> Iterator[Service]:
    around, reports = Around(server.url), Around(server.url)
    where = f"endpoint_url={server.url}&anonymous=true&engine={engine}"
    yield Service(
        f"gs://{around.bucket}/app?{where}",
        {},
        f"gs://{reports.bucket}/",
        lambda infos, **how: gcs_report(around.bucket, infos, **how),
        reports.write,
    )


@contextmanager
def _azure(server: Server, engine: str) -> Iterator[Service]:
    with closing(raw_container(server)) as raw, closing(raw_container(server)) as reports:
        where = f"endpoint_url={server.account_url}&engine={engine}"
        yield Service(
            f"az://{raw.container_name}/app?{where}",
            {"credential": credential(server)},
            f"az://{reports.container_name}/",
            lambda infos, **how: azure_report(server.access_key, raw.container_name, infos, **how),
            lambda name, body: reports.upload_blob(name, body, overwrite=True),
        )


SERVERS = {"s3": ("ministack", _s3), "gcs": ("fake", _gcs), "azure": ("azurite", _azure)}


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    cloud, engine = request.param.split("-")
    server, place = SERVERS[cloud]
    with place(request.getfixturevalue(server), engine) as found:
        yield found


# How files are written is of no matter to an engine.
ways = pytest.mark.parametrize(
    ("service", "form"),
    [
        (f"{cloud}-{engine}", form)
        for cloud in SERVERS
        for engine, form in (("sdk", "CSV"), ("http", "CSV"), ("http", "Parquet"))
    ],
    indirect=["service"],
)


async def seed(service: Service) -> None:
    """Two tenants and shared keys, of which some have expired."""
    async with service.open() as store:
        for tenant in ("acme", "globex"):
            view = store.tenant(tenant)
            for at in range(6):
                await view.set(f"k{at}", b"v")
                await view.save_snapshot(view.snapshot(f"e{at}"))
        await store.set("lasting", b"v", DAY)
    async with service.open(ago=7200) as store:
        for tenant in ("acme", "globex"):
            for at in range(8):
                await store.tenant(tenant).set(f"old{at}", b"v", MINUTE)
        view = store.tenant("acme")
        await view.save_snapshot(view.snapshot("gone"), ttl=MINUTE)


@ways
async def test_an_inventory_by_a_report_is_that_of_a_listing(service: Service, form: str) -> None:
    await seed(service)
    address = await service.report(form=form)
    async with service.open() as store:
        by_listing = await inventory(store)
        by_report = await inventory(store, report=address)
        assert by_report.as_of == TAKEN
        assert msgspec.structs.replace(by_report, as_of=None) == by_listing
        ours = await inventory(store.tenant("acme"), report=address)
        assert ours.tenants == {"acme": by_listing.tenants["acme"]}


@ways
async def test_a_sweep_by_an_old_report_removes_what_has_expired_by_now(
    service: Service, form: str
) -> None:
    await seed(service)
    address = await service.report(form=form)
    async with service.open(ago=7200) as store:
        acme = store.tenant("acme")
        await acme.set("since", b"v", MINUTE)  # not in the report
        await acme.set("k1", b"v", MINUTE)  # replaced, by one that has expired
    async with service.open() as store:
        acme = store.tenant("acme")
        await acme.set("old1", b"new", DAY)  # replaced: lives
        await acme.set("old2", b"new")
        bucket = bucket_of(store)
        await bucket.delete("app/tenants/acme/keys/old3")
        for name in ("owners/e4/globex", "owners/e5/globex", "tenants/globex/snapshots/e5"):
            await bucket.delete(f"app/{name}")
        dry = await store.sweep(report=address, dry_run=True)
        done = await store.sweep(report=address)
        assert (dry.removed, dry.as_of) == (done.removed, TAKEN)
        # Where a report has metadata, what had not expired by it waits for the next one.
        looked = not service.url.startswith("az")
        assert done.removed == 16 - 3 + 1 + looked
        assert (done.owners, done.repaired) == (1, 1)  # of "gone", and of e4
        assert (await acme.get("old1"), await acme.get("old2")) == (b"new", b"new")
        left = {info.name.rpartition("/")[2] for info in await names(store)}
        assert {"since", "old1", "old2", "k0", "lasting"} <= left
        assert not {"old0", "old3", "old7", "gone"} & left
        assert (await store.sweep(report=address)).removed == 0
        assert (await store.sweep()).removed == 1 + (not looked)


async def test_a_report_with_fewer_rows_than_its_manifest_says_is_no_inventory(
    fake: Server,
) -> None:
    with _gcs(fake, "http") as service:
        await seed(service)
        async with service.open() as store:
            written = service.write(await names(store))
            address = service.put(written.changed(records_processed=1000))
            with pytest.raises(errors.InvalidReport, match="1,000 by the manifest"):
                await inventory(store, report=address)


@pytest_asyncio.fixture
async def on_s3(ministack: Server) -> AsyncIterator[Service]:
    with _s3(ministack, "http") as service:
        await seed(service)
        yield service


async def test_the_files_of_a_report_are_shared_out_and_the_parts_add_up(on_s3: Service) -> None:
    address = await on_s3.report(files=5)
    async with on_s3.open() as store:
        parts = await store.partitions(3, report=address)
        assert [(part.index, part.count, part.report) for part in parts] == [
            (at, 3, address) for at in range(3)
        ]
        assert len(await store.partitions(99, report=address)) == 5
        counted = [await inventory(store, partition=part) for part in parts]
        assert all(one.listed for one in counted)
        assert sum(counted[1:], counted[0]) == await inventory(store, report=address)
        swept = [await store.sweep(partition=part) for part in parts]
        total = sum(swept[1:], swept[0])
        assert (total.removed, total.as_of) == (17, TAKEN)
        assert (await store.sweep()).removed == 0


async def test_a_report_that_was_downloaded_is_found_by_its_folders(
    on_s3: Service, tmp_path: Path
) -> None:
    async with on_s3.open() as store:
        written = on_s3.write(await names(store))
        by_listing = await inventory(store)
        for cut in (0, 1, 2):  # all of the bucket, a folder of it, or the last folders alone
            top = tmp_path / str(cut)
            for name, body in written.objects.items():
                path = top.joinpath(*name.split("/")[cut:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            manifest = top.joinpath(*written.manifest.split("/")[cut:])
            found = await inventory(store, report=str(manifest))
            assert msgspec.structs.replace(found, as_of=None) == by_listing
        top.joinpath(*written.files[0].split("/")[2:]).unlink()
        with pytest.raises(errors.InvalidReport, match="neither beside the manifest"):
            await inventory(store, report=str(manifest))


async def test_of_a_report_of_all_versions_the_current_ones_count(on_s3: Service) -> None:
    async with on_s3.open() as store:
        by_listing = await inventory(store)
        for form in ("CSV", "Parquet"):
            address = await on_s3.report(versions=True, form=form)
            found = await inventory(store, report=address)
            assert msgspec.structs.replace(found, as_of=None) == by_listing

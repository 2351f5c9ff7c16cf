"""Parts on a real Dask cluster, some of whose workers die."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import distributed
import psutil
import pytest

from statebucket import Version, errors, open_store
from statebucket.admin import inventory
from statebucket.port.bucket import ObjectInfo
from statebucket.scale.jobs import Job, checked
from statebucket.scale.on_dask import Cluster
from support.inventory_writer import TAKEN, gcs_report, s3_report
from support.targets.gcs_bucket import Around
from support.targets.s3 import BUCKET, S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dask")]

OBJECTS = 600


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler and two workers, processes of their own with a thread each."""
    with distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


async def filled(url: str) -> None:
    async with open_store(url, clock=lambda: time.time() - 7200) as store:
        acme = store.tenant("acme")
        for at in range(OBJECTS):
            await acme.set(f"k{at}", b"v", 60)


def workers(cluster: Any) -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    pids = {worker.pid for worker in cluster.workers.values()}
    return [one for one in found if one.pid in pids]


def test_a_worker_that_dies_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    job = Job(command="sweep", url=url)
    killed: list[int] = []
    seen: list[int] = []

    def progress(done: int) -> None:
        seen.append(done)
        if not killed:
            victim = workers(cluster)[0]
            killed.append(victim.pid)
            victim.kill()

    async def work() -> None:
        await filled(url)
        async with Cluster(cluster.scheduler_address) as connected, open_store(url) as store:
            parts = await store.partitions(12)
            outcome = await connected.run(job, parts, progress)
            report: Any = checked(job, outcome)
            # What the one that died had removed of a part is not reported: no one knows.
            assert 0 < report.removed <= OBJECTS
            assert (await inventory(store)).listed == 0
            assert await store.sweep() == report.__class__()

    asyncio.run(work())
    assert killed
    assert seen


def test_a_job_on_a_cluster_reports_as_one_process_does(cluster: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"

    async def work() -> None:
        await filled(url)
        async with Cluster(cluster.scheduler_address) as connected, open_store(url) as store:
            assert await connected.threads() >= 1
            parts = await store.partitions(4)
            outcome = await connected.run(Job(command="inventory", url=url), parts)
            assert outcome.report == await inventory(store)

    asyncio.run(work())


def test_the_files_of_an_inventory_report_are_shared_out(
    cluster: Any, moto: Server, tmp_path: Path
) -> None:
    target = S3Target(moto, raw_client(moto), engine="http")
    url = target.url

    async def work() -> None:
        async with Cluster(cluster.scheduler_address) as connected, open_store(url) as store:
            async with open_store(url, clock=lambda: time.time() - 7200) as before:
                for at in range(24):
                    await before.tenant("acme").set(f"k{at}", b"v", 60)
            inner: Any = store.context.objects
            page = await inner.bucket.list(target.prefix, after=None, limit=99)
            written = s3_report(BUCKET, page.objects, files=4)
            for name, body in written.objects.items():
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(body)
            address = str(tmp_path / written.manifest)
            parts = await store.partitions(9, report=address)
            outcome = await connected.run(Job(command="sweep", url=url, report=address), parts)
            report: Any = checked(Job(command="sweep", url=url), outcome)
            assert (len(parts), report.removed, report.as_of) == (4, 24, TAKEN)
            assert (await inventory(store)).listed == 0

    asyncio.run(work())


def test_the_rows_that_a_cluster_reads_are_held_to_the_manifest(
    cluster: Any, fake: Server, tmp_path: Path
) -> None:
    bucket = Around(fake.url).bucket
    infos = [ObjectInfo(f"app/shared/keys/k{at}", Version("1"), 3, {}, TAKEN) for at in range(6)]
    written = gcs_report(bucket, infos, files=3).changed(records_processed=7)
    for name, body in written.objects.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    url = f"gs://{bucket}/app?endpoint_url={fake.url}&anonymous=true&engine=http"
    job = Job(command="inventory", url=url, report=str(tmp_path / written.manifest))

    async def work() -> None:
        async with Cluster(cluster.scheduler_address) as connected, open_store(url) as store:
            parts = await store.partitions(9, report=job.report)
            outcome = await connected.run(job, parts)
            with pytest.raises(errors.InvalidReport, match="have 6 rows, and 7 by the manifest"):
                checked(job, outcome)

    asyncio.run(work())


def test_errors_of_a_worker_come_back_as_they_are(cluster: Any, tmp_path: Path) -> None:
    job = Job(command="inventory", url=f"sqlite:///{tmp_path}/none/state.db")

    async def work() -> None:
        async with Cluster(cluster.scheduler_address) as connected:
            outcome = await connected.run(job, await open_store("memory://").partitions(1))
            with pytest.raises(errors.StateBucketError) as caught:
                checked(job, outcome)
            assert type(caught.value) is not errors.Unavailable

    asyncio.run(work())

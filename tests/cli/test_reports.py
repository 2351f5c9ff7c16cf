"""Commands that read an inventory report: on several machines, and killed at any moment."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest

from statebucket import Version, open_store
from statebucket.port.bucket import ObjectInfo
from support.command_line import command_line
from support.inventory_writer import gcs_report, listed, s3_report
from support.targets.gcs_bucket import Around
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from pathlib import Path

    from support.inventory_writer import Written
    from support.servers import Server

pytestmark = pytest.mark.slow

OBJECTS = 60
TAKEN = "2026-11-27T01:00:00Z"


class Place(NamedTuple):
    """A store on S3 half of whose keys have expired, and a report of it."""

    url: str
    report: str
    written: Written

    def start(self, command: str, *words: str, report: str = "") -> subprocess.Popen[bytes]:
        more = ["--report", report or self.report, "--url", self.url, "--json"]
        line = [sys.executable, "-m", "statebucket", command, *words, *more]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def answer(self, command: str, *words: str, report: str = "", code: int = 0) -> Any:
        return answer(self.start(command, *words, report=report), code)

    def download(self, folder: Path) -> None:
        for name, body in self.written.objects.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def left(self) -> int:
        async def work() -> int:
            async with open_store(self.url) as store:
                bucket: Any = store.context.objects.bucket
                return len(await listed(bucket))

        return asyncio.run(work())


def answer(process: subprocess.Popen[bytes], code: int = 0) -> Any:
    out, err = process.communicate(timeout=110)
    assert process.returncode == code, err.decode()
    return json.loads(out)


@pytest.fixture
def place(ministack: Server) -> Place:
    client = raw_client(ministack)
    bucket, reports = f"b-{uuid4().hex}", f"inventories-{uuid4().hex}"
    for name in (bucket, reports):
        client.create_bucket(Bucket=name)
    url = f"s3://{bucket}/app?endpoint_url={ministack.url}&region=us-east-1&engine=http"

    async def fill() -> Written:
        async with open_store(url, clock=lambda: time.time() - 7200) as store:
            for at in range(OBJECTS):
                await store.tenant("acme").set(f"k{at}", b"v", 60 if at % 2 else None)
            inner: Any = store.context.objects.bucket
            return s3_report(bucket, await listed(inner), files=6)

    written = asyncio.run(fill())
    for name, body in written.objects.items():
        client.put_object(Bucket=reports, Key=name, Body=body)
    return Place(url, f"s3://{reports}/{written.manifest}", written)


def test_processes_and_machines_share_out_the_files_of_a_report(
    place: Place, tmp_path: Path
) -> None:
    held = place.answer("inventory", "--jobs", "2")
    assert (held["objects"], held["as_of"]) == (OBJECTS, TAKEN)
    machines = [place.start("sweep", "--yes", "--partition", f"{at}/2") for at in (1, 2)]
    reports = [answer(one) for one in machines]  # of one run, though no --run names it
    assert [one["scanned"] for one in reports] == [OBJECTS // 2] * 2
    assert sum(one["removed"] for one in reports) == OBJECTS // 2
    assert {one["as_of"] for one in reports} == {TAKEN}
    assert place.left() == OBJECTS // 2  # and no key that says how the store was divided
    place.download(tmp_path)
    local = str(tmp_path / place.written.manifest)
    swept = place.answer("sweep", "--yes", "--jobs", "2", report=local)
    assert (swept["scanned"], swept["removed"]) == (OBJECTS, 0)


def test_a_sweep_that_is_killed_and_run_again_ends_with_the_same_bucket(place: Place) -> None:
    killed = place.start("sweep", "--yes")
    time.sleep(0.6)  # somewhere in the start or the sweep: any moment is right
    killed.kill()
    killed.communicate()
    assert place.answer("sweep", "--yes")["removed"] <= OBJECTS // 2
    assert place.left() == OBJECTS // 2


def test_the_rows_that_processes_read_are_held_to_the_manifest(
    fake: Server, tmp_path: Path
) -> None:
    bucket = Around(fake.url).bucket
    infos = [ObjectInfo(f"app/shared/keys/k{at}", Version("1"), 3, {}, None) for at in range(6)]
    written = gcs_report(bucket, infos, files=4)
    url = f"gs://{bucket}/app?endpoint_url={fake.url}&anonymous=true&engine=http"
    for number, code in ((6, 0), (7, 1)):
        found = written.changed(records_processed=number)
        place = Place(url, str(tmp_path / found.manifest), found)
        place.download(tmp_path)
        for command in ("inventory", "sweep"):
            words = () if command == "inventory" else ("--dry-run",)
            answer = place.answer(command, *words, "--jobs", "2", code=code)
            if code:
                assert "have 6 rows, and 7 by the manifest" in answer["error"]["message"]
        # One machine cannot know what the others read.
        assert place.answer("inventory", "--partition", "1/2")["listed"] == 3


def test_people_are_told_how_old_a_report_is_and_what_is_wrong_with_it(place: Place) -> None:
    cli = command_line(place.url)
    dry = cli("sweep", "--dry-run", "--report", place.report)
    assert f"{OBJECTS // 2} expired objects" in dry.text
    assert "By an inventory report, " in dry.text
    assert "old: what was written since is not in it" in dry.text
    assert "old: what was written" in cli("inventory", "--report", place.report).text
    wrong = place.report.replace("manifest.json", "other.json")
    failed = cli("inventory", "--report", wrong)
    assert (failed.code, "InvalidReport" in failed.text) == (1, True)
    for words, message in (
        (("--orphans", "--report", place.report), "without a report"),
        (("--dask", "tcp://127.0.0.1:1", "--report", "m.json"), "a cluster do not have"),
    ):
        refused = cli("sweep", "-y", *words)
        assert (refused.code, message in refused.text) == (2, True)

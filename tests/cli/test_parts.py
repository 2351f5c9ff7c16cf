"""Commands on parts of a store: on array jobs, in several processes, and killed at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from statebucket import open_store
from statebucket.scale.plan import KEY
from support.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

OBJECTS = 300


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store's file, half of whose keys have expired."""
    path = tmp_path_factory.mktemp("parts") / "state.db"

    async def fill() -> None:
        async with open_store(f"sqlite:///{path}", clock=lambda: time.time() - 7200) as store:
            for tenant in ("acme", "b"):
                view = store.tenant(tenant)
                for at in range(OBJECTS):
                    await view.set(f"k{at}", b"v", 60 if at % 2 else None)
                for at in range(OBJECTS // 10):
                    await view.save_snapshot(view.snapshot(f"e{at}"))

    asyncio.run(fill())
    return path


@pytest.fixture
def url(filled: Path, tmp_path: Path) -> str:
    """A copy of it."""
    (tmp_path / "state.db").write_bytes(filled.read_bytes())
    return f"sqlite:///{tmp_path}/state.db"


def start(*words: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "statebucket", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


def answer(process: subprocess.Popen[bytes], code: int = 0) -> tuple[Any, str]:
    out, err = process.communicate(timeout=110)
    assert process.returncode == code, err.decode()
    return json.loads(out), err.decode()


@contextmanager
def no_end_of_a_sweep(url: str) -> Iterator[None]:
    """Lets sweeps begin, and wait with the first object that they remove."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        file.execute("BEGIN IMMEDIATE")
        yield


def kubernetes(index: int, count: int) -> dict[str, str]:
    return {
        "JOB_COMPLETION_INDEX": str(index),
        "JOB_COMPLETIONS": str(count),
        "HOSTNAME": f"sweep-{index}",
    }


def batch(index: int, count: int) -> dict[str, str]:
    return {
        "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
        "AWS_BATCH_JOB_ARRAY_SIZE": str(count),
        "AWS_BATCH_JOB_ID": f"3f2a:{index}",
    }


def names(url: str) -> list[str]:
    async def listed() -> list[str]:
        async with open_store(url) as store:
            bucket: Any = store.context.objects.bucket
            page = await bucket.list("", after=None, limit=1000)
            return [info.name for info in page.objects if KEY.rstrip(":") not in info.name]

    return asyncio.run(listed())


@pytest.mark.parametrize("service", [kubernetes, batch])
def test_the_workers_of_an_array_job_sweep_all_of_a_store_between_them(
    url: str, service: Callable[[int, int], dict[str, str]]
) -> None:
    command = ("sweep", "--yes", "--json", "--url", url)
    processes = [start(*command, **service(index, 3)) for index in range(3)]
    answers = [answer(process) for process in processes]
    assert sum(report["removed"] for report, _ in answers) == OBJECTS
    assert [err.splitlines()[0].partition(" (")[0] for _, err in answers] == [
        f"part {number} of 3" for number in (1, 2, 3)
    ]
    assert answer(start(*command))[0]["removed"] == 0


def test_a_worker_that_was_killed_is_run_again_with_the_same_part(url: str) -> None:
    """As a service does with a task that fails; the others know nothing of it."""
    command = ("sweep", "--yes", "--json", "--url", url)
    killed = start(*command, **batch(1, 2))
    time.sleep(0.6)  # somewhere in the start, the division or the sweep: any moment is right
    killed.kill()
    killed.communicate()
    removed = [answer(start(*command, **batch(index, 2)))[0]["removed"] for index in (0, 1)]
    assert 0 < sum(removed) <= OBJECTS
    assert answer(start(*command))[0]["removed"] == 0


def test_one_process_and_two_leave_the_same_store(url: str, tmp_path: Path) -> None:
    copied = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    for target, jobs in zip(copied, ("1", "2"), strict=True):
        report, _ = answer(start("copy", url, target, "--jobs", jobs, "--json"))
        assert (report["ok"], report["failed"]) == (True, 0)
        command = ("rm-tenant", "b", "--yes", "--jobs", jobs, "--json", "--url", target)
        assert answer(start(*command))[0]["keys"] == OBJECTS // 2
    assert names(copied[0]) == names(copied[1])
    assert any("tenants/acme/" in name for name in names(copied[0]))
    assert not any("tenants/b/" in name for name in names(copied[0]))
    report, _ = answer(start("inventory", "--jobs", "2", "--json", "--url", copied[1]))
    assert list(report["tenants"]) == ["acme"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_removal_that_was_killed_is_finished_by_the_same_command(url: str, jobs: str) -> None:
    command = ("rm-tenant", "b", "--yes", "--jobs", jobs, "--json", "--url", url)
    for after in (0.4, 0.7, 1.0):
        process = start(*command)
        time.sleep(after)
        process.kill()
        process.communicate()
    last = start(*command)
    out, _ = last.communicate(timeout=110)
    assert last.returncode == 0 or json.loads(out)["error"]["kind"] == "NotFound"
    assert not any("tenants/b/" in name or name.endswith("/b") for name in names(url))


@pytest.mark.parametrize("after", [0, 0.05, 0.1, 0.2])  # seconds: a worker starts, then works
def test_ctrl_c_ends_all_processes_and_says_so(url: str, after: float) -> None:
    with no_end_of_a_sweep(url):  # behind its answer Ctrl-C ends Python as it ends any program
        process = subprocess.Popen(
            [sys.executable, "-m", "statebucket", "sweep", "-y", "-j", "2", "--json", "--url", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=60)  # which ends once no one holds the pipes
    assert b"Traceback" not in err
    assert process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"


def test_what_orphans_have_without_a_tenant_goes_in_one_process_alone(url: str) -> None:
    async def more() -> None:
        async with open_store(url) as store:
            for at in range(OBJECTS // 10):
                await store.set(f"exec:e{at}:k", b"v")  # of executions that are live
                await store.set(f"exec:gone{at}:k", b"v")
            bucket: Any = store.context.objects.bucket
            await bucket.delete("owners/e7/acme")
            await bucket.delete("owners/e7/b")

    asyncio.run(more())
    command = ("sweep", "--orphans", "--margin", "0", "--yes", "--json", "--url", url)
    report, _ = answer(start(*command, "--jobs", "2"))
    assert report["orphan_keys"] == 0
    report, _ = answer(start(*command))
    assert (report["orphans"], report["orphan_keys"]) == (OBJECTS // 10, OBJECTS // 10)
    assert "shared/executions/e7/k" in names(url)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--partition", "0/3"), "from 1/N to N/N"),
        (("--partition", "1/3"), "pass --run"),
        (("--partition", ""), "from 1/N to N/N"),
        (("--dask", "tcp://127.0.0.1:1", "--jobs", "2"), "goes with neither"),
        (("--dask", "tcp://127.0.0.1:1"), "--jobs instead of --dask"),
    ],
)
def test_options_that_say_no_part_are_wrong_usage(
    url: str, words: tuple[str, ...], message: str
) -> None:
    refused = command_line(url)("sweep", "--yes", "--json", *words)
    assert refused.code == 2
    assert message in refused.json["error"]["message"]


def test_a_removal_in_parts_keeps_its_division_outside_of_the_tenant(url: str) -> None:
    command = ("rm-tenant", "b", "--yes", "--json", "--run", "r", "--partition")
    error, _ = answer(start(*command, "1/2", "--url", f"{url}?tenant=b"), code=2)
    assert "leave tenant= out of the URL" in error["error"]["message"]
    answers = [answer(start(*command, part, "--url", url))[0] for part in ("2/2", "1/2")]
    assert sum(report["keys"] for report in answers) == OBJECTS
    assert not any("tenants/b/" in name or name.endswith("/b") for name in names(url))


@pytest.mark.parametrize(
    "command",
    [
        ("rm-tenant", "nosuch", "--yes", "--jobs", "2", "--url"),
        ("rm-tenant", "nosuch", "--yes", "--partition", "1/2", "--run", "r", "--url"),
        ("copy", "-t", "nosuch", "--jobs", "2"),
    ],
)
def test_a_tenant_that_has_nothing_is_told_in_parts_too(
    url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    target = (f"sqlite:///{tmp_path}/target.db",) if command[0] == "copy" else ()
    error, _ = answer(start(*command, url, *target, "--json"), code=1)
    assert error["error"]["kind"] == "NotFound"


def test_no_machine_creates_the_database_that_a_copy_goes_to(url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    error, _ = answer(
        start("copy", url, target, "--partition", "1/2", "--run", "r", "--json"), code=3
    )
    assert "no SQLite file" in error["error"]["message"]
    assert not (tmp_path / "target.db").exists()


def test_the_name_of_a_run_alone_changes_no_command(url: str) -> None:
    command = ("rm-tenant", "b", "--dry-run", "--json", "--url", url)
    assert answer(start(*command, STATEBUCKET_RUN="r"))[0]["keys"] == OBJECTS


def test_numbers_without_what_a_process_did_that_died_are_said_to_be_a_lower_bound(
    url: str,
) -> None:
    with no_end_of_a_sweep(url):  # or a worker may have done all of its work before it is killed
        process = start("sweep", "--yes", "--jobs", "2", "--json", "--url", url)
        deadline = time.monotonic() + 60
        workers: list[psutil.Process] = []
        while not workers and time.monotonic() < deadline:
            children = psutil.Process(process.pid).children()
            workers = [one for one in children if "statebucket.scale.worker" in one.cmdline()]
            time.sleep(0.01)
        workers[0].kill()
    report, err = answer(process)
    assert report["at_least"] is True
    assert "The numbers are at least these" in err
    assert report["removed"] <= OBJECTS
    assert "at_least" not in answer(start("sweep", "--yes", "--json", "--url", url))[0]

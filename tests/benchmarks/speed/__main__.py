"""``make bench``: our store, the SDKs by hand and other libraries, in interleaved rounds.

Each subject works in a process of its own against one server in another. In each round every
subject does every case once, in another order each time, so that what else the machine does meets
all alike. The tables give the median of the rounds, and of the ratio to a base in the same round,
with the quartiles. ``BENCH="--rounds 9 --clouds s3"`` chooses.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.server.process import running
from benchmarks.speed import chart
from benchmarks.speed.aims import BLOCKING, FLOOR_BLOCKING, LEAN, OVER_TLS
from benchmarks.speed.load import raw_rate
from benchmarks.speed.output import write_all
from benchmarks.speed.report import FLOOR
from benchmarks.speed.subjects import SUBJECTS, installed
from benchmarks.speed.work import SIZES, Case, cases

if TYPE_CHECKING:
    from benchmarks.server.process import Server

MANY = 10_000
WORK = ["calls", "list", "clean", "growth", "tls"]
GROWTH = [1_000, 10_000, 100_000]


def _in_the_way(variable: str) -> bool:
    """Whether a variable of the environment would lead a client elsewhere, to a proxy for one."""
    return variable.startswith(("AWS_", "AZURE_", "GOO")) or variable.lower().endswith("_proxy")


class Worker:
    """A subject's process."""

    def __init__(self, server: Server, cloud: str, name: str, kind: str, longest: float) -> None:
        self.cloud, self.name, self._server = cloud, name, server
        path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        kept = {k: v for k, v in os.environ.items() if not _in_the_way(k)}
        env = kept | {
            "PYTHONPATH": os.pathsep.join(path),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CA_BUNDLE": server.ca,
            "REQUESTS_CA_BUNDLE": server.ca,
            "SSL_CERT_FILE": server.ca,
        }
        if kind == "plain":
            for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                del env[variable]
        arguments = (cloud, name, server.url(cloud, kind), str(longest))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def order(self, what: str, **how: Any) -> dict[str, float]:
        """Tells it what to do and waits for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"what": what} | how) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} on {self.cloud} ended at {what} {how}")
        found: dict[str, float] = json.loads(line)
        return found

    def run(self, what: str, **how: Any) -> dict[str, float]:
        """As `order`, with the requests that the server counted."""
        before = self._server.count(self.cloud)
        found = self.order(what, **how)
        return found | {"requests": self._server.count(self.cloud) - before}

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Run:
    """All measurements of one cloud, gathered as they are made."""

    def __init__(self, server: Server, workers: list[Worker], cloud: str, suffix: str = "") -> None:
        self._server, self._workers, self._cloud, self._suffix = server, workers, cloud, suffix
        self.records: list[dict[str, Any]] = []

    def rounds(self, chosen: list[Case], rounds: int, among: set[str] | None = None) -> None:
        """Saves, loads, sets and gets, after a run of each subject that does not count."""
        for case in chosen:
            size = SIZES[case.size]
            able = [
                worker
                for worker in self._workers
                if self._able(worker, case.operation) and case.concurrency <= self._most(worker)
                if among is None or worker.name in among
            ]
            for worker in able:
                worker.order("prepare", case=case, size=size)
                worker.order("run", case=case, size=size)
            for number in range(rounds):
                for worker in random.sample(able, len(able)):
                    found = worker.run("run", case=case, size=size)
                    self._keep(worker, case.title + self._suffix, number, found)
            _say(f"{self._cloud}: {case.title}{self._suffix}")

    def whole(self, operation: str, rounds: int) -> None:
        """A listing or clean-up of 10,000 objects."""
        able = [w for w in self._workers if self._able(w, operation)]
        for number in range(rounds):
            for worker in random.sample(able, len(able)):
                prefix = "app/tenants/acme/snapshots/" if operation == "list" else CLEANED
                self._server.clear(self._cloud)
                self._server.seed(self._cloud, prefix + "{:06d}", MANY)
                found = worker.run("whole", operation=operation, prefix=prefix)
                if operation == "clean" and self._server.size(self._cloud):
                    raise SystemExit(f"{worker.name} on {self._cloud} left objects behind")
                self._keep(worker, f"{operation} {MANY:,}", number, found)
        _say(f"{self._cloud}: {operation} {MANY:,}")
        self._server.clear(self._cloud)

    def growth(self, rounds: int) -> None:
        """Our store's calls, with more and more executions in the bucket."""
        worker = next(w for w in self._workers if w.name == "statebucket")
        for count in GROWTH:
            self._server.clear(self._cloud)
            self._server.seed(self._cloud, "app/tenants/acme/snapshots/x{:06d}", count)
            for operation in ("save", "load", "set", "get"):
                case = Case(operation, "1 KiB", 1, 80)
                worker.order("prepare", case=case, size=1024)
                worker.order("run", case=case, size=1024)
                for number in range(rounds):
                    found = worker.run("run", case=case, size=1024)
                    self._keep(worker, f"{operation} among {count:,}", number, found)
        _say(f"{self._cloud}: growth")

    def _able(self, worker: Worker, operation: str) -> bool:
        return operation in SUBJECTS[self._cloud][worker.name][1].operations

    def _most(self, worker: Worker) -> int:
        return SUBJECTS[self._cloud][worker.name][1].most

    def _keep(self, worker: Worker, case: str, number: int, found: dict[str, float]) -> None:
        about = {"cloud": self._cloud, "subject": worker.name, "case": case, "round": number}
        self.records.append(about | found)


CLEANED = "app/tenants/acme/executions/clean/"


def _say(text: str) -> None:
    sys.stderr.write(f"[{time.strftime('%H:%M:%S')}] {text}\n")


def write(
    given: argparse.Namespace, floors: dict[str, float], records: list[dict[str, Any]]
) -> None:
    """Writes what has been measured so far."""
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} {platform.machine()} processors, {platform.system()}",
        "load": os.getloadavg()[0],
        "transport": f"{'TLS' if given.tls else 'plain HTTP'}, {given.latency * 1000:g} ms added",
        "server_requests_per_second": floors,
        "rounds": given.rounds,
    }
    write_all(Path(given.output), {"about": about, "records": records})


def over_tls(
    server: Server, cloud: str, given: argparse.Namespace, names: list[str]
) -> list[dict[str, Any]]:
    """The calls over TLS: the chart's by all, the others by those whom an aim compares."""
    with ExitStack() as stack:
        workers = []
        for name in names:
            workers.append(Worker(server, cloud, name, "tls", given.longest))
            stack.callback(workers[-1].close)
        run = Run(server, workers, cloud, OVER_TLS)
        for case in cases(given.sizes, large=True):
            if case.title + OVER_TLS in chart.SHOWN:
                run.rounds([case], given.rounds)
            elif case.concurrency == 1 or case.size == "1 KiB":  # large bodies one at a time
                run.rounds([case], given.rounds, {LEAN, BLOCKING, FLOOR, FLOOR_BLOCKING})
    return run.records


def _options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clouds", default=",".join(SUBJECTS))
    parser.add_argument("--subjects", default="", help="only those whose names hold one of these")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--longest", type=float, default=1.0, help="seconds of one measurement")
    parser.add_argument("--only", default=",".join(WORK))
    parser.add_argument("--output", default="dist/bench")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    if not 0 <= given.latency < float("inf"):
        parser.error("--latency: seconds, 0 or more")
    if not 0 < given.longest < float("inf"):
        parser.error("--longest: seconds, more than 0")
    known = {"clouds": [*SUBJECTS], "sizes": [*SIZES], "only": WORK}
    for name, values in known.items():
        chosen = [part.strip() for part in getattr(given, name).split(",")]
        setattr(given, name, chosen)
        for one in chosen:
            if one not in values:
                parser.error(f"--{name}: no {one!r}; available: {', '.join(values)}")
    given.subjects = [part for part in given.subjects.split(",") if part]
    for cloud in given.clouds:
        if not _chosen(cloud, given.subjects):
            parser.error(f"--subjects: none of those installed for {cloud}")
    return given


def _chosen(cloud: str, wanted: list[str]) -> list[str]:
    """The subjects that can be measured here, and that are wanted."""
    return [n for n in installed(cloud) if not wanted or any(part in n for part in wanted)]


def main() -> None:
    """Measures, and writes the tables, the chart and the JSON."""
    given = _options()
    kind = "tls" if given.tls else "plain"
    Path(given.output).mkdir(parents=True, exist_ok=True)  # before all else: it may fail
    records: list[dict[str, Any]] = []
    floors: dict[str, float] = {}
    with running(given.latency) as server:
        for cloud in given.clouds:
            floors[cloud] = raw_rate(server, cloud)
            names = _chosen(cloud, given.subjects)
            missing = sorted(SUBJECTS[cloud].keys() - set(installed(cloud)))
            _say(f"{cloud}: {', '.join(names)}; not installed: {', '.join(missing) or 'none'}")
            with ExitStack() as stack:
                workers = []
                for name in names:
                    workers.append(Worker(server, cloud, name, kind, given.longest))
                    stack.callback(workers[-1].close)
                run = Run(server, workers, cloud)
                if "calls" in given.only:
                    run.rounds(cases(given.sizes), given.rounds)
                for operation in ("list", "clean"):
                    if operation in given.only:
                        run.whole(operation, min(given.rounds, 3))
                if "growth" in given.only and "statebucket" in names:
                    run.growth(min(given.rounds, 3))
                records += run.records
            if "tls" in given.only and kind == "plain":
                records += over_tls(server, cloud, given, names)
            # After each service, so that an interrupted run has something to show.
            write(given, floors, records)


if __name__ == "__main__":
    main()

"""``make bench-cold``: from a process's start to its first load, compared with others.

The rounds are interleaved, so that what else the machine does meets all alike; the table gives, for
each contender, the median of its rounds and of its ratio to the bare SDK in the same round, with
the quartiles. Processor time is the steadier figure on a busy machine.

What needs no SDK runs in an environment of its own, with what a function would install: where
``typing_extensions`` is installed, for one, msgspec imports it. Over TLS all find the system's
issuers, and the server's own, as Debian has them: in a folder, each by its hash.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import boto3

from benchmarks.cold.contenders import BUCKET, REGION
from benchmarks.server.process import running
from support.servers.ministack import running_ministack
from support.wheel_environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BASE = "aiobotocore"
LEAN, FLOOR = "statebucket_http_blocking", "obstore"
MOST_PLAIN = 60  # the aim, in milliseconds of processor time
MOST_TLS = 1.25  # the aim, as a ratio to obstore by hand
SYSTEM_ISSUERS = Path("/etc/ssl/certs")
CONTENDERS = {  # with the package that each needs
    "statebucket_s3": "statebucket_s3",
    "statebucket_s3_blocking": "statebucket_s3",
    "statebucket_http": "statebucket_s3",
    "statebucket_http_blocking": "statebucket_s3",
    "statebucket_http_blocking_tls": "statebucket_s3",
    "statebucket_sqlite": "statebucket",
    BASE: "aiobotocore",
    "aioboto3": "aioboto3",
    "boto3": "boto3",
    "py_key_value": "key_value",
    "obstore": "obstore",
    "obstore_tls": "obstore",
    "import_base": "msgspec",
    "import_statebucket": "statebucket",
}


LEAN_PYTHON = ROOT / ".venv/bench-http/bin/python"
IN_LEAN = ("statebucket_http", "statebucket_sqlite")
"""How the names of those begin that run in the environment with the extra ``http`` only."""

PREPARED = (
    "statebucket_s3",
    "statebucket_http_blocking_tls",
    "statebucket_sqlite",
    "py_key_value",
)


class Run(NamedTuple):
    """One process, from its start to the loaded value, in milliseconds."""

    wall: float
    cpu: float


def python(name: str) -> str:
    """The interpreter of a contender's environment."""
    return str(LEAN_PYTHON) if name.startswith(IN_LEAN) else sys.executable


def start(name: str, env: dict[str, str]) -> Run:
    """Run a contender."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [python(name), "-c", f"import contenders; contenders.{name}()"],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        wall = time.perf_counter() - begun
    if not said:
        raise SystemExit(f"{name} failed")
    return Run(1000 * wall, 1000 * float(said))


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """A server with a bucket, and what the contenders need to find both."""
    with (
        running_ministack() as server,
        running() as tls_server,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        names = os.environ.keys() - {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
        env = {name: os.environ[name] for name in names if not name.startswith("AWS_")}
        env |= {
            "PYTHONPATH": os.pathsep.join(path),
            # As installed: each module compiled once, before what counts.
            "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "BENCH_ENDPOINT": server.url,
            "BENCH_TLS_ENDPOINT": tls_server.url("s3", "tls"),
            "SSL_CERT_DIR": str(issuers(Path(folder) / "issuers", tls_server.ca)),
            "BENCH_DATABASE": str(Path(folder) / "state.db"),
        }
        s3 = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        s3.create_bucket(Bucket=BUCKET)
        yield env


def issuers(folder: Path, authority: str) -> Path:
    """Makes a folder of the system's issuers and another one, each named by its hash."""
    folder.mkdir()
    for issuer in SYSTEM_ISSUERS.glob("*.[0-9]"):
        (folder / issuer.name).symlink_to(issuer)
    command = ["openssl", "x509", "-hash", "-noout", "-in", authority]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (folder / f"{hashed}.0").symlink_to(authority)
    return folder


def measure(names: Sequence[str], rounds: int, env: dict[str, str]) -> dict[str, list[Run]]:
    """Run all contenders in turn, in another order each round; the first round does not count."""
    results: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in random.sample(names, len(names)):
            run = start(name, env)
            if number:
                results[name].append(run)
    return results


def spread(values: Sequence[float], digits: int) -> str:
    """The median, and the quartiles."""
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def table(results: dict[str, list[Run]]) -> Iterator[str]:
    """The table's lines, in Markdown."""
    yield f"| first load | cpu ms | cpu / {BASE} | wall ms | wall / {BASE} |"
    yield "|---|---|---|---|---|"
    base = results[BASE]
    for name, runs in results.items():
        if name.startswith("import_"):
            continue
        cpu = [run.cpu / other.cpu for run, other in zip(runs, base, strict=True)]
        wall = [run.wall / other.wall for run, other in zip(runs, base, strict=True)]
        cells = [
            spread([run.cpu for run in runs], 0),
            spread(cpu, 2),
            spread([run.wall for run in runs], 0),
            spread(wall, 2),
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield from aims(results)
    yield ""
    pairs = list(zip(results["import_statebucket"], results["import_base"], strict=True))
    cpu_more = [ours.cpu - base.cpu for ours, base in pairs]
    wall_more = [ours.wall - base.wall for ours, base in pairs]
    yield (
        "import statebucket, above import asyncio, msgspec: "
        f"{spread(cpu_more, 1)} ms of cpu, {spread(wall_more, 1)} ms of wall time"
    )


def aims(results: dict[str, list[Run]]) -> Iterator[str]:
    """What was aimed at for a blocking handler on S3, and what it came to."""
    if not {LEAN, FLOOR} <= results.keys():
        return
    plain = spread([run.cpu for run in results[LEAN]], 0)
    yield f"blocking, engine=http, plain: {plain} ms of cpu; the aim is {MOST_PLAIN}"
    for kind, aim in (("", ""), ("_tls", f"; the aim is {MOST_TLS}")):
        both = zip(results[LEAN + kind], results[FLOOR + kind], strict=True)
        ratio = spread([ours.cpu / theirs.cpu for ours, theirs in both], 2)
        transport = "TLS" if kind else "plain"
        yield f"blocking, engine=http, {transport}: {ratio} of obstore by hand{aim}"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    names = [name for name, package in CONTENDERS.items() if find_spec(package)]
    for name in CONTENDERS.keys() - set(names):
        sys.stdout.write(f"skipped, not installed: {name} ({CONTENDERS[name]})\n")
    with environment() as env:
        for name in PREPARED:
            if name in names:
                prepare = f"import contenders; contenders.prepare_{name}()"
                subprocess.run([python(name), "-c", prepare], env=env, check=True)
        results = measure(names, rounds, env)
    head = f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, {rounds} rounds"
    sys.stdout.write("\n".join([head, "", *table(results), ""]))


if __name__ == "__main__":
    main()

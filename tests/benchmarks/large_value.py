"""How much one ``set`` and one ``get`` of a large value add to a process's peak memory.

``make bench-large`` prints a table, for SQLite and for S3 as moto has
it, in a process of its own. Each figure is of a new process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import boto3

from statebucket.sync import open_store
from support.servers.moto import running_moto

SIZES = (1, 10, 50)
MB = 1_000_000
BUCKET = "large-values"


def peak() -> float:
    """The most memory that this process has had so far, in MB.

    Not what getrusage says, which begins with the parent's memory at the fork.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / MB


def measure(url: str, call: str, size: int) -> float:
    """What a call adds to the peak, with its value, after a small one has loaded the code."""
    with open_store(url, deadline=120) as store:
        store.set("small", b"1")
        store.get("small")
        before = peak()
        if call == "set":
            store.set("large", os.urandom(size * MB))
        else:
            assert store.get("large") is not None
        return peak() - before


def main() -> None:
    """Prints the table."""
    with running_moto() as moto, tempfile.TemporaryDirectory() as folder:
        keys = {"AWS_ACCESS_KEY_ID": moto.access_key, "AWS_SECRET_ACCESS_KEY": moto.secret_key}
        os.environ |= keys
        client = boto3.client("s3", endpoint_url=moto.url, region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        s3 = f"s3://{BUCKET}/app?endpoint_url={moto.url}&region=us-east-1"
        _row("value", [f"{size} MB" for size in SIZES])
        _row("---", ["---"] * len(SIZES))
        urls = {"SQLite": f"sqlite:///{Path(folder)}/{uuid4().hex}.db", "S3": s3}
        urls["S3, engine=http"] = f"{s3}&engine=http"
        for name, url in urls.items():
            for call in ("set", "get"):
                found = []
                for size in SIZES:
                    if call == "get":
                        measured("set", url, size)
                    found.append(measured(call, url, size))
                _row(f"{name}, {call}", [f"{one:.0f} MB" for one in found])


def _row(name: str, cells: list[str]) -> None:
    sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
    sys.stdout.flush()


def measured(call: str, url: str, size: int) -> float:
    """`measure`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.large_value", call, url, str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(str(measure(sys.argv[2], sys.argv[1], int(sys.argv[3]))))
    else:
        main()

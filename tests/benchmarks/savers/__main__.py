"""``make bench-langgraph``: the requests and processor time of each saver's calls.

Requests are counted by a proxy before the server. The server is this folder's neighbour, which
answers at once; DynamoDB is moto's. Processor time is the saver's process's, the median of a few
calls: what a function pays for beside the waiting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.savers.contenders import CONTENDERS, Contender
from benchmarks.server.process import running
from generators.pages import Table
from support.fault_proxy.proxy import FaultProxy
from support.servers.moto import running_moto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LENGTHS = (10, 100, 1500)
CALLS = ("put", "put_writes", "latest", "list")
_REPEATS = 5
_PAGE = Table("adapters/statebucket_langgraph/README.md", "bench")
_OTHERS = (
    "langgraph-checkpoint-objectstorage",
    "langgraph-checkpoint-aws",
    "langgraph-checkpoint-sqlite",
)


class Measured(NamedTuple):
    """What a call takes.

    Attributes:
        requests: By method, as ``2 GET + 1 PUT``; empty without a server.
        milliseconds: Of processor time.
    """

    requests: str
    milliseconds: float


@contextmanager
def _worker(contender: Contender, endpoint: str) -> Iterator[Callable[..., float]]:
    """Starts a saver's process; what it yields has it do something, and returns the seconds."""
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    number = str(CONTENDERS.index(contender))
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.savers.worker", number, endpoint, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **credentials, "AWS_EC2_METADATA_DISABLED": "true"},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        wanted, answers = process.stdin, process.stdout

        def ask(*what: Any) -> float:
            wanted.write(json.dumps(what) + "\n")
            wanted.flush()
            answer = answers.readline()
            if not answer:
                raise SystemExit(f"{contender.name} has failed at {what}")
            return float(answer)

        yield ask
        wanted.close()


def _requests(proxy: FaultProxy | None, times: int) -> str:
    """What was sent since the last look, for one call of so many."""
    if proxy is None:
        return ""
    sent: dict[str, int] = {}
    for seen in proxy.requests:
        listing = seen.method == "GET" and "list-type" in seen.target
        kind = "LIST" if listing else seen.header("x-amz-target") or seen.method
        kind = kind.rpartition(".")[2]
        sent[kind] = sent.get(kind, 0) + 1
    proxy.clear()
    return " + ".join(f"{number / times:g} {kind}" for kind, number in sorted(sent.items()))


def _measure(contender: Contender, proxy: FaultProxy | None) -> Iterator[list[Measured]]:
    """The calls at each length."""
    with _worker(contender, "" if proxy is None else proxy.url) as ask:
        for length in LENGTHS:
            ask("grow", length)
            row = []
            for call in CALLS:
                seconds = []
                requests: list[str] = []
                for _ in range(_REPEATS):
                    if call == "put_writes":
                        ask("put")
                    _requests(proxy, 1)
                    seconds.append(ask(call))
                    requests.append(_requests(proxy, 1))
                row.append(Measured(requests[-1], median(seconds) * 1000))
            yield row


def _table(rows: dict[str, list[list[Measured]]]) -> str:
    lines = [
        "| saver | checkpoints | `put` | `put_writes` | latest | the 10 newest |",
        "|---|---|---|---|---|---|",
    ]
    for name, lengths in rows.items():
        for length, row in zip(LENGTHS, lengths, strict=True):
            cells = (
                "<br>".join(part for part in (one.requests, f"{one.milliseconds:.1f} ms") if part)
                for one in row
            )
            lines.append(f"| {name} | {length:,} | {' | '.join(cells)} |")
    against = ", ".join(f"{name} {version(name)}" for name in _OTHERS)
    return "\n".join([*lines, "", f"Python {sys.version.split()[0]}; {against}.", ""])


def main() -> None:
    """Measures, prints, and writes the table into the page."""
    rows: dict[str, list[list[Measured]]] = {}
    with ExitStack() as stack:
        endpoints = {
            "s3": stack.enter_context(running()).port("s3"),
            "dynamodb": stack.enter_context(running_moto()).port,
        }
        for contender in CONTENDERS:
            proxy = None
            if contender.server:
                port = endpoints[contender.server]
                proxy = stack.enter_context(FaultProxy("127.0.0.1", port))
            rows[contender.name] = list(_measure(contender, proxy))
            sys.stderr.write(f"{contender.name}: done\n")
    table = _table(rows)
    sys.stdout.write(table)
    if Path.cwd() == Path(__file__).parents[3]:
        _PAGE.write(table)


if __name__ == "__main__":
    main()

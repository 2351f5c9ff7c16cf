"""A signal handler may use a blocking store, wherever it interrupts another call of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import statebucket
import statebucket_http
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.targets.deployments import Deployment

PROGRAM = """
import faulthandler, signal, sys
from statebucket import ExecutionSnapshot
from statebucket.sync import open_store

url, *roots = sys.argv[1:]
faulthandler.dump_traceback_later(240, exit=True)  # what waits for itself would wait for ever
# Hundreds of handlers run within one call: on a busy machine they take longer than the default.
acme = open_store(url, deadline=600).tenant("acme")
handled, inside, seen = 0, False, set()

def handle(number, interrupted):
    global handled
    handled += 1
    made = ExecutionSnapshot(execution_id="s", tenant_id="acme")
    assert ExecutionSnapshot.from_json(made.to_json()) == made
    acme.set("signal", b"s")
    assert acme.get("signal") == b"s"
    if interrupted.f_back.f_code.co_filename.endswith("sync.py"):
        with acme.lease("signal", ttl=30):
            pass

def importing(frame):
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False

def trace(frame, event, _):
    global inside
    code = frame.f_code
    if event == "call":
        return trace if code.co_filename.startswith(tuple(roots)) else None
    line = (code.co_filename, frame.f_lineno)
    if event == "line" and not inside and line not in seen and not importing(frame):
        seen.add(line)
        inside = True
        signal.raise_signal(signal.SIGUSR1)
        inside = False
    return trace

signal.signal(signal.SIGUSR1, handle)
sys.settrace(trace)
acme.save_snapshot(acme.snapshot("e", variables={"a": [1]}))
assert acme.load_snapshot("e").variables == {"a": [1]}
acme.set("k", b"v" * 100_000)
assert acme.get("k") == b"v" * 100_000
with acme.lease("e", ttl=600) as lease:
    acme.save_snapshot(acme.load_snapshot("e").advance(), lease=lease)
sys.settrace(None)
requests = acme.stats().requests
acme.get("k")
assert acme.stats().requests == requests + 1
assert acme.load_snapshot("e").sequence_number == 1
print("handled", handled > 200)
"""


@pytest.fixture(params=["memory", "sqlite", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Where calls run in the caller's thread, which a signal interrupts."""
    server = request.getfixturevalue("moto") if request.param == "s3" else None
    with deployment_on(request.param, server, tmp_path, "http") as made:
        yield made


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_a_signal_handler_may_make_calls_at_each_line_of_another(place: Deployment) -> None:
    roots = {str(Path(str(one.__file__)).parents[1]) for one in (statebucket, statebucket_http)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place.url, *roots],
        env={**os.environ, **place.environ},
        capture_output=True,
        text=True,
        timeout=270,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("handled True\n", "")

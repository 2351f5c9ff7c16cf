"""A signal handler may use a blocking store, wherever it interrupts another call of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import statebucket
import statebucket_http
import statebucket_s3
from adapters.s3.http.sources import JSON, body
from statebucket import background, sync
from statebucket.port import lock_free_future, loop_waiting, renewal, waiting
from statebucket_local import workers
from support.fault_proxy.proxy import AnswerWith, FaultProxy, Reply
from support.selection import examples
from support.targets.deployments import deployment_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.targets.deployments import Deployment

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGUSR1"), reason="this system has no such signal"
)

HEAD = """
import faulthandler, os, random, signal, sys, time
from statebucket import ExecutionSnapshot
from statebucket.sync import open_store

url, *roots = sys.argv[1:]
faulthandler.dump_traceback_later(240, exit=True)  # what waits for itself would wait for ever
# Hundreds of handlers run within one call: on a busy machine they take longer than the default.
acme = open_store(url, deadline=600).tenant("acme")
handled, inside, seen = 0, False, set()
every = int(os.environ.get("EVERY", "1"))  # of so many lines

def importing(frame):
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False

def trace(frame, event, _):
    # Raises a signal at each line.
    global inside
    code = frame.f_code
    if event == "call":
        return trace if code.co_filename.startswith(tuple(roots)) else None
    line = (code.co_filename, frame.f_lineno)
    if event == "line" and not inside and line not in seen and not importing(frame):
        seen.add(line)
        if len(seen) % every:
            return trace
        inside = True
        signal.raise_signal(signal.SIGUSR1)
        inside = False
    return trace

def use(*, lease=True):
    # What runs in the caller's thread, and what needs an event loop.
    acme.set("signal", b"s")
    assert acme.get("signal") == b"s"
    if lease:
        with acme.lease("signal", ttl=600):
            assert acme.exists("signal")
"""

AT_EACH_LINE = (
    HEAD
    + """
def handle(number, interrupted):
    global handled
    handled += 1
    made = ExecutionSnapshot(execution_id="s", tenant_id="acme")
    assert ExecutionSnapshot.from_json(made.to_json()) == made
    use(lease=handled % int(os.environ["LEASES"]) == 0)

use()  # which imports what it needs
signal.signal(signal.SIGUSR1, handle)
sys.settrace(trace)
acme.save_snapshot(acme.snapshot("e", variables={"a": [1]}))
assert acme.load_snapshot("e").variables == {"a": [1]}
acme.set("k", b"v" * 100_000)
assert acme.get("k") == b"v" * 100_000
assert [*acme.iter_keys()] == ["k", "signal"]
acme.delete_many(["k"])
acme.set("k", b"v")
with acme.lease("e", ttl=600) as lease:
    acme.save_snapshot(acme.load_snapshot("e").advance(), lease=lease)
sys.settrace(None)
requests = acme.stats().requests
acme.get("k")
assert acme.stats().requests == requests + 1
assert acme.load_snapshot("e").sequence_number == 1
print("handled", handled > int(os.environ["LINES"]))
"""
)

AT_ANY_MOMENT = (
    HEAD
    + """
import statebucket_http.bodies  # a reply may or may not come in one piece; imports hold locks

chance = random.Random(7)

over = False

def again():
    if not over:  # a last signal may be handled after the timer was stopped
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.004))

def handle(number, interrupted):
    global handled
    handled += 1
    use()
    again()

use()
signal.signal(signal.SIGALRM, handle)
until = time.monotonic() + float(os.environ["SECONDS"])
again()
count = 0
while time.monotonic() < until or handled < 50:
    count += 1
    acme.set("k", str(count).encode())
    assert acme.get("k") == str(count).encode()
    assert [*acme.iter_keys()] == ["k", "signal"]
    assert acme.delete("k") is not False
    acme.delete_many(["k", "l"])
    with acme.lease("e", ttl=600):
        pass
over = True
signal.setitimer(signal.ITIMER_REAL, 0)
print("handled", handled >= 50)
"""
)

AT_EXIT = (
    """
import atexit

@atexit.register
def last():
    # Runs after what was registered later, among it what closes stores.
    sys.settrace(None)
    use()
    print("handled", handled > 10)
"""
    + HEAD
    + """
import threading

def handle(number, interrupted):
    global handled
    handled += 1
    use(lease=handled % 4 == 0)

use()
signal.signal(signal.SIGUSR1, handle)

def start(_):
    raise RuntimeError("can't create new thread at interpreter shutdown")

threading.Thread.start = start  # as Python 3.12 and later have it by then
sys.settrace(trace)
"""
)

IN_A_FORK = (
    HEAD
    + """
def handle(number, interrupted):
    global handled
    handled += 1
    acme.set("signal", b"s")
    with open_store(url) as other:
        assert other.tenant("acme").get("signal") == b"s"
    child = os.fork()
    if not child:
        os._exit(0 if acme.get("signal") == b"s" else 1)
    assert os.waitpid(child, 0)[1] == 0

acme.set("k", b"v")
signal.signal(signal.SIGUSR1, handle)
sys.settrace(trace)
child = os.fork()
if not child:
    sys.settrace(None)
    os._exit(0 if acme.get("k") == b"v" else 1)
assert acme.get("k") == b"v"
sys.settrace(None)
assert os.waitpid(child, 0)[1] == 0
with acme.lease("e", ttl=600):
    pass
assert [*acme.iter_keys()] == ["k", "signal"]
print("handled", handled > 20)
"""
)


def ran(program: str, place: Deployment, *roots: str, **environ: str) -> tuple[str, str]:
    """What a program says that uses a store, and what Python says of it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, place.url, *roots],
        env={**os.environ, **place.environ, **environ},
        capture_output=True,
        text=True,
        timeout=270,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.fixture(params=["memory", "sqlite", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """Where calls run in the caller's thread, which a signal interrupts."""
    server = request.getfixturevalue("ministack") if request.param == "s3" else None
    with deployment_on(request.param, server, tmp_path, "http") as made:
        yield made


def test_a_signal_handler_may_make_calls_at_each_line_of_another(place: Deployment) -> None:
    roots = {str(Path(str(one.__file__)).parents[1]) for one in (statebucket, statebucket_http)}
    # Over the network a lease takes its time, and no more is shared than without one.
    if place.service == "s3":
        every = examples(4, 1)
        how = {"EVERY": str(every), "LINES": str(200 // every), "LEASES": "16"}
    else:
        how = {"LINES": "200", "LEASES": "1"}
    assert ran(AT_EACH_LINE, place, *roots, **how) == ("handled True\n", "")


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_nor_need_it_spare_a_call_that_waits_for_a_key(place: Deployment) -> None:
    modules = (lock_free_future, loop_waiting, renewal, waiting)
    roots = [str(one.__file__) for one in modules]
    roots.append(str(Path(str(statebucket_s3.__file__)).parent / "http" / "credentials.py"))
    with FaultProxy("127.0.0.1", 1) as service:
        # One that ends so soon is renewed for each request.
        service.always(AnswerWith(lambda _: Reply(200, JSON, body("KEY", 9, Code=None))))
        keys = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.url}/keys",
            "LINES": "60",
            "LEASES": "1",
        }
        for name in [name for name in place.environ if name.startswith("AWS_")]:
            place.environ.pop(name)
        keys |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
        assert ran(AT_EACH_LINE, place, *roots, **keys) == ("handled True\n", "")
        assert service.count() > 100


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_it_may_fork_and_make_calls_at_each_line_of_a_fork(
    place: Deployment, tmp_path: Path
) -> None:
    assert ran(IN_A_FORK, place, str(workers.__file__)) == ("handled True\n", "")
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    ("service", "engine"),
    [
        *(("memory", ""), ("sqlite", "")),
        *((service, engine) for service in ("s3", "gcs", "azure") for engine in ("http", "sdk")),
    ],
)
def test_a_signal_handler_may_make_calls_at_each_line_of_the_exit(
    service: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    servers = {"s3": "ministack", "gcs": "fake", "azure": "azurite"}
    server = request.getfixturevalue(servers[service]) if service in servers else None
    roots = [str(one.__file__) for one in (sync, background, lock_free_future, workers)]
    with deployment_on(service, server, tmp_path, engine) as made:
        assert ran(AT_EXIT, made, *roots) == ("handled True\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "engine"), [("memory", ""), ("sqlite", ""), ("s3", "http"), ("s3", "sdk")]
)
def test_a_signal_may_come_at_any_moment(
    service: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("ministack") if service == "s3" else None
    with deployment_on(service, server, tmp_path, engine) as made:
        assert ran(AT_ANY_MOMENT, made, SECONDS="2") == ("handled True\n", "")

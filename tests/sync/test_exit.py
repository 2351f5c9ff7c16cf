"""A blocking store while the interpreter exits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.kinds import DelayReply
from support.fault_proxy.proxy import FaultProxy
from support.fault_proxy.record import on
from support.targets.deployments import Deployment, deployment_on
from support.targets.s3 import S3Target, raw_client
from sync.test_blocking import ran
from sync.test_signals import ran as ran_on

if TYPE_CHECKING:
    from pathlib import Path

    from support.servers import Server

HEAD = """
import atexit, pickle, sys

later = []

@atexit.register
def last():
    # Runs after what was registered later, among it what closes stores.
    for call in later:
        call()

from statebucket.sync import open_store

def copied(value):
    return pickle.loads(pickle.dumps(value))

def used(keys):
    keys.set("k", b"v")
    keys.set("l", b"v")
    return keys

"""
LEFT = {
    "a store": "store = used(open_store(sys.argv[1]))",
    "a view": "acme = used(open_store(sys.argv[1]).tenant('acme'))",
    "a copied store": "acme = used(copied(open_store(sys.argv[1])))",
    "a copied execution": "e = used(copied(open_store(sys.argv[1]).tenant('acme').execution('e')))",
    "a listing": "keys = used(open_store(sys.argv[1])).iter_keys(); next(keys)",
    "a lease": "e = open_store(sys.argv[1]).tenant('acme').lease('e', ttl=60); e.__enter__()",
    "a later call": "store = used(open_store(sys.argv[1])); later.append(lambda: used(store))",
}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("service", ["s3", "azure"])
def test_what_a_program_leaves_open_is_closed_without_a_word(
    service: str, left: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("ministack" if service == "s3" else "azurite")
    with deployment_on(service, server, tmp_path) as made:
        assert ran_on(HEAD + LEFT[left], made) == ("", "")


def test_a_call_at_exit_behind_ours_works(tmp_path: Path) -> None:
    program = """
        import atexit
        atexit.register(lambda: print(store.get("k")))
        from statebucket.sync import open_store
        store = open_store("memory://")
        store.set("k", b"v")
    """
    done = ran(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'v'\n", "")


@pytest.mark.parametrize("used", [True, False], ids=["used before", "first used"])
def test_a_call_of_an_object_that_python_destroys_last_is_refused(
    tmp_path: Path, *, used: bool
) -> None:
    program = f"""
        import asyncio, os
        from statebucket import errors
        from statebucket.sync import open_store

        class Last:
            def __init__(self):
                self.store = open_store("memory://")
                if {used}:
                    self.store.sweep()
                self.unavailable, self.write = errors.Unavailable, os.write

            def __del__(self):
                try:
                    self.store.sweep()
                except self.unavailable as error:
                    self.write(1, str(error.outcome).encode() + b" " + str(error).encode())

        last = Last()
    """
    done = ran(program, tmp_path)
    refused = "none the interpreter has exited, so nothing is sent any more"
    assert (done.returncode, done.stdout, done.stderr) == (0, refused, "")


def test_a_call_that_a_signal_handler_interrupts_at_exit_is_sent_once(ministack: Server) -> None:
    program = """
import signal
from statebucket import background, sync
from statebucket.port import lock_free_future

roots = {sync.__file__, background.__file__, lock_free_future.__file__}
store = used(open_store(sys.argv[1], deadline=60))  # no try is given up on a busy machine
inside, seen = False, set()

def handle(*_):
    used(store)

def trace(frame, event, _):
    # Raises a signal at each line.
    global inside
    line = (frame.f_code.co_filename, frame.f_lineno)
    if event == "line" and not inside and line not in seen:
        seen.add(line)
        inside = True
        signal.raise_signal(signal.SIGINT)
        inside = False
    return trace

def begin(frame, event, _):
    return trace if frame.f_code.co_filename in roots else None

def interrupted():
    signal.signal(signal.SIGINT, handle)
    sys.settrace(begin)
    store.set("slow", b"v")
    sys.settrace(None)
    print(len(seen) > 20, store.get("slow"))

later.append(interrupted)
"""
    with FaultProxy(ministack.host, ministack.port) as proxy:
        target = S3Target(ministack, raw_client(ministack), proxy)
        proxy.always(DelayReply(0.5, when=on(contains="slow")))
        place = Deployment("s3", target.url, environ=ministack.environ)
        assert ran_on(HEAD + program, place) == ("True b'v'\n", "")
        assert proxy.count("PUT", "slow") == 1


def test_a_signal_handler_may_open_stores_while_others_are_closed_at_exit(tmp_path: Path) -> None:
    program = """
        import signal, sys, weakref
        from statebucket import background, sync

        stores = [sync.open_store("memory://") for _ in range(20)]
        stores[0].sweep()

        def opened(*_):
            stores.append(sync.open_store("memory://"))

        def trace(frame, event, _):
            if event == "line" and len(stores) < 100:
                signal.raise_signal(signal.SIGINT)
            return trace

        def begin(frame, event, _):
            return trace if frame.f_code.co_filename in roots else None

        signal.signal(signal.SIGINT, opened)
        roots = {one.__file__ for one in (sync, background, weakref)}
        sys.settrace(begin)
    """
    done = ran(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("host", ["plain", "as mod_wsgi"])
def test_a_subinterpreter_may_end(host: str, tmp_path: Path) -> None:
    pytest.importorskip("_testcapi", reason="this Python comes without its own tests' modules")
    inside = f"""if True:
        import atexit, signal, sys
        sys.path[:] = {sys.path!r}
        if {host!r} == "as mod_wsgi":  # whose subinterpreters may have threads, but no signals
            signal.signal = lambda number, handler: handler

        @atexit.register
        def last():
            try:
                store.sweep()
            except Exception as error:
                print(type(error).__name__, error)

        from statebucket.sync import open_store
        store = open_store("memory://")
        acme = store.tenant("acme")
        for name in "ef":
            acme.save_snapshot(acme.snapshot(name))
        left = acme.iter_snapshots(live=True)
        next(left)
    """
    program = f"import _testcapi; print('ended', _testcapi.run_in_subinterp({inside!r}))"
    done = ran(program, tmp_path)
    assert done.stdout.splitlines() == [
        "Unavailable the interpreter has exited, so nothing is sent any more",
        "ended 0",
    ]
    assert (done.returncode, done.stderr) == (0, "")

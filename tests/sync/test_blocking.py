"""Behaviour that only the blocking store has: threads, loops, forks, interrupts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, errors
from statebucket.sync import open_store
from support.fault_proxy.kinds import HangBeforeReply
from support.fault_proxy.proxy import FaultProxy
from support.targets.s3 import S3Target, raw_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statebucket.contract.reports import DeletionReport
    from support.servers import Server


def snapshot(number: int = 1) -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id=ExecutionId("e1"),
        tenant_id=TenantId("acme"),
        state=ExecutionState.RUNNING,
        sequence_number=number,
    )


def ran(program: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, with the modules of this one."""
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        timeout=240,  # what hangs ends; a busy disk takes its time
        check=False,
    )


def test_it_works_from_several_threads_at_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    keys = [f"k{number}" for number in range(20)]
    threads = [threading.Thread(target=store.set, args=(key, b"v")) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.iter_keys()) == sorted(keys)
    store.shutdown()


def test_it_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")

    async def handler() -> bytes | None:
        store.set("k", b"v")
        return store.get("k")

    assert [asyncio.run(handler()) for _ in range(3)] == [b"v"] * 3
    store.shutdown()


def test_an_iterator_may_be_left_half_way(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'state.db'}") as store:
        for number in range(5):
            store.set(f"k{number}", b"v")
        for key in store.iter_keys():
            assert key == "k0"
            break
        assert len(list(store.iter_keys())) == 5


QUIET = ("-W", "ignore::DeprecationWarning")
"""From 3.12 on Python warns of each fork of a process with threads."""

SCRIPT = """
    import os, sys
    from statebucket import ExecutionSnapshot, ExecutionState
    from statebucket.sync import open_store

    store = open_store(sys.argv[1], deadline=60)  # no try is given up on a busy machine
    acme = store.tenant("acme")
    acme.save_snapshot(ExecutionSnapshot(
        execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING, sequence_number=7))
    if sys.argv[2] == "fork":
        child = os.fork()
        if child == 0:
            found = acme.load_snapshot("e1")
            print("child", found.sequence_number, flush=True)
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        print("status", status)
    print("parent", acme.load_snapshot("e1").sequence_number, store.stats().retries)
"""


@pytest.mark.parametrize("how", ["fork", "exit"])
def test_a_process_may_fork_and_exit_without_closing(moto: Server, how: str) -> None:
    with FaultProxy(moto.host, moto.port) as proxy:  # it keeps connections open, moto does not
        target = S3Target(moto, raw_client(moto), proxy)
        run = subprocess.run(
            [sys.executable, *QUIET, "-c", textwrap.dedent(SCRIPT), target.url, how],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    # The parent's connection outlives the child, whose exit closes its copy.
    expected = ["child 7", "status 0", "parent 7 0"] if how == "fork" else ["parent 7 0"]
    assert (run.returncode, run.stdout.splitlines(), run.stderr) == (0, expected, "")


@pytest.mark.parametrize("engine", ["sdk", "http"])
def test_a_deadline_interrupts_a_call(moto: Server, engine: str) -> None:
    with FaultProxy(moto.host, moto.port) as proxy:
        store = open_store(S3Target(moto, raw_client(moto), proxy, engine).url, deadline=60)
        store.exists("warm")
        proxy.always(HangBeforeReply())
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceeded):
            store.with_deadline(1.0).get("k")
        assert time.monotonic() - started < 15  # not when the try ends, after 20 s
        proxy.heal()
        assert store.get("k") is None
        store.shutdown()


@pytest.fixture
def ctrl_c_raises() -> Iterator[None]:
    """As in a terminal: a process that a shell has put into the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_raises")
@pytest.mark.parametrize("engine", ["sdk", "http"])
def test_ctrl_c_interrupts_a_call(moto: Server, engine: str) -> None:
    with FaultProxy(moto.host, moto.port) as proxy:
        store = open_store(S3Target(moto, raw_client(moto), proxy, engine).url, deadline=60)
        store.exists("warm")
        proxy.clear()
        proxy.always(HangBeforeReply())

        def press() -> None:
            proxy.wait_for()  # it waits for the answer
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press).start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            store.get("k")
        assert time.monotonic() - started < 15  # not when the try ends, after 20 s
        proxy.heal()
        assert store.get("k") is None  # and the next call works
        store.shutdown()


def test_ctrl_c_in_a_listing_ends_the_program_and_says_nothing_more(tmp_path: Path) -> None:
    # Where a request that is cancelled cleans up for a moment, as an SDK's does.
    program = """
        import asyncio, os, signal
        import statebucket_local
        from statebucket.port.bucket import Limits, OpenedBucket
        from statebucket.sync import open_store
        from statebucket_local.memory import MemoryBucket
        class Hanging(MemoryBucket):
            limits = Limits(needs_loop=True)
            async def list(self, *args, **options):
                os.kill(os.getpid(), signal.SIGINT)
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0.1)
        statebucket_local.open_memory = lambda location: OpenedBucket(Hanging())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for key in open_store("memory://", deadline=60).iter_keys():
            print(key)
    """
    done = ran(program, tmp_path, *QUIET)
    assert done.stderr.endswith("\nKeyboardInterrupt\n")
    assert "generator" not in done.stderr
    assert done.stdout == ""


def test_errors_are_the_same(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'missing' / 'state.db'}") as store:
        with pytest.raises(errors.BucketNotFound):
            store.get("k")
        with pytest.raises(errors.InvalidKey):
            store.get("")
        with pytest.raises(errors.TenantMismatch):
            store.tenant("other").save_snapshot(snapshot())


def test_a_callback_that_would_wait_for_itself_is_told() -> None:
    store = open_store("memory://")
    store.save_snapshot(snapshot())

    def progress(_: DeletionReport) -> None:
        store.sweep()

    with pytest.raises(errors.UnsupportedOperation, match="deadlock"):
        store.delete_tenant("acme", progress=progress)
    assert store.get("k") is None


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("call", ["sweep", "delete_tenant", "delete_execution_state"])
def test_what_a_callback_raises_ends_the_call_and_not_the_loop(
    call: str, kind: type[BaseException]
) -> None:
    acme = open_store("memory://").tenant("acme")
    acme.save_snapshot(snapshot())

    def progress(_: object) -> None:
        raise kind("stop")

    calls: dict[str, Callable[[], object]] = {
        "sweep": lambda: acme.sweep(progress=progress),
        "delete_tenant": lambda: acme.delete_tenant("acme", progress=progress),
        "delete_execution_state": lambda: acme.delete_execution_state("e1", progress=progress),
    }
    with pytest.raises(kind, match="stop"):
        calls[call]()
    acme.save_snapshot(snapshot())
    assert acme.delete_tenant("acme").snapshots == 1


def test_a_callback_may_make_calls_that_need_no_loop(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/state.db")
    store.save_snapshot(snapshot())

    def progress(report: DeletionReport) -> None:
        store.set_json("so far", report.snapshots)

    store.delete_tenant("acme", progress=progress)
    assert store.get_json("so far") >= 1
    store.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("url", ["memory://", "sqlite:///state.db"])
def test_a_fork_in_the_middle_of_another_threads_call(url: str, tmp_path: Path) -> None:
    program = f"""
        import os, threading
        from statebucket.sync import open_store
        from statebucket_local import workers
        workers._FORK_SECONDS = 60.0  # a commit may take long on a busy disk
        store = open_store({url!r})
        over = threading.Event()
        def use():
            count = 0
            while not over.is_set():
                count += 1
                store.set("thread", str(count).encode())
                assert store.get("thread") == str(count).encode()
                list(store.iter_keys())
        thread = threading.Thread(target=use, daemon=True)
        thread.start()
        for number in range(20):
            child = os.fork()
            if not child:
                store.set("child", b"v")
                assert store.get("child") == b"v"
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        over.set()
        thread.join()
        print("done")
    """
    done = ran(program, tmp_path, *QUIET)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def forked(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that forks, to its end."""
    head = """
import os
from datetime import timedelta
from statebucket import errors
from statebucket.sync import open_store
store = open_store("sqlite:///state.db").tenant("acme")
store.set("a", b"v")
store.set("b", b"v")
def in_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
"""
    return ran(head + textwrap.dedent(program), folder, *QUIET)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_an_iterator_belongs_to_its_process(tmp_path: Path) -> None:
    program = """
        keys = store.iter_keys()
        next(keys)
        def work():
            try:
                next(keys)
            except errors.UnsupportedOperation:
                assert len(list(store.iter_keys())) == 2
        in_child(work)
        assert next(keys)
        print("done")
    """
    done = forked(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_lease_and_a_writer_belong_to_their_process(tmp_path: Path) -> None:
    program = """
        from statebucket import ExecutionSnapshot, ExecutionState
        snapshot = ExecutionSnapshot(
            execution_id="e1", tenant_id="acme", state=ExecutionState.RUNNING, sequence_number=1
        )
        hour = timedelta(hours=1)
        with store.lease("e1", ttl=hour) as lease, store.writer("e1") as writer:
            def work():
                assert not lease.held
                try:
                    store.save_snapshot(snapshot, lease=lease)
                    raise AssertionError
                except errors.LeaseLost:
                    pass
                try:
                    writer.save(snapshot)
                    raise AssertionError
                except errors.UnsupportedOperation:
                    pass
                writer.__exit__(None, None, None)
                lease_manager.__exit__(None, None, None)
            lease_manager = store.lease("e2", ttl=hour)
            lease_manager.__enter__()
            in_child(work)
            assert lease.held
            store.save_snapshot(snapshot, lease=lease)
            try:
                store.lease("e2", ttl=hour).__enter__()
                raise AssertionError
            except errors.LeaseHeld:
                lease_manager.__exit__(None, None, None)
        print("done")
    """
    done = forked(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_what_is_left_half_way_does_not_disturb_the_exit(tmp_path: Path) -> None:
    program = """
        keys = store.iter_keys()
        next(keys)
        print("done")
    """
    done = forked(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_what_is_left_half_way_may_be_collected_in_the_background_thread(tmp_path: Path) -> None:
    program = """
        import gc, threading
        from statebucket.background import background
        class Cycle:
            pass
        left = Cycle()
        left.itself, left.keys = left, store.iter_keys()
        next(left.keys)
        gc.disable()
        del left
        collected = threading.Event()
        loop = background().loop
        loop.call_soon_threadsafe(lambda: (gc.collect(), collected.set()))
        assert collected.wait(60)
        assert len(list(store.iter_keys())) == 2
        print("done")
    """
    done = forked(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_call_whose_loop_cannot_start_is_refused_without_a_warning(tmp_path: Path) -> None:
    program = """
        import threading
        from statebucket import errors
        from statebucket.sync import open_store

        def start(_):
            raise RuntimeError("can't create new thread at interpreter shutdown")

        store = open_store("memory://")
        threading.Thread.start = start  # as Python 3.12 and later have it at their exit
        for call in (store.sweep, lambda: store.tenant("acme").lease("e1", ttl=5).__enter__()):
            try:
                call()
            except errors.Unavailable as error:
                print(error.outcome, error)
    """
    done = ran(program, tmp_path, "-W", "error")
    assert (done.returncode, done.stderr) == (0, "")
    refused = (
        "none the blocking store cannot start its event loop: "
        "can't create new thread at interpreter shutdown"
    )
    assert done.stdout.splitlines() == [refused] * 2


def test_a_call_whose_loop_finds_no_file_to_open_may_be_made_again(tmp_path: Path) -> None:
    program = """
        import asyncio, contextlib, os, resource
        from statebucket import errors
        from statebucket.sync import open_store

        store = open_store("memory://")
        store.set("k", b"v")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit))
        files = []
        with contextlib.suppress(OSError):
            while True:
                files.append(os.open(os.devnull, os.O_RDONLY))
        try:
            store.sweep()
        except errors.Unavailable as error:
            print(error)
        for file in files:
            os.close(file)
        print(store.sweep().scanned)
    """
    done = ran(program, tmp_path)
    assert (done.returncode, "never awaited" in done.stderr) == (0, False)
    refused = "the blocking store cannot start its event loop: [Errno 24] Too many open files"
    assert done.stdout.splitlines() == [refused, "1"]


def test_a_module_that_another_thread_is_importing_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_store("memory://", tenant="acme") as store:
        name = "statebucket.contract.execution"
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # it has no class yet
        with store.lease("e1", ttl=60) as lease:
            assert lease.execution_id == "e1"

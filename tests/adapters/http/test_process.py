"""Forks, the end of a program, and event loops other than asyncio's."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import warnings

import pytest

from adapters.http.calls import hangs, send, transport
from adapters.http.peer import PUT, Peer
from statebucket import errors
from statebucket_http.wire import Request


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_leaves_its_parents_connections_alone() -> None:
    with Peer() as peer:
        sender = transport()
        asyncio.run(send(sender, peer))

        async def fork_within() -> None:
            await send(sender, peer)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, with threads
                child = os.fork()
            if not child:
                try:
                    thread = threading.Thread(target=asyncio.run, args=(send(sender, peer, PUT),))
                    thread.start()
                    thread.join(10)
                    gc.collect()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)  # noqa: ASYNC222  (nothing else runs in this loop)
            await send(sender, peer)

        asyncio.run(fork_within())
        assert [request.line[:3] for request in peer.requests] == ["GET", "GET", "PUT", "GET"]
        assert peer.accepted == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from 3.12 on, with threads
def test_a_child_process_opens_connections_of_its_own() -> None:
    with Peer() as peer:
        sender = transport()
        asyncio.run(send(sender, peer))
        child = os.fork()
        if not child:
            try:
                asyncio.run(send(sender, peer, PUT))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        asyncio.run(send(sender, peer))
        assert [request.line[:3] for request in peer.requests] == ["GET", "PUT", "GET"]
        assert peer.accepted == 2


def test_a_transport_that_no_one_closed_goes_without_a_warning() -> None:
    gc.collect()  # leftovers of earlier tests are not counted
    with Peer() as peer, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")

        async def forgotten() -> None:
            await send(transport(deadline=3), peer)
            for _ in range(100):  # the loop lets go of it, too
                gc.collect()
                if not peer.open:
                    return
                await asyncio.sleep(0.05)

        asyncio.run(forgotten())
        asyncio.run(send(transport(), peer))
        gc.collect()
        assert peer.until(lambda: not peer.open)
    assert [str(warning.message) for warning in said] == []


class BlindLoop(asyncio.SelectorEventLoop):
    """A loop that watches no sockets, as Windows' Proactor loop."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError

    remove_reader = add_writer = remove_writer = add_reader  # type: ignore[assignment]


def test_a_loop_that_watches_no_sockets_has_threads_wait() -> None:
    with Peer() as peer, asyncio.Runner(loop_factory=BlindLoop) as runner:
        sender = transport()
        body = os.urandom(2**20)
        for _ in range(3):
            put = Request("PUT", "/object", body=body)
            assert runner.run(send(sender, peer, put)).body == b"ok"
        assert peer.accepted == 1
        assert peer.requests[2].body == body
        assert asyncio.run(send(sender, peer)).body == b"ok"  # another loop has the same
        assert peer.accepted == 1
    with Peer(hangs) as peer, asyncio.Runner(loop_factory=BlindLoop) as runner:
        with pytest.raises(errors.Unavailable, match=r"nothing moved for 0\.1 s"):
            runner.run(send(transport(deadline=0.3), peer))

        async def cancelled() -> None:
            async with asyncio.timeout(0.2):
                await send(transport(deadline=60), peer)

        with pytest.raises(TimeoutError):
            runner.run(cancelled())
        assert peer.until(lambda: not peer.open)


BLOCKING = """
import sys, threading
from statebucket.port.waiting import step
from statebucket_http.transport import Transport
from statebucket_http.wire import Endpoint, Request

sender = Transport("S3", 30, None, 8)
endpoint = Endpoint("http", sys.argv[1], "", "")
for size in (5, 2**20, 5):
    reply = step(sender.send(endpoint, Request("PUT", "/k", body=bytes(size)), {}))
    print(reply.status, reply.body)
step(sender.close())
print(threading.active_count(), [name for name in ("asyncio", "ssl") if name in sys.modules])
"""


def test_the_same_code_runs_without_an_event_loop() -> None:
    with Peer() as peer:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", BLOCKING, f"localhost:{peer.port}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["200 b'ok'"] * 3 + ["1 []"]
        assert peer.accepted == 1


AT_EXIT = """
import asyncio, atexit, sys, threading
from statebucket_http.transport import Transport
from statebucket_http.wire import Endpoint, Request

class BlindLoop(asyncio.SelectorEventLoop):
    def add_reader(self, *_):
        raise NotImplementedError

    remove_reader = add_writer = remove_writer = add_reader

async def late():
    sender = Transport("S3", 30, None, 8)
    endpoint = Endpoint("http", sys.argv[1], "", "")
    for _ in range(2):
        reply = await sender.send(endpoint, Request("PUT", "/k", body=bytes(2**20)), {})
        print(reply.status, reply.body)
    await sender.close()

def start(_):
    raise RuntimeError("can't create new thread at interpreter shutdown")

def at_exit():
    if sys.argv[2] == "blind":
        loop_factory = BlindLoop
    else:
        loop_factory = asyncio.SelectorEventLoop
        threading.Thread.start = start  # as Python 3.12 and later have it by then
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(late())

atexit.register(at_exit)
"""


@pytest.mark.parametrize("loop", ["watching", "blind"])
def test_without_threads_at_the_interpreters_exit_it_waits_by_itself(loop: str) -> None:
    with Peer() as peer:
        done = subprocess.run(
            [sys.executable, "-c", AT_EXIT, f"localhost:{peer.port}", loop],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["200 b'ok'"] * 2
        assert peer.accepted == 1

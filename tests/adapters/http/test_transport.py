"""One request and its reply over real connections, and what they are worth afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.peer import GET, OK, PUT, Connection, Peer, answer
from statebucket import errors
from statebucket_http import connection as connections
from statebucket_http.transport import Transport
from statebucket_http.wire import Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from statebucket_http.wire import Reply

pytestmark = pytest.mark.usefixtures("no_proxies")


def transport(deadline: float = 30, **options: Any) -> Transport:
    return Transport("S3", deadline, None, 8, **options)


async def send(sender: Transport, peer: Peer, request: Request = GET) -> Reply:
    return await sender.send(peer.endpoint, request, {"host": peer.endpoint.host})


def lost(sender: Transport, peer: Peer, request: Request = PUT) -> errors.Unavailable:
    """The error that a request ends with."""
    with pytest.raises(errors.Unavailable) as told:
        asyncio.run(send(sender, peer, request))
    assert f"127.0.0.1:{peer.port}" in str(told.value)
    return told.value


LOOPS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "asyncio": asyncio.run,
    "uvloop": uvloop.run,
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_serves_one_loop_after_the_other(loop: str) -> None:
    with Peer() as peer:
        sender = transport()
        for _ in range(5):
            reply = LOOPS[loop](send(sender, peer, PUT))
            assert (reply.status, reply.body) == (200, b"ok")
        assert peer.accepted == 1
        assert [request.body for request in peer.requests] == [b"value"] * 5
        LOOPS[loop](sender.close())
        assert peer.until(lambda: not peer.open)


def test_loops_of_two_threads_use_connections_of_their_own() -> None:
    with Peer() as peer:
        sender = transport()

        async def many() -> None:
            for _ in range(50):
                await asyncio.gather(*(send(sender, peer, PUT) for _ in range(3)))

        threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(peer.requests) == 600
        assert peer.accepted <= 12
        asyncio.run(sender.close())
        assert peer.until(lambda: not peer.open)


def test_what_a_loop_has_not_used_for_a_moment_serves_another() -> None:
    with Peer() as peer:
        sender = transport(deadline=1)

        async def first() -> None:
            await send(sender, peer)
            await asyncio.sleep(0.5)  # more than a check's time, a twelfth of the deadline
            await asyncio.to_thread(asyncio.run, send(sender, peer))

        asyncio.run(first())
        assert peer.accepted == 1


def test_closing_reaches_what_another_running_loop_holds() -> None:
    with Peer() as peer:
        sender = transport()

        async def first() -> None:
            await send(sender, peer)
            await asyncio.to_thread(asyncio.run, sender.close())
            assert await asyncio.to_thread(peer.until, lambda: not peer.open)
            await send(sender, peer)

        asyncio.run(first())
        assert peer.accepted == 2


def test_at_most_so_many_idle_connections_are_kept() -> None:
    with Peer() as peer:
        sender = transport()

        async def many() -> None:
            await asyncio.gather(*(send(sender, peer) for _ in range(20)))
            assert await asyncio.to_thread(peer.until, lambda: peer.open == 8)

        asyncio.run(many())


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Peer() as peer:
        sender = transport()

        async def twice() -> None:
            await send(sender, peer)
            monkeypatch.setattr(connections, "KEEP_IDLE", 0.05)
            await asyncio.sleep(0.1)
            await send(sender, peer)

        asyncio.run(twice())
        assert peer.accepted == 2


@pytest.mark.parametrize("clock", ["time", "monotonic"])
def test_a_connection_that_outlived_a_freeze_is_not_used(
    monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    with Peer() as peer:
        sender = transport()
        asyncio.run(send(sender, peer))
        now = getattr(time, clock)
        with monkeypatch.context() as patch:
            # While a process is frozen one clock may stand still.
            patch.setattr(f"statebucket_http.connection.time.{clock}", lambda: now() + 60)
            asyncio.run(send(sender, peer))
        assert peer.accepted == 2
        assert peer.until(lambda: peer.open == 1)


@pytest.mark.parametrize("watched", [True, False])
def test_a_connection_that_the_peer_closed_is_noticed_before_use(*, watched: bool) -> None:
    with Peer() as peer:
        sender = transport()

        async def twice() -> None:
            await send(sender, peer, PUT)
            peer.hang_up()
            if watched:
                assert await asyncio.to_thread(peer.until, lambda: not peer.open)
            else:
                assert peer.until(lambda: not peer.open)  # the loop has no time to see it
            assert (await send(sender, peer, PUT)).body == b"ok"

        asyncio.run(twice())
        assert peer.accepted == 2


def test_an_answer_that_nobody_asked_for_is_not_taken() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(OK)
        time.sleep(0.05)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        connection.receive()

    with Peer(serve) as peer:
        sender = transport()

        async def twice() -> list[bytes]:
            first = await send(sender, peer)
            await asyncio.to_thread(time.sleep, 0.3)
            return [first.body, (await send(sender, peer)).body]

        assert asyncio.run(twice()) == [b"ok", b"ok"]
        assert peer.accepted == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"more",
    ],
)
def test_a_connection_is_not_used_after_such_a_reply(reply: bytes) -> None:
    with Peer(answer(reply)) as peer:
        sender = transport()
        for number in range(2):
            assert asyncio.run(send(sender, peer)).body == b"ok"
            assert peer.until(lambda: not peer.open)
            assert peer.accepted == number + 1


def test_a_head_request_has_no_body_and_an_empty_one_a_length() -> None:
    with Peer(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as peer:
        sender = transport()
        head = Request("HEAD", "/object")
        for _ in range(2):
            reply = asyncio.run(send(sender, peer, head))
            assert (reply.body, reply.headers) == (b"", {"content-length": "5"})
        assert peer.accepted == 1
        assert "content-length" not in peer.requests[0].headers
    with Peer() as peer:
        asyncio.run(send(sender, peer, Request("POST", "", "uploads=")))
        assert peer.requests[0].line == "POST /?uploads= HTTP/1.1"
        assert peer.requests[0].headers["content-length"] == "0"


def test_the_path_is_sent_as_it_was_signed() -> None:
    with Peer() as peer:
        endpoint = peer.endpoint._replace(path="/bucket")
        headers = {"host": endpoint.host}
        for request in (Request("GET", "", "list-type=2"), Request("GET", "/a~20b/%C3%A4")):
            asyncio.run(transport().send(endpoint, request, headers))
        assert [request.line for request in peer.requests] == [
            "GET /bucket?list-type=2 HTTP/1.1",
            "GET /bucket/a~20b/%C3%A4 HTTP/1.1",
        ]


# What is left open


def test_nothing_was_sent_where_nobody_listens() -> None:
    with Peer() as peer:
        pass
    error = lost(transport(), peer)
    assert error.outcome == "none"
    assert "cannot be reached" in error.message


def test_a_name_that_nobody_knows_cannot_be_reached() -> None:
    endpoint = Endpoint("http", "nobody.invalid", "", "")
    with pytest.raises(
        errors.Unavailable, match=r"cannot be reached at nobody\.invalid:80"
    ) as told:
        asyncio.run(transport().send(endpoint, PUT, {}))
    assert told.value.outcome == "none"


def test_a_name_is_looked_up_beside_the_loop() -> None:
    with Peer() as peer:
        endpoint = Endpoint("http", f"localhost:{peer.port}", "", "")
        sender = transport()

        async def many() -> None:
            await asyncio.gather(*(sender.send(endpoint, GET, {}) for _ in range(8)))

        asyncio.run(many())
        assert len(peer.requests) == 8


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a@b", "h:x", "h:1:2", "[::1", "ä", "a\r\nb"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="host"):
        asyncio.run(transport().send(Endpoint("http", host, "", ""), GET, {}))


def closes(connection: Connection) -> None:
    connection.request()


def resets(connection: Connection) -> None:
    connection.request()
    connection.reset()


def cuts(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")


def mumbles(connection: Connection) -> None:
    connection.request()
    connection.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


@pytest.mark.parametrize("serve", [closes, resets, cuts, mumbles])
def test_a_request_without_a_whole_answer_may_have_arrived(
    serve: Callable[[Connection], None],
) -> None:
    with Peer(serve) as peer:
        error = lost(transport(), peer)
        assert error.outcome == "unknown"
        assert "was lost" in error.message


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(b"HTTP/1.1 2".__add__)))
def test_any_bytes_are_a_reply_or_unavailable(data: bytes) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    with Peer(serve) as peer:
        try:
            reply = asyncio.run(send(transport(), peer))
        except errors.Unavailable as error:
            assert error.outcome == "unknown"  # noqa: PT017  (either may come)
        else:
            assert 200 <= reply.status < 1000


def test_after_a_lost_request_idle_connections_go() -> None:
    def serve(connection: Connection) -> None:
        while True:
            if connection.request().line.startswith("PUT"):
                connection.reset()
                return
            connection.send(OK)

    with Peer(serve) as peer:
        sender = transport()

        async def many() -> None:
            await asyncio.gather(*(send(sender, peer) for _ in range(4)))
            with pytest.raises(errors.Unavailable):
                await send(sender, peer, PUT)
            assert await asyncio.to_thread(peer.until, lambda: not peer.open)

        asyncio.run(many())


def test_what_cannot_be_sent_opens_no_connection() -> None:
    with Peer() as peer:
        with pytest.raises(errors.RequestRejected):
            asyncio.run(transport().send(peer.endpoint, GET, {"x-a": "b\r\nc: d"}))
        assert peer.accepted == 0


# Cancelled, stalled, slow


def hangs(connection: Connection) -> None:
    connection.request()
    connection.receive()


def test_a_cancelled_request_closes_its_connection_at_once() -> None:
    with Peer(hangs) as peer:
        sender = transport()

        async def cancelled() -> float:
            call = asyncio.create_task(send(sender, peer, PUT))
            assert await asyncio.to_thread(peer.until, lambda: bool(peer.requests))
            begun = time.monotonic()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(peer.until, lambda: not peer.open)
            return time.monotonic() - begun

        assert asyncio.run(cancelled()) < 2


def test_no_answer_for_a_third_of_the_deadline_is_an_error() -> None:
    with Peer(hangs) as peer:
        begun = time.monotonic()
        error = lost(transport(deadline=0.6), peer)
        assert error.outcome == "unknown"
        assert "nothing moved for 0.2 s" in error.message
        assert 0.19 < time.monotonic() - begun < 5


def test_a_reply_that_drips_is_read() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        for byte in OK:
            connection.send(bytes([byte]))
            time.sleep(0.02)
        connection.receive()

    with Peer(serve) as peer:
        assert asyncio.run(send(transport(deadline=0.9), peer)).body == b"ok"  # limit .3, takes .8


def test_an_upload_that_moves_goes_on_though_it_lies_in_the_systems_buffer() -> None:
    size = 512 * 1024

    def serve(connection: Connection) -> None:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        connection.head()
        taken = len(connection.buffer)
        while taken < size:
            time.sleep(0.02)
            taken += len(connection.sock.recv(8 * 1024))
        connection.send(OK)
        connection.receive()

    with Peer(serve) as peer:
        put = Request("PUT", "/object", body=bytes(size))
        assert asyncio.run(send(transport(deadline=1.8), peer, put)).body == b"ok"  # limit .6


def test_an_upload_that_nobody_takes_ends() -> None:
    gone = threading.Event()

    def serve(connection: Connection) -> None:
        connection.head()
        gone.wait(30)

    with Peer(serve) as peer:
        error = lost(transport(deadline=0.9), peer, Request("PUT", "/object", body=bytes(2**26)))
        gone.set()
        assert error.outcome == "unknown"


def test_an_early_reply_counts_and_ends_the_upload() -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"

    def serve(connection: Connection) -> None:
        connection.head()
        connection.send(refusal)
        connection.sock.shutdown(socket.SHUT_WR)
        connection.server.until(lambda: False, 0.2)

    with Peer(serve) as peer:
        put = Request("PUT", "/object", body=bytes(2**26))
        reply = asyncio.run(send(transport(), peer, put))
        assert (reply.status, reply.body) == (403, b"no")


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 5 * 2**20 + 3])
@pytest.mark.parametrize("loop", LOOPS)
def test_bodies_of_any_size_go_and_come(size: int, loop: str) -> None:
    def serve(connection: Connection) -> None:
        while True:
            body = connection.request().body
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection.send(body)

    body = os.urandom(size)
    with Peer(serve) as peer:
        put = Request("PUT", "/object", body=body)
        assert LOOPS[loop](send(transport(), peer, put)).body == body


def test_a_body_longer_than_allowed_is_not_read() -> None:
    with Peer(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")) as peer:
        error = lost(transport(max_body=1000), peer, GET)
        assert "longer than 1000 bytes" in error.message


# The rest of the process


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


def test_a_transport_that_nobody_closed_goes_without_a_warning() -> None:
    with Peer() as peer, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")

        async def forgotten() -> None:
            await send(transport(deadline=0.4), peer)
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
import sys
from statebucket_http.transport import Transport
from statebucket_http.waiting import lookup, wait
from statebucket_http.wire import Endpoint, Request

class Blocking:
    limit = 10.0

    def __init__(self, *_):
        pass

    def current(self):
        return self

    async def run(self, connection, step, limit=None):
        if not step.start():
            wait(connection, step, limit or self.limit)

    async def resolve(self, host, port):
        return lookup(host, port)

    def release(self, connection):
        connection.owner = None

    def ended(self):
        return False

def finish(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for a loop")

sender = Transport("S3", 30, None, 8, ways=Blocking)
endpoint = Endpoint("http", sys.argv[1], "", "")
for size in (5, 2**20, 5):
    reply = finish(sender.send(endpoint, Request("PUT", "/k", body=bytes(size)), {}))
    print(reply.status, reply.body)
finish(sender.close())
print([name for name in ("loop_waiting", "trust", "tls_connection")  # which import asyncio and ssl
       if f"statebucket_http.{name}" in sys.modules])
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
        assert done.stdout.splitlines() == ["200 b'ok'"] * 3 + ["[]"]
        assert peer.accepted == 1

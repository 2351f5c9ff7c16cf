"""Which connection a request uses: an idle one that is known to be good, or a new one."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapters.http.calls import LOOPS, send, transport
from adapters.http.peer import OK, PUT, Connection, Peer, answer
from statebucket import errors
from statebucket.port.waiting import step
from statebucket_http import connection as connections
from statebucket_http.pool import Pool
from statebucket_http.transport import Transport
from support.meanwhile import at_line, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


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

        in_threads(4, lambda: asyncio.run(many()))
        assert len(peer.requests) == 600
        assert peer.accepted <= 12
        asyncio.run(sender.close())
        assert peer.until(lambda: not peer.open)


@pytest.mark.parametrize("stepped", [False, True], ids=["loops", "stepped"])
def test_threads_that_send_first_share_what_they_make(*, stepped: bool) -> None:
    for _ in range(100):
        _send_first(step if stepped else asyncio.run)


def _send_first(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    ready = threading.Barrier(4)
    with Peer() as peer:
        sender = transport()

        async def twice() -> None:
            ready.wait(60)
            await send(sender, peer)
            await send(sender, peer)

        in_threads(4, lambda: run(twice()))
        assert len(peer.requests) == 8
        assert peer.accepted <= 4
        run(sender.close())
        assert peer.until(lambda: not peer.open)


@pytest.mark.parametrize("line", range(8))
def test_what_comes_back_while_another_thread_closes_is_closed(line: int) -> None:
    go_on = threading.Event()

    def serve(connection: Connection) -> None:
        while True:
            if connection.request().body:
                go_on.wait(60)
            connection.send(OK)

    with Peer(serve) as peer:
        sender = Transport("S3", 30, None, 1)

        def slow() -> None:
            with at_line(line, {Pool.put.__code__}, lambda: step(sender.close())):
                step(send(sender, peer, PUT))
            replied.append(True)

        replied: list[bool] = []
        thread = threading.Thread(target=slow)
        thread.start()
        assert peer.until(lambda: len(peer.requests) == 1)
        step(send(sender, peer))  # there is no room for both connections
        go_on.set()
        thread.join(60)
        assert replied
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


def test_an_answer_that_no_one_asked_for_is_not_taken() -> None:
    read, sent = threading.Event(), threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(OK)
        read.wait(60)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        sent.set()
        connection.receive()

    with Peer(serve) as peer:
        sender = transport()

        async def twice() -> list[bytes]:
            first = await send(sender, peer)
            read.set()
            assert await asyncio.to_thread(sent.wait, 60)
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

"""Slow exchanges: cancelled, stalled, slow and large ones."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time

import pytest

from adapters.http.calls import LOOPS, hangs, lost, send, transport
from adapters.http.peer import OK, PUT, Connection, Peer
from statebucket_http.wire import Request


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

        assert asyncio.run(cancelled()) < 8  # not when the try ends, after ten seconds


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
            time.sleep(0.04)
        connection.receive()

    with Peer(serve) as peer:
        assert asyncio.run(send(transport(deadline=3), peer)).body == b"ok"  # limit 1 s


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
        assert asyncio.run(send(transport(deadline=3), peer, put)).body == b"ok"  # limit 1 s


def test_an_upload_that_no_one_takes_ends() -> None:
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

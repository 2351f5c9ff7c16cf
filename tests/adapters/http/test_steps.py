"""A request and its reply on one connection, in orders that are rare on a network."""

from __future__ import annotations

import socket

import pytest

from statebucket_http.connection import Connection, Socket
from statebucket_http.head import BadReply
from statebucket_http.steps import Exchange

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
HEAD = b"PUT / HTTP/1.1\r\n\r\n"


def pair() -> tuple[Connection, socket.socket]:
    """A connection, and its peer's end."""
    ours, theirs = socket.socketpair()
    sock = Socket(fileno=ours.detach())
    sock.setblocking(False)  # noqa: FBT003  (the socket's own signature)
    return Connection(sock, 1000), theirs


def test_a_reply_counts_though_its_sender_has_closed_before_the_request_left() -> None:
    connection, peer = pair()
    peer.sendall(REFUSAL)
    peer.close()
    assert Exchange(connection, HEAD, bytes(2**20)).start()
    assert connection.reader.reply is not None
    assert connection.reader.reply.status == 403
    assert not connection.reader.reusable
    connection.close()


@pytest.mark.parametrize("begun", [b"", REFUSAL[:30]])
def test_nothing_was_sent_to_a_peer_that_had_closed(begun: bytes) -> None:
    connection, peer = pair()
    peer.sendall(begun)
    peer.close()
    exchange = Exchange(connection, HEAD, b"value")
    with pytest.raises((OSError, BadReply)):  # noqa: PT012  (a step goes on until it raises)
        if not exchange.start():
            exchange.readable()
    assert not connection.sent
    connection.close()


def test_what_the_system_does_not_take_at_once_waits() -> None:
    connection, peer = pair()
    body = bytes(range(256)) * 2**13
    exchange = Exchange(connection, HEAD, body)
    assert not exchange.start()
    assert (exchange.writing, connection.sent) == (True, True)
    received = b""
    with peer:
        while len(received) < len(HEAD) + len(body):
            received += peer.recv(2**16)
            assert not exchange.writable()
        assert received == HEAD + body
        assert (exchange.writing, connection.sent) == (False, True)
        peer.sendall(REFUSAL)
        assert exchange.readable()
        assert connection.reader.reusable
        connection.close()

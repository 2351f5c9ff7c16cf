"""One request over a real connection: what is sent, and what stays open without a reply."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.http.calls import lost, send, transport
from adapters.http.peer import GET, PUT, Connection, Peer, answer
from statebucket import errors
from statebucket_http.wire import Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_FAMILY = 4321  # no system has it


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


@pytest.mark.parametrize("sizes", [(0, 1, 0), (3, 10, 2), (3, 70_000, 5), (70_000, 3, 300_000)])
def test_a_body_may_come_in_parts(sizes: tuple[int, ...]) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    with Peer() as peer:
        request = Request("POST", "/object", body=parts[0], more=parts[1:])
        for _ in range(2):
            asyncio.run(send(transport(), peer, request))
        for received in peer.requests:
            assert received.headers["content-length"] == str(sum(sizes))
            assert received.body == b"".join(parts)
        assert len(peer.requests) == 2


def test_the_path_is_sent_as_it_was_signed() -> None:
    with Peer() as peer:
        endpoint = replace(peer.endpoint, path="/bucket")
        headers = {"host": endpoint.host}
        for request in (Request("GET", "", "list-type=2"), Request("GET", "/a~20b/%C3%A4")):
            asyncio.run(transport().send(endpoint, request, headers))
        assert [request.line for request in peer.requests] == [
            "GET /bucket?list-type=2 HTTP/1.1",
            "GET /bucket/a~20b/%C3%A4 HTTP/1.1",
        ]


def test_nothing_was_sent_where_no_one_listens() -> None:
    with Peer() as peer:
        pass
    error = lost(transport(), peer)
    assert error.outcome == "none"
    assert "cannot be reached" in error.message


def test_a_name_that_no_one_knows_cannot_be_reached() -> None:
    endpoint = Endpoint("http", "unknown.invalid", "", "")
    with pytest.raises(
        errors.Unavailable, match=r"cannot be reached at unknown\.invalid:80"
    ) as told:
        asyncio.run(transport().send(endpoint, PUT, {}))
    assert told.value.outcome == "none"


def test_an_address_of_a_family_that_the_system_lacks_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name service gives IPv6 addresses to systems without IPv6, too."""
    with Peer() as peer:
        there = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", peer.port))
        lacking = (_NO_FAMILY, socket.SOCK_STREAM, 6, "", ("::1", peer.port, 0, 0))
        found = [lacking, there]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        endpoint = Endpoint("http", f"name.example:{peer.port}", "", "")
        headers = {"host": endpoint.host}
        assert asyncio.run(transport().send(endpoint, GET, headers)).status == 200
        found.pop()
        with pytest.raises(errors.Unavailable, match=r"cannot be reached.*not supported") as told:
            asyncio.run(transport().send(endpoint, GET, headers))
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


def test_what_cannot_be_sent_opens_no_connection() -> None:
    with Peer() as peer:
        with pytest.raises(errors.RequestRejected):
            asyncio.run(transport().send(peer.endpoint, GET, {"x-a": "b\r\nc: d"}))
        assert peer.accepted == 0


def test_a_body_longer_than_allowed_is_not_read() -> None:
    with Peer(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")) as peer:
        error = lost(transport(max_body=1000), peer, GET)
        assert "longer than 1000 bytes" in error.message

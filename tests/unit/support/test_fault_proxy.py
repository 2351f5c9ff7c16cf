"""The fault proxy without faults: what it passes on, and what it records."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy import link
from support.fault_proxy.echo import Client, Rig, running_rig
from support.fault_proxy.proxy import Answer, DropReply, FaultProxy, Pass, on

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A server with a proxy before it."""
    with running_rig() as running:
        yield running


# What it passes on


@pytest.mark.parametrize(
    "target", ["/a%2Fb/%48~2F?q=%20+%e2%82%ac", "//a//b/../c/.", "/a?x=1&y&=#", "/~%7E%7e"]
)
def test_targets_are_passed_on_byte_for_byte(rig: Rig, target: str) -> None:
    assert rig.ask(target=target).echo["target"] == target
    assert [request.target for request in rig.proxy.requests] == [target]


def test_bodies_with_a_length_are_passed_on(rig: Rig) -> None:
    body = bytes(range(256)) * 1000
    assert rig.ask("PUT", "/x", body).echo["body"].encode("latin-1") == body
    assert rig.proxy.requests[0].body == body


def test_chunked_bodies_are_passed_on(rig: Rig) -> None:
    got = rig.ask("PUT", "/x", iter([b"one ", b"two"])).echo
    assert got["body"] == "one two"
    assert got["header transfer-encoding"] == "chunked"
    assert rig.proxy.requests[0].body == b"one two"


@pytest.mark.parametrize("target", ["/length", "/chunked", "/unframed", "/closing"])
def test_replies_of_every_framing_are_passed_on(rig: Rig, target: str) -> None:
    for _ in range(2):  # The second shows that the first was read to its end, and no further.
        assert rig.ask(target=target).echo["target"] == target
    assert rig.proxy.connections == 1


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/x", 200),
        ("HEAD", "/chunked", 200),
        ("GET", "/empty", 204),
        ("GET", "/unmodified", 304),
    ],
)
def test_replies_without_a_body_do_not_hang(
    rig: Rig, method: str, target: str, status: int
) -> None:
    for _ in range(2):
        got = rig.ask(method, target)
        assert (got.status, got.body) == (status, b"")


def test_head_keeps_the_length_of_the_body_it_leaves_out(rig: Rig) -> None:
    assert int(rig.ask("HEAD", "/x").headers["content-length"]) > 0


def test_connections_are_kept_on_both_sides(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_REUSE_S", 60.0)  # a second may pass on a busy machine
    for _ in range(3):
        rig.ask()
    assert {request.connection for request in rig.proxy.requests} == {1}
    assert len(rig.echo.clients) == 1
    rig.client().ask()
    assert rig.proxy.requests[-1].connection == 2


def test_expect_100_continue_is_answered_before_the_body(rig: Rig) -> None:
    head = b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n"
    first, second = rig.talk(head + b"Expect: 100-continue\r\n\r\n", b"hi")
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert second.startswith(b"HTTP/1.1 200 ")
    assert rig.proxy.requests[0].body == b"hi"


@pytest.mark.parametrize(
    "asked", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"]
)
def test_the_connection_is_closed_for_a_client_that_wants_it(rig: Rig, asked: bytes) -> None:
    [heard] = rig.talk(asked)  # Ends only when the proxy closes.
    assert heard.startswith(b"HTTP/1.1 200 ")


def test_what_is_no_http_is_refused(rig: Rig) -> None:
    [heard] = rig.talk(b"hello\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert not rig.proxy.requests


def test_a_server_that_is_gone_looks_like_a_lost_connection() -> None:
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))  # No one listens, nor can anyone else begin to.
        proxy = FaultProxy(*gone.getsockname())
        with proxy, pytest.raises(ConnectionError):
            Client(proxy.port).ask()
        assert "server failed" in proxy.requests[0].fault


def test_the_host_header_is_the_clients_own(rig: Rig) -> None:
    assert rig.ask().echo["header host"] == f"127.0.0.1:{rig.proxy.port}"


def test_the_host_header_is_rewritten_and_urls_mapped_back() -> None:
    with running_rig(rewrite_host="server.test:81") as rig:
        got = rig.ask(target="/location")
        assert got.echo["header host"] == "server.test:81"
        assert got.echo["url"] == f"{rig.proxy.url}/here"
        assert got.headers["location"] == f"{rig.proxy.url}/next"


# What it records


def test_requests_are_recorded(rig: Rig) -> None:
    rig.proxy.plan(Answer(503, when=on("PUT")))
    rig.ask("PUT", "/a", b"body", {"X-Mine": "v"})
    rig.ask("GET", "/empty")
    put, get = rig.proxy.requests
    assert (put.method, put.target, put.body, put.header("x-mine")) == ("PUT", "/a", b"body", "v")
    assert (put.status, put.forwarded, put.server_status) == (503, False, None)
    assert "Answer" in put.fault
    assert (get.status, get.forwarded, get.server_status) == (204, True, 204)
    assert get.fault == ""
    assert put.answered is not None
    assert put.started <= put.answered <= get.started


def test_requests_are_counted_and_forgotten(rig: Rig) -> None:
    for method, target in [("PUT", "/a/1"), ("GET", "/a/2"), ("GET", "/b/2")]:
        rig.ask(method, target)
    proxy = rig.proxy
    assert (proxy.count(), proxy.count("GET"), proxy.count("GET", "/a/")) == (3, 2, 1)
    assert proxy.count(contains="/2") == 2
    proxy.clear()
    assert proxy.count() == 0


def test_only_the_newest_requests_are_kept() -> None:
    with running_rig(keep=2) as rig:
        for number in range(5):
            rig.ask(target=f"/{number}")
        assert [request.target for request in rig.proxy.requests] == ["/3", "/4"]


def test_the_same_bytes_after_a_lost_reply_are_a_replay(rig: Rig) -> None:
    rig.proxy.plan(Pass(), DropReply())
    rig.ask("PUT", "/x", b"same")
    with pytest.raises(ConnectionError):
        rig.ask("PUT", "/x", b"same")
    for _ in range(2):
        rig.client().ask("PUT", "/x", b"same")
    replays = [request.replayed for request in rig.proxy.requests]
    assert replays == [False, False, True, False]


def test_other_bytes_after_a_lost_reply_are_no_replay(rig: Rig) -> None:
    rig.proxy.plan(DropReply())
    with pytest.raises(ConnectionError):
        rig.ask("PUT", "/x", b"same", {"Date": "1"})
    rig.client().ask("PUT", "/x", b"same", {"Date": "2"})
    assert [request.replayed for request in rig.proxy.requests] == [False, False]


def test_waiting_for_a_request(rig: Rig) -> None:
    with pytest.raises(TimeoutError):
        rig.proxy.wait_for(on("PUT"), timeout=0.05)
    timer = threading.Timer(0.1, rig.ask, ["PUT", "/late"])
    timer.start()
    start = time.monotonic()
    assert rig.proxy.wait_for(on("PUT")).target == "/late"
    assert time.monotonic() - start < 5
    timer.join()

"""Each kind of fault does what it says, to the client and to the server."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import replace
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

import pytest

from support.fault_proxy.echo import Rig, running_rig
from support.fault_proxy.proxy import (
    Answer,
    AnswerWith,
    BlackHole,
    Callback,
    CorruptBody,
    CorruptUpload,
    CutBody,
    Delay,
    DelayReply,
    DripBody,
    DropBeforeSend,
    DropReply,
    HangBeforeReply,
    HoldReplyUntil,
    HoldUntil,
    Recorded,
    Reply,
    RewriteReply,
    StallBody,
    Together,
    replace_header,
)
from support.patience import until
from support.warnings_guard import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

endings = pytest.mark.parametrize("error", [RemoteDisconnected, ConnectionResetError])
framings = pytest.mark.parametrize("target", ["/length", "/chunked"])


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A server with a proxy before it."""
    with running_rig() as running:
        yield running


def seconds(start: float) -> float:
    """Say how long ago that was."""
    return time.monotonic() - start


@endings
def test_drop_before_send(rig: Rig, error: type[Exception]) -> None:
    rig.proxy.plan(DropBeforeSend(reset=error is ConnectionResetError))
    with pytest.raises(ConnectionError) as caught:
        rig.ask("PUT", "/x")
    assert type(caught.value) is error
    assert rig.echo.asked == []
    [request] = rig.proxy.requests
    assert (request.forwarded, request.server_status, request.status) == (False, None, None)


@endings
def test_drop_reply(rig: Rig, error: type[Exception]) -> None:
    rig.proxy.plan(DropReply(reset=error is ConnectionResetError))
    with pytest.raises(ConnectionError) as caught:
        rig.ask("PUT", "/x")
    assert type(caught.value) is error
    assert rig.echo.asked == ["PUT /x"]
    [request] = rig.proxy.requests
    assert (request.forwarded, request.server_status, request.status) == (True, 200, None)


def test_a_reset_may_come_behind_the_clients_own(rig: Rig) -> None:
    gone = threading.Event()
    rig.proxy.plan(Together((HoldReplyUntil(gone.is_set), DropReply(reset=True))))
    with listening() as heard:
        with socket.create_connection(("127.0.0.1", rig.proxy.port)) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            rig.proxy.wait_for()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert rig.proxy.connections == 1
        gone.set()
        until(lambda: rig.proxy.connections == 0)
        assert rig.ask().status == 200  # by when what was raised there would have been told
        assert heard == []


def test_answer(rig: Rig) -> None:
    rig.proxy.plan(Answer(429, (("Retry-After", "3"),), b"slower"))
    got = rig.ask()
    assert (got.status, got.headers["retry-after"], got.body) == (429, "3", b"slower")
    assert rig.echo.asked == []
    assert rig.ask().status == 200  # On the same connection.
    assert rig.proxy.connections == 1


def test_answer_to_head_has_no_body(rig: Rig) -> None:
    rig.proxy.plan(Answer(404, body=b"nothing here"))
    got = rig.ask("HEAD")
    assert (got.status, got.headers["content-length"], got.body) == (404, "12", b"")
    assert rig.ask("HEAD").status == 200


def test_answer_with(rig: Rig) -> None:
    rig.proxy.plan(AnswerWith(lambda request: Reply(200, body=request.target.encode())))
    assert rig.ask(target="/mine").body == b"/mine"
    assert rig.echo.asked == []


def test_delay_reaches_the_server_late_even_without_a_client(rig: Rig) -> None:
    rig.proxy.plan(Delay(1.5))
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        rig.client(timeout=0.1).ask("PUT", "/late")
    assert rig.echo.asked == []
    until(lambda: rig.echo.asked)
    assert rig.echo.asked == ["PUT /late"]
    assert seconds(start) >= 1.5


def test_hold_until_reaches_the_server_once_something_has_happened(rig: Rig) -> None:
    may = threading.Event()
    rig.proxy.plan(HoldUntil(may.is_set))
    with pytest.raises(TimeoutError):
        rig.client(timeout=0.1).ask("PUT", "/late")
    rig.proxy.wait_for()
    assert rig.echo.asked == []
    may.set()
    until(lambda: rig.echo.asked)
    assert rig.echo.asked == ["PUT /late"]


def test_hold_reply_until_reaches_the_server_at_once(rig: Rig) -> None:
    may = threading.Event()
    rig.proxy.plan(HoldReplyUntil(may.is_set))
    client = rig.client()
    client.connection.request("GET", "/now")
    request = rig.proxy.wait_for()
    until(lambda: request.server_status)
    assert rig.echo.asked == ["GET /now"]
    assert request.status is None
    may.set()
    assert client.connection.getresponse().status == 200


def test_delay_reply_reaches_the_server_at_once(rig: Rig) -> None:
    rig.proxy.plan(DelayReply(1.2))
    start = time.monotonic()
    client = rig.client()
    client.connection.request("GET", "/now")
    until(lambda: rig.echo.asked)
    assert rig.proxy.requests[0].status is None
    assert client.connection.getresponse().status == 200
    assert seconds(start) >= 1.2


def test_hang_before_reply(rig: Rig) -> None:
    rig.proxy.plan(HangBeforeReply())
    with pytest.raises(TimeoutError):
        rig.client(timeout=0.3).ask("PUT", "/x")
    until(lambda: [request.server_status for request in rig.proxy.requests] == [200])
    assert rig.echo.asked == ["PUT /x"]


def test_black_hole(rig: Rig) -> None:
    rig.proxy.plan(BlackHole())
    with pytest.raises(TimeoutError):
        rig.client(timeout=0.3).ask("PUT", "/x")
    assert rig.proxy.wait_for().forwarded is False
    assert rig.echo.asked == []


@framings
def test_stall_body(rig: Rig, target: str) -> None:
    rig.proxy.plan(StallBody(after_bytes=7))
    client = rig.client()
    client.connection.request("GET", target)
    response = client.connection.getresponse()
    assert response.status == 200
    assert response.read(7) == b'{"metho'
    client.give_up_after(0.3)
    with pytest.raises(TimeoutError):
        response.read(1)


@framings
def test_drip_body(rig: Rig, target: str) -> None:
    whole = rig.ask(target=target).body
    start = time.monotonic()
    rig.proxy.plan(DripBody(every=0.002))
    assert rig.ask(target=target).body == whole
    assert seconds(start) >= 0.002 * len(whole)


def test_corrupt_upload_reaches_the_server_and_not_the_record(rig: Rig) -> None:
    altered, same = b"a b", b"a c"
    rig.proxy.always(CorruptUpload(marker=b" b"))
    assert rig.ask("PUT", body=altered).echo["body"] == "a!b"
    assert rig.ask("PUT", body=same).echo["body"] == "a c"
    rig.proxy.heal()
    rig.proxy.plan(Together((CorruptUpload(marker=b"a"), CorruptUpload(marker=b"b"))))
    assert rig.ask("PUT", body=altered).echo["body"] == "` c"
    assert [request.body for request in rig.proxy.requests] == [altered, same, altered]


@framings
@pytest.mark.parametrize("after_bytes", [0, 7])
def test_cut_body(rig: Rig, target: str, after_bytes: int) -> None:
    rig.proxy.plan(CutBody(after_bytes))
    client = rig.client()
    client.connection.request("GET", target)
    response = client.connection.getresponse()
    assert response.read(after_bytes) == b'{"metho'[:after_bytes]
    with pytest.raises(IncompleteRead):
        response.read()


def test_cut_body_with_a_reset(rig: Rig) -> None:
    rig.proxy.plan(CutBody(7, reset=True))
    with pytest.raises((ConnectionResetError, IncompleteRead)):
        rig.ask()


def test_cut_body_holds_back_a_byte_at_least(rig: Rig) -> None:
    whole = rig.ask().body
    rig.proxy.plan(CutBody(1_000_000))
    with pytest.raises(IncompleteRead) as caught:
        rig.ask()
    assert caught.value.partial == whole[:-1]


@pytest.mark.parametrize(("method", "target"), [("HEAD", "/x"), ("GET", "/empty")])
def test_a_reply_without_a_body_is_cut_whole(rig: Rig, method: str, target: str) -> None:
    rig.proxy.plan(CutBody(5), StallBody(5))
    with pytest.raises(ConnectionError):
        rig.ask(method, target)
    with pytest.raises(TimeoutError):
        rig.client(timeout=0.3).ask(method, target)


@framings
@pytest.mark.parametrize(("at", "index"), [(None, None), (0, 0), (-1, -1)])
def test_corrupt_body(rig: Rig, target: str, at: int | None, index: int | None) -> None:
    whole = rig.ask(target=target)
    rig.proxy.plan(CorruptBody(at))
    corrupt = rig.ask(target=target)
    assert corrupt.headers.get("content-length") == whole.headers.get("content-length")
    assert len(corrupt.body) == len(whole.body)
    changed = [
        place
        for place, (old, new) in enumerate(zip(whole.body, corrupt.body, strict=True))
        if old != new
    ]
    size = len(whole.body)
    assert changed == [size // 2 if index is None else index % size]


@framings
def test_rewrite_reply(rig: Rig, target: str) -> None:
    def rewrite(reply: Reply, request: Recorded) -> Reply:
        assert reply.status == 200
        headers = replace_header(reply.headers, "X-For", request.target)
        return replace(reply, status=207, headers=headers, body=b"other")

    rig.proxy.plan(RewriteReply(rewrite))
    got = rig.ask(target=target)
    assert (got.status, got.headers["x-for"], got.body) == (207, target, b"other")
    assert rig.echo.asked == [f"GET {target}"]
    assert rig.ask(target=target).status == 200


def test_callback_runs_between_server_and_client(rig: Rig) -> None:
    other = rig.client()

    def interfere(request: Recorded) -> None:
        assert rig.echo.asked == ["PUT /x"]
        assert request.status is None
        other.ask("PUT", "/y")

    rig.proxy.plan(Callback(interfere))
    rig.ask("PUT", "/x")
    assert rig.echo.asked == ["PUT /x", "PUT /y"]


def test_together(rig: Rig) -> None:
    other = rig.client()
    rig.proxy.plan(Together((Callback(lambda _: other.ask("PUT", "/y")), DropReply())))
    with pytest.raises(ConnectionError):
        rig.ask("PUT", "/x")
    assert rig.echo.asked == ["PUT /x", "PUT /y"]


def test_together_may_spoil_an_answer(rig: Rig) -> None:
    rig.proxy.plan(Together((Answer(503, body=b"12345"), CutBody(2))))
    with pytest.raises(IncompleteRead) as caught:
        rig.ask()
    assert caught.value.partial == b"12"
    assert rig.echo.asked == []

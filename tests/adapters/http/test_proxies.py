"""The environment's proxies: which one is used, how, and what errors show of it."""

from __future__ import annotations

import asyncio
import socket
import threading
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.request import (  # type: ignore[attr-defined]  # typeshed has not the second
    getproxies_environment,
    proxy_bypass_environment,
)

import pytest
import trustme

from adapters.http.peer import OK, PUT, Connection, Peer
from adapters.http.test_tls import context
from statebucket import errors
from statebucket_http.proxies import Proxy, proxy_of
from statebucket_http.transport import Transport
from statebucket_http.wire import Endpoint

if TYPE_CHECKING:
    from pathlib import Path


BASIC = f"Basic {b64encode(b'user:p@ss').decode()}"


def test_without_a_proxy_in_the_environment_there_is_none() -> None:
    assert proxy_of("http", "s3.example", 80) is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy:3128", Proxy("proxy", 3128, None)),
        ("http://proxy:3128/", Proxy("proxy", 3128, None)),
        ("HTTP://proxy", Proxy("proxy", 80, None)),
        ("proxy:3128", Proxy("proxy", 3128, None)),
        ("10.0.0.1:8080", Proxy("10.0.0.1", 8080, None)),
        ("http://[::1]:8080", Proxy("::1", 8080, None)),
        ("http://user:p%40ss@proxy:1", Proxy("proxy", 1, BASIC)),
        ("http://user@proxy:1", Proxy("proxy", 1, f"Basic {b64encode(b'user:').decode()}")),
    ],
)
@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "Https_Proxy"])
def test_the_forms_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, proxy: Proxy
) -> None:
    monkeypatch.setenv(name, url)
    assert proxy_of("https", "s3.example", 443) == proxy
    assert proxy_of("http", "s3.example", 80) is None
    assert "p@ss" not in repr(proxy)
    assert BASIC not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hunter2@[bad",
        "::::",
        "http://",
        "http://u:hunter2@",
        "http://proxy:0",
        "http://proxy:hunter2",
        "http://proxy:99999",
        "http://u:hunter2@proxy:1/path",
        "http://u:hunter2@proxy:1?x",
        "http://u:hunter2@pro xy",
        "http://u:hunter2@pro\nxy",
        "https://u:hunter2@proxy:1",
        "socks5://u:hunter2@proxy:1",
    ],
)
def test_what_is_no_proxy_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(errors.InvalidArgument, match="http_proxy") as told:
        proxy_of("http", "s3.example", 80)
    assert "hunter2" not in str(told.value)


HOSTS = ["s3.example", "a.s3.example", "xs3.example", "S3.Example", "10.0.0.1"]
EXCEPTIONS = [
    "", "*", "s3.example", ".s3.example", "S3.EXAMPLE", "example", "x, s3.example", "10.0.0.1",
    "s3.example:80", "s3.example:81", "10.0.0", "local", " * ", ",,",
]  # fmt: skip


@pytest.mark.parametrize("exceptions", EXCEPTIONS)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_exceptions_are_those_of_pythons_own_client(
    monkeypatch: pytest.MonkeyPatch, name: str, exceptions: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv(name, exceptions)
    for host in HOSTS:
        bypassed = proxy_bypass_environment(f"{host}:80", getproxies_environment())
        assert (proxy_of("http", host, 80) is None) == bool(bypassed), host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_plain_http_to_this_machine_goes_through_none(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("https_proxy", "http://proxy:1")
    assert proxy_of("http", host, 80) is None
    assert proxy_of("https", host, 443) == Proxy("proxy", 1, None)


def test_the_lower_spelling_counts_first_and_a_cgi_scripts_header_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://upper:1")
    assert proxy_of("http", "s3.example", 80) == Proxy("upper", 1, None)
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_of("http", "s3.example", 80) is None
    monkeypatch.setenv("http_proxy", "http://lower:1")
    assert proxy_of("http", "s3.example", 80) == Proxy("lower", 1, None)


def transport(bundle: str | None = None) -> Transport:
    return Transport("S3", 30, bundle, 8)


def test_over_http_the_proxy_gets_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with Peer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        sender = transport()
        endpoint = Endpoint("http", "s3.example:8080", "/bucket", "")
        for _ in range(2):
            reply = asyncio.run(sender.send(endpoint, PUT, {"host": "s3.example:8080"}))
            assert reply.body == b"ok"
        assert proxy.accepted == 1
        request = proxy.requests[0]
        assert request.line == "PUT http://s3.example:8080/bucket/object HTTP/1.1"
        assert request.headers["proxy-authorization"] == BASIC
        assert request.headers["host"] == "s3.example:8080"


def tunnel(target: Peer, first: bytes) -> object:
    """A proxy that connects all to one server."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(connection: Connection) -> None:
        connection.request()
        with socket.create_connection(("127.0.0.1", target.port)) as upstream:
            connection.send(first)
            back = threading.Thread(target=pump, args=(upstream, connection.sock), daemon=True)
            back.start()
            pump(connection.sock, upstream)
            back.join(10)

    return serve


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_over_tls_the_proxy_makes_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: bytes
) -> None:
    issuer = trustme.CA()
    bundle = tmp_path / "ca.pem"
    issuer.cert_pem.write_to_path(bundle)
    with (
        Peer(tls=context(issuer, "s3.example")) as service,
        Peer(tunnel(service, first)) as proxy,  # type: ignore[arg-type]
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        sender = transport(str(bundle))
        endpoint = Endpoint("https", "s3.example", "", "")
        for _ in range(2):
            assert asyncio.run(sender.send(endpoint, PUT, {"host": "s3.example"})).body == b"ok"
        assert (proxy.accepted, service.accepted) == (1, 1)
        connect = proxy.requests[0]
        assert connect.line == "CONNECT s3.example:443 HTTP/1.1"
        assert connect.headers["host"] == "s3.example:443"
        assert connect.headers["proxy-authorization"] == BASIC
        assert "proxy-authorization" not in service.requests[0].headers
        asyncio.run(sender.close())


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret",
        b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_a_proxy_that_makes_no_tunnel_leaves_the_service_unreached(
    monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(reply)

    with Peer(serve) as proxy:
        monkeypatch.setenv("https_proxy", f"http://u:hunter2@127.0.0.1:{proxy.port}")
        endpoint = Endpoint("https", "s3.example", "", "")
        with pytest.raises(errors.Unavailable, match="cannot be reached") as told:
            asyncio.run(transport().send(endpoint, PUT, {}))
        assert told.value.outcome == "none"
        assert f"s3.example:443 through the proxy 127.0.0.1:{proxy.port}" in str(told.value)
        assert "hunter2" not in str(told.value)
        assert "secret" not in str(told.value)
        assert proxy.until(lambda: not proxy.open)


def test_a_password_that_the_proxy_refuses_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with Peer(serve) as proxy:
        monkeypatch.setenv("https_proxy", f"http://u:hunter2@127.0.0.1:{proxy.port}")
        endpoint = Endpoint("https", "s3.example", "", "")
        with pytest.raises(errors.RequestRejected, match=r"s3\.example:443 answered 407") as told:
            asyncio.run(transport().send(endpoint, PUT, {}))
        assert told.value.outcome == "none"
        assert "hunter2" not in str(told.value)
        assert proxy.until(lambda: not proxy.open)


def test_what_only_this_machine_reaches_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr("statebucket.port.endpoint.is_loopback", lambda _: False)

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(OK)

    with Peer(serve) as peer:
        with pytest.raises(errors.Unavailable, match="through the proxy"):
            asyncio.run(transport().send(peer.endpoint, PUT, {}))
        sender = Transport("S3", 10, None, 4, direct=True)
        assert asyncio.run(sender.send(peer.endpoint, PUT, {})).body == b"ok"


def test_an_excepted_host_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(OK)

    with Peer(serve) as peer:
        reply = asyncio.run(transport().send(peer.endpoint, PUT, {}))
        assert reply.body == b"ok"

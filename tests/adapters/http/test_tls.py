"""TLS: which certificates are trusted, and what a handshake costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from msgspec.structs import replace

from adapters.http.peer import OK, PUT, Connection, Peer
from statebucket import errors
from statebucket.port.waiting import step
from statebucket_http.transport import Transport
from statebucket_http.wire import Request

if TYPE_CHECKING:
    from statebucket_http.wire import Reply


@pytest.fixture(scope="module")
def issuer() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(issuer: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    issuer.cert_pem.write_to_path(path)
    return str(path)


def context(issuer: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(host).configure_cert(made)
    return made


def transport(bundle: str | None, deadline: float = 30) -> Transport:
    return Transport("S3", deadline, bundle, 8, ca_setting="AWS_CA_BUNDLE")


async def send(sender: Transport, peer: Peer, request: Request = PUT) -> Reply:
    return await sender.send(peer.endpoint, request, {"host": peer.endpoint.host})


def untrusted(sender: Transport, peer: Peer) -> str:
    with pytest.raises(errors.UntrustedCertificate) as told:
        asyncio.run(send(sender, peer))
    assert told.value.outcome == "none"
    assert peer.requests == []
    return str(told.value)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_connections_with_tls_are_used_again(
    issuer: trustme.CA, bundle: str, version: ssl.TLSVersion
) -> None:
    tls = context(issuer)
    tls.minimum_version = tls.maximum_version = version
    with Peer(tls=tls) as peer:
        sender = transport(bundle)
        for _ in range(3):
            assert asyncio.run(send(sender, peer)).body == b"ok"
        assert peer.accepted == 1


def test_a_session_is_resumed(issuer: trustme.CA, bundle: str) -> None:
    resumed: list[bool | None] = []

    def serve(connection: Connection) -> None:
        assert isinstance(connection.sock, ssl.SSLSocket)
        resumed.append(connection.sock.session_reused)
        connection.request()
        connection.send(OK)

    with Peer(serve, tls=context(issuer)) as peer:
        sender = transport(bundle)
        for _ in range(3):
            asyncio.run(send(sender, peer))
            assert peer.until(lambda: not peer.open)
    assert resumed == [False, True, True]


def test_an_unknown_issuer_is_not_trusted(issuer: trustme.CA) -> None:
    with Peer(tls=context(issuer)) as peer:
        said = untrusted(transport(None), peer)
        assert f"127.0.0.1:{peer.port}" in said
        assert "issuer" in said
        assert "set AWS_CA_BUNDLE to trust other CAs" in said


def test_a_certificate_for_another_host_is_not_trusted(issuer: trustme.CA, bundle: str) -> None:
    with Peer(tls=context(issuer, "elsewhere.example")) as peer:
        assert "127.0.0.1" in untrusted(transport(bundle), peer)


def test_a_bundle_stands_in_place_of_the_systems_issuers(
    issuer: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("SSL_CERT_FILE", bundle)  # as if the system trusted the issuer
    with Peer(tls=context(issuer)) as peer:
        untrusted(transport(str(other)), peer)
        assert asyncio.run(send(transport(None), peer)).body == b"ok"


def test_a_folder_of_hashes_is_looked_into_and_then_the_systems_file(
    issuer: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for name, pem in (("known", bundle), ("unknown", str(other))):
        folder = tmp_path / name
        folder.mkdir()
        hashed = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", pem],
            capture_output=True,
            text=True,
            check=True,
        )
        (folder / f"{hashed.stdout.strip()}.0").write_bytes(Path(pem).read_bytes())
    paths = ssl.get_default_verify_paths()
    with Peer(tls=context(issuer)) as peer:
        for folder, file in ((tmp_path / "known", other), (tmp_path / "unknown", bundle)):
            for name in (paths.openssl_cafile_env, paths.openssl_capath_env):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setattr(
                ssl,
                "get_default_verify_paths",
                lambda folder=folder: paths._replace(capath=str(folder)),
            )
            monkeypatch.setattr(
                ssl.SSLContext,
                "load_default_certs",
                lambda made, file=file: made.load_verify_locations(cafile=str(file)),
            )
            assert asyncio.run(send(transport(None), peer)).body == b"ok"


@pytest.mark.parametrize(
    ("names", "complete"),
    [((b"Acme Trust",), False), ((b"No Trust", b"Other Trust"), True), ((b"No Trust",), True)],
)
def test_a_services_usual_issuers_are_read_first_and_then_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: tuple[bytes, ...], *, complete: bool
) -> None:
    acme, other = (trustme.CA(organization_name=f"{name} Trust") for name in ("Acme", "Other"))
    system = tmp_path / "system.pem"
    system.write_bytes(other.cert_pem.bytes() + acme.cert_pem.bytes())
    paths = ssl.get_default_verify_paths()._replace(
        cafile=str(system),
        capath=None,  # type: ignore[arg-type]  # as where there is no folder
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    read: list[str] = []

    def load_all(made: ssl.SSLContext) -> None:
        read.append("all")
        made.load_verify_locations(cafile=system)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", load_all)
    with Peer(tls=context(acme)) as peer:
        sender = Transport("S3", 30, None, 8, authorities=names)

        async def at_once() -> list[Reply]:
            return await asyncio.gather(*(send(sender, peer) for _ in range(3)))

        assert [reply.body for reply in asyncio.run(at_once())] == [b"ok"] * 3
    assert read == ["all"] * complete


def test_issuers_are_found_where_python_does_not_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issuer: trustme.CA, bundle: str
) -> None:
    """A Python that was built on another system, such as uv's, looks where that one has them."""
    found = ssl.get_default_verify_paths()
    paths = found._replace(cafile=None, capath=None)  # type: ignore[arg-type]  # there are none
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda _: None)
    for name in (paths.openssl_cafile_env, paths.openssl_capath_env):
        monkeypatch.delenv(name, raising=False)
    nowhere = str(tmp_path / "none.pem")
    monkeypatch.setattr("statebucket_http.trust._BUNDLES", (nowhere, bundle))
    with Peer(tls=context(issuer)) as peer:
        assert asyncio.run(send(transport(None), peer)).body == b"ok"
    with Peer(tls=context(issuer)) as peer:
        monkeypatch.setenv(paths.openssl_cafile_env, nowhere)  # the user's choice
        assert "ca-certificates" not in untrusted(transport(None), peer)
        monkeypatch.delenv(paths.openssl_cafile_env)
        monkeypatch.setattr("statebucket_http.trust._BUNDLES", (nowhere,))
        told = untrusted(transport(None), peer)
    assert "no CAs on this system: install ca-certificates; set AWS_CA_BUNDLE" in told


def test_a_context_that_does_not_count_its_issuers_is_used(
    monkeypatch: pytest.MonkeyPatch, issuer: trustme.CA, bundle: str
) -> None:
    """Such as that of the library truststore, which asks the system about each certificate."""

    def uncounted(_: ssl.SSLContext) -> None:
        raise NotImplementedError

    monkeypatch.setattr(ssl.SSLContext, "cert_store_stats", uncounted)
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, bundle)
    with Peer(tls=context(issuer)) as peer:
        assert asyncio.run(send(transport(None), peer)).body == b"ok"


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "text.pem"])
def test_a_bundle_that_is_none_is_named(tmp_path: Path, issuer: trustme.CA, name: str) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "text.pem").write_bytes(b"no certificate")
    with Peer(tls=context(issuer)) as peer:
        with pytest.raises(errors.InvalidArgument, match=name):
            asyncio.run(send(transport(str(tmp_path / name)), peer))
        assert peer.accepted == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version_of_tls_is_refused(issuer: trustme.CA, bundle: str) -> None:
    tls = context(issuer)
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with Peer(tls=tls) as peer, pytest.raises(errors.Unavailable, match="cannot be reached"):
        asyncio.run(send(transport(bundle), peer))


def test_a_server_without_tls_cannot_be_reached_with_it(bundle: str) -> None:
    def serve(connection: Connection) -> None:
        connection.receive()
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Peer(serve) as peer:
        endpoint = replace(peer.endpoint, scheme="https")
        with pytest.raises(errors.Unavailable, match="cannot be reached") as told:
            asyncio.run(transport(bundle).send(endpoint, PUT, {}))
        assert told.value.outcome == "none"


def test_a_handshake_that_hangs_ends(bundle: str) -> None:
    def serve(connection: Connection) -> None:
        while True:
            connection.receive()

    with Peer(serve) as peer:
        endpoint = replace(peer.endpoint, scheme="https")
        with pytest.raises(errors.Unavailable, match="cannot be reached") as told:
            asyncio.run(transport(bundle, deadline=0.6).send(endpoint, PUT, {}))
        assert told.value.outcome == "none"


def echo(connection: Connection) -> None:
    while True:
        body = connection.request().body
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.send(body)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_a_signal_handler_may_send_in_the_middle_of_a_receive(
    issuer: trustme.CA, bundle: str
) -> None:
    sender = transport(bundle)
    handled: list[bytes] = []

    def handle(*_: object) -> None:
        request = Request("PUT", "/object", body=b"signal" * 9_999)
        handled.append(step(send(sender, peer, request)).body)

    def received(_: object, event: str, function: object) -> None:
        if event == "c_return" and getattr(function, "__name__", "") == "recv_into":
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    body = os.urandom(300_000)
    try:
        with Peer(echo, tls=context(issuer)) as peer:
            sys.setprofile(received)
            try:
                reply = step(send(sender, peer, Request("PUT", "/object", body=body)))
            finally:
                sys.setprofile(None)
            assert reply.body == body
            assert handled
            assert set(handled) == {b"signal" * 9_999}
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [0, 16 * 1024, 5 * 2**20 + 3])
def test_bodies_of_any_size_go_and_come(
    issuer: trustme.CA, bundle: str, size: int, version: ssl.TLSVersion
) -> None:
    tls = context(issuer)
    tls.maximum_version = version
    body = os.urandom(size)
    with Peer(echo, tls=tls) as peer:
        sender = transport(bundle)
        for _ in range(2):
            reply = asyncio.run(send(sender, peer, Request("PUT", "/object", body=body)))
            assert reply.body == body
        assert peer.accepted == 1


def cut(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")


def cut_with_goodbye(connection: Connection) -> None:
    cut(connection)
    assert isinstance(connection.sock, ssl.SSLSocket)
    connection.sock.unwrap()


LONG = bytes(100_000)  # seven records


def cut_between_records(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
    connection.send(LONG)


def cut_between_records_with_goodbye(connection: Connection) -> None:
    cut_between_records(connection)
    assert isinstance(connection.sock, ssl.SSLSocket)
    connection.sock.unwrap()


@pytest.mark.parametrize(
    "serve",
    [cut, cut_with_goodbye, cut_between_records, cut_between_records_with_goodbye],
)
def test_a_reply_that_is_cut_short_is_lost(issuer: trustme.CA, bundle: str, serve: object) -> None:
    with Peer(serve, tls=context(issuer)) as peer:  # type: ignore[arg-type]
        with pytest.raises(errors.Unavailable, match="was lost") as told:
            asyncio.run(send(transport(bundle), peer))
        assert told.value.outcome == "unknown"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (b"", LONG),
        (b"Transfer-Encoding: chunked\r\n", b"186a0\r\n" + LONG + b"\r\n0\r\n\r\n"),
    ],
    ids=["to the end", "in chunks"],
)
def test_a_body_of_many_records_and_no_told_length_is_read_whole(
    issuer: trustme.CA, bundle: str, fields: bytes, sent: bytes
) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n")
        connection.send(sent)
        assert isinstance(connection.sock, ssl.SSLSocket)
        connection.sock.unwrap()

    with Peer(serve, tls=context(issuer)) as peer:
        reply = asyncio.run(send(transport(bundle), peer))
        assert reply.body == LONG
        assert reply.framed is bool(fields)


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="only Linux holds segments back")
def test_a_connection_whose_peer_has_said_goodbye_behind_chunks_is_not_used_again(
    issuer: trustme.CA, bundle: str
) -> None:
    over = threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        assert isinstance(connection.sock, ssl.SSLSocket)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        # Both in one segment: a goodbye that arrives after the next request is a lost connection.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.send(b"2\r\nok\r\n0\r\n\r\n")
        connection.sock.settimeout(0.05)
        with contextlib.suppress(OSError, ValueError):  # the other's goodbye does not come
            connection.sock.unwrap()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        over.wait(20)  # the connection stays open

    with Peer(serve, tls=context(issuer)) as peer:
        sender = transport(bundle)

        async def twice() -> None:
            for _ in range(2):
                assert (await send(sender, peer)).body == b"ok"

        try:
            asyncio.run(twice())
        finally:
            over.set()
        assert peer.accepted == 2


def test_a_connection_that_the_peer_closed_is_noticed_before_use(
    issuer: trustme.CA, bundle: str
) -> None:
    with Peer(tls=context(issuer)) as peer:
        sender = transport(bundle)

        async def twice() -> None:
            await send(sender, peer)
            peer.hang_up()
            assert peer.until(lambda: not peer.open)
            assert (await send(sender, peer)).body == b"ok"

        asyncio.run(twice())
        assert peer.accepted == 2


def test_calls_at_a_time_have_connections_of_their_own(issuer: trustme.CA, bundle: str) -> None:
    with Peer(tls=context(issuer)) as peer:
        sender = transport(bundle)

        async def many() -> list[bytes]:
            replies = [await asyncio.gather(*(send(sender, peer) for _ in range(8))) for _ in "ab"]
            return [reply.body for batch in replies for reply in batch]

        assert asyncio.run(many()) == [b"ok"] * 16
        assert peer.accepted == 8

"""A server on loopback whose behaviour, per connection, is a function of the test."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from statebucket_http.wire import Endpoint, Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = Request("GET", "/object")
PUT = Request("PUT", "/object", body=b"value")


class Received(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One client's connection, on the server's side."""

    def __init__(self, server: Peer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.buffer = b""

    def receive(self) -> bytes:
        """The next bytes; raises EOFError at their end."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        return data

    def head(self) -> tuple[str, dict[str, str]]:
        """The first line and the fields of the next request."""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        return line, {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}

    def request(self) -> Received:
        """The next request, whole."""
        line, headers = self.head()
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self.buffer += self.receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        received = Received(line, headers, body)
        self.server.requests.append(received)
        return received

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Ends the connection without a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def answer(reply: bytes = OK) -> Callable[[Connection], None]:
    """Answers each request alike."""

    def serve(connection: Connection) -> None:
        while True:
            connection.request()
            connection.send(reply)

    return serve


class Peer:
    """The server.

    Args:
        serve: Called for each connection, in a thread; returns or raises at its end. By default
            it answers each request alike.
        tls: With what it speaks TLS.
    """

    def __init__(
        self,
        serve: Callable[[Connection], None] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.serve = serve or answer()
        self.tls = tls
        self.requests: list[Received] = []
        self.accepted = 0
        self.open = 0
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        scheme = "http" if self.tls is None else "https"
        return Endpoint(scheme, f"127.0.0.1:{self.port}", "", "")

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the one who accepts
        self._listener.close()
        self.hang_up()
        assert self.until(lambda: not self.open)

    def hang_up(self) -> None:
        """Ends all connections."""
        for sock in list(self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def until(self, holds: Callable[[], bool], seconds: float = 60) -> bool:
        """Whether something about its connections comes to hold in time; blocks."""
        end = time.monotonic() + seconds
        with self._changed:
            while not holds():
                self._changed.wait(min(0.05, seconds))
                if time.monotonic() >= end and not holds():
                    return False
        return True

    def _count(self, accepted: int, opened: int) -> None:
        with self._changed:
            self.accepted += accepted
            self.open += opened
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._count(1, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            self.serve(Connection(self, sock))
        except (EOFError, OSError):
            pass
        finally:
            sock.close()
            self._count(0, -1)

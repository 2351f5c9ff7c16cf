"""A small server for the proxy's own tests: it echoes requests, in every framing."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from support.fault_proxy.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WAIT_S = 60.0  # only for what never comes


@dataclass(slots=True)
class Echo:
    """The running server.

    Attributes:
        port: Its port on 127.0.0.1.
        asked: The method and target of each request, in order.
        clients: The address of each connection that sent a request.
    """

    port: int
    asked: list[str] = field(default_factory=list)
    clients: set[tuple[str, int]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True)
class Got:
    """What a client got.

    Attributes:
        status: The status.
        headers: The headers, their names in lower case.
        body: The body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def echo(self) -> dict[str, str]:
        """The request that the server reports."""
        parsed: dict[str, str] = json.loads(self.body)
        return parsed


@contextmanager
def running_echo() -> Iterator[Echo]:
    """Run a server whose replies are framed as the target says.

    The target may contain "chunked", "unframed" (the body ends with the connection), "closing"
    (the connection ends soon after), "empty" (204), "unmodified" (304) or "location" (a Location
    header); otherwise there is a Content-Length.

    Yields:
        The server.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.echo = Echo(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.echo  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Client:
    """A client with one connection, kept open as long as server and proxy keep it."""

    def __init__(self, port: int, timeout: float = _WAIT_S) -> None:
        """Prepare a connection, which the first request opens.

        Args:
            port: The port to connect to on 127.0.0.1.
            timeout: Seconds to wait for anything.
        """
        self.connection = HTTPConnection("127.0.0.1", port, timeout=timeout)

    def give_up_after(self, seconds: float) -> None:
        """Wait so long for anything from now on, on the connection that there is."""
        assert self.connection.sock is not None
        self.connection.sock.settimeout(seconds)

    def ask(
        self,
        method: str = "GET",
        target: str = "/",
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Ask and read the whole reply.

        Args:
            method: The method.
            target: The target, sent as it is.
            body: The body; one of several parts is sent chunked.
            headers: Headers to add.

        Returns:
            The reply.
        """
        chunked = body is not None and not isinstance(body, bytes)
        self.connection.request(method, target, body, dict(headers or {}), encode_chunked=chunked)
        response = self.connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Got(response.status, found, response.read())


class Rig:
    """A server, a proxy before it, and clients of the proxy.

    Attributes:
        echo: The server.
        proxy: The proxy.
    """

    def __init__(self, echo: Echo, proxy: FaultProxy) -> None:
        """Put the parts together."""
        self.echo = echo
        self.proxy = proxy
        self._clients: list[Client] = []
        self.ask = self.client().ask

    def client(self, timeout: float = _WAIT_S) -> Client:
        """Make another client, closed with the rig.

        Args:
            timeout: Seconds to wait for anything.

        Returns:
            The client.
        """
        self._clients.append(Client(self.proxy.port, timeout))
        return self._clients[-1]

    def talk(self, *sent: bytes) -> list[bytes]:
        """Send bytes on a plain socket until the proxy closes it.

        Args:
            *sent: The parts; a reply is awaited after each.

        Returns:
            What was received after each part, and from the last one to the end.
        """
        with socket.create_connection(("127.0.0.1", self.proxy.port), timeout=_WAIT_S) as plain:
            heard = []
            for part in sent:
                plain.sendall(part)
                heard.append(plain.recv(1 << 16))
            while more := plain.recv(1 << 16):
                heard[-1] += more
        return heard

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            client.connection.close()


@contextmanager
def running_rig(*, rewrite_host: str | None = None, keep: int | None = None) -> Iterator[Rig]:
    """Run a server, a proxy before it, and clients.

    Args:
        rewrite_host: As `FaultProxy` takes it.
        keep: As `FaultProxy` takes it.

    Yields:
        The rig.
    """
    with (
        running_echo() as echo,
        FaultProxy("127.0.0.1", echo.port, rewrite_host=rewrite_host, keep=keep) as proxy,
        closing(Rig(echo, proxy)) as rig,
    ):
        yield rig


class _Handler(BaseHTTPRequestHandler):
    """Replies to every method in the same way."""

    protocol_version = "HTTP/1.1"
    # Otherwise a thread whose client is silent would keep the test process from ending.
    timeout = _WAIT_S
    # Otherwise every reply waits 40 ms for the client to acknowledge its head.
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        """Echo the request."""
        echo: Echo = self.server.echo  # type: ignore[attr-defined]
        # self.path is no use: it strips leading slashes.
        method, target, _ = self.requestline.split(" ")
        echo.asked.append(f"{method} {target}")
        echo.clients.add(self.client_address)
        asked = {"method": method, "target": target, "body": self._read_body().decode("latin-1")}
        asked |= {f"header {name.lower()}": value for name, value in self.headers.items()}
        asked["url"] = f"http://{self.headers['Host']}/here"
        self._answer(target, json.dumps(asked).encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, target: str, body: bytes) -> None:
        status = HTTPStatus.OK
        if "empty" in target:
            status = HTTPStatus.NO_CONTENT
        elif "unmodified" in target:
            status = HTTPStatus.NOT_MODIFIED
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if "location" in target:
            self.send_header("Location", f"http://{self.headers['Host']}/next")
        if "closing" in target:
            self.send_header("Connection", "close")
        if "unframed" in target:
            self.close_connection = True
        elif "chunked" in target:
            self.send_header("Transfer-Encoding", "chunked")
            parts = (body[:10], body[10:])
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif status is HTTPStatus.OK:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status is HTTPStatus.OK:
            self.wfile.write(body)
        if "closing" in target:
            time.sleep(0.1)

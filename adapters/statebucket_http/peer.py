"""A host that requests go to, and how a connection to it is opened."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from statebucket.errors import InvalidArgument, RequestRejected
from statebucket_http.connection import Connection, Socket
from statebucket_http.head import BadReply, write_head
from statebucket_http.pool import Pool
from statebucket_http.proxies import proxy_of
from statebucket_http.steps import Connect, Exchange, Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext, SSLSession

    from statebucket_http.tls_connection import TLSConnection
    from statebucket_http.trust import Trust
    from statebucket_http.waiting import Address, Waits

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_ADDRESS = frozenset("0123456789ABCDEFabcdef:.")  # between brackets
_PORT_DIGITS = 5
_PORTS = {"http": 80, "https": 443}
_OK = range(200, 300)
_WRONG_USER = 407


class Peer:
    """One host, and the connections to it.

    Args:
        scheme: "http" or "https".
        host: The host with its port, in the form of the ``Host`` header.
        most: How many unused connections are kept.
        direct: Whether to ignore the environment's proxies.

    Raises:
        InvalidArgument: The host is not valid, or the environment names an unusable proxy.

    Attributes:
        key: Its scheme and host, as they were given.
        name: Its host and port, for messages.
        prefix: What to put before a request's path: a proxy needs the whole URL.
        headers: Headers for the proxy, sent with each request.
        pool: The unused connections.
    """

    def __init__(self, scheme: str, host: str, most: int, *, direct: bool = False) -> None:
        name, port = _parts(host)
        usual = _PORTS.get(scheme)
        if not name or usual is None:
            raise InvalidArgument(f"no host to send requests to: {host!r}")
        self.key = (scheme, host)
        self.pool = Pool(most)
        self._host = name.strip("[]")
        self._port = int(port or usual)
        self._tls = scheme == "https"
        self._proxy = proxy = None if direct else proxy_of(scheme, self._host, self._port)
        self.name = f"{name}:{self._port}"
        self._authority = self.name
        self.prefix = f"http://{host}" if proxy is not None and not self._tls else ""
        self._dialled = (self._host, self._port)
        self._authorized: dict[str, str] = {}
        if proxy is not None:
            self._dialled = (proxy.host, proxy.port)
            self.name += f" through the proxy {proxy.host}:{proxy.port}"
            if proxy.authorization is not None:
                self._authorized["proxy-authorization"] = proxy.authorization
        self.headers = self._authorized if self.prefix else {}
        self._addresses = _numeric(*self._dialled)
        self._session: tuple[SSLContext, SSLSession] | None = None

    async def open(self, waits: Waits, max_body: int, trust: Trust | None) -> Connection:
        """Opens a connection, with TLS if the scheme is "https".

        Args:
            waits: How to wait.
            max_body: The longest body of a reply, in bytes.
            trust: Whose certificates are trusted; not None for TLS.

        Raises:
            OSError: It cannot be reached; `ssl.SSLCertVerificationError` if it is not trusted.
            BadReply: The proxy refuses, or the connection was closed within the handshake.
            RequestRejected: The proxy refuses the user and password.
        """
        generation = self.pool.generation
        connection = await self._connect(waits, max_body)
        if trust is not None:
            try:
                connection = await self._secure(connection, waits, max_body, trust)
            except BaseException:
                connection.close()
                raise
        connection.generation = generation
        return connection

    async def _connect(self, waits: Waits, max_body: int) -> Connection:
        """Connects to the first of the host's addresses that can be reached."""
        addresses = self._addresses or await waits.resolve(*self._dialled)
        last: OSError | None = None
        for number, (family, address) in enumerate(addresses, 1):
            try:
                sock = Socket(family, socket.SOCK_STREAM)
            except OSError as error:  # such as of IPv6, where the system is without it
                last = last or error
                continue
            connection = Connection(sock, max_body)
            connection.sock.setblocking(False)  # noqa: FBT003  (the socket's own signature)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Leave time for another address if this one does not answer.
            limit = waits.limit / 2 ** min(number, len(addresses) - 1)
            try:
                await waits.run(connection, Connect(connection, address), limit)
            except OSError as error:
                connection.close()
                last = error
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise last or OSError("the host has no address")

    async def _secure(
        self, plain: Connection, waits: Waits, max_body: int, trust: Trust
    ) -> TLSConnection:
        """Does the TLS handshake, through the proxy if there is one."""
        from ssl import MemoryBIO  # noqa: PLC0415  (8 ms that only TLS costs)

        from statebucket_http.tls_connection import TLSConnection  # noqa: PLC0415  (as above)

        if self._proxy is not None:
            await self._tunnel(plain, waits)
        if plain.owner is not None:
            plain.owner.release(plain)
        context = trust.context
        kept = self._session  # read once: another thread may replace it
        session = kept[1] if kept is not None and kept[0] is context else None
        incoming, outgoing = MemoryBIO(), MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=self._host, session=session)
        connection = TLSConnection(plain.sock, tls, incoming, outgoing, max_body)
        try:
            await waits.run(connection, Handshake(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _tunnel(self, connection: Connection, waits: Waits) -> None:
        """Makes the proxy connect to the host."""
        headers = {"host": self._authority, **self._authorized}
        head = write_head("CONNECT", self._authority, headers, None)
        await waits.run(connection, Exchange(connection, head, b"", bodiless=True))
        reader = connection.reader
        if reader.reply is not None and reader.reply.status == _WRONG_USER:
            raise RequestRejected(
                f"the proxy before {self._authority} answered 407 to the user and password in its "
                "environment variable"
            )
        if reader.reply is None or reader.reply.status not in _OK:
            status = reader.reply.status if reader.reply is not None else "nothing"
            raise BadReply(f"the proxy answers {status} to CONNECT")
        if reader.surplus:
            raise BadReply("the proxy sends data before the TLS handshake")

    def note_session(self, connection: Connection) -> None:
        """Keeps the TLS session, once a reply has come on a new connection.

        A handshake that resumes it takes .2 ms instead of .8 (with a chain of three certificates).
        """
        connection.session_due = False
        self._session = connection.session() or self._session


def _parts(host: str) -> tuple[str, str]:
    """The name or address of a host, with its brackets, and its port; nothing if it is none."""
    if host.startswith("["):
        inner, bracket, rest = host[1:].partition("]")
        name = f"[{inner}]" if inner and bracket and _ADDRESS.issuperset(inner) else ""
        _, colon, port = rest.partition(":") if rest[:1] in {"", ":"} else ("", ":", "")
    else:
        name, colon, port = host.partition(":")
        name = name if _NAME.issuperset(name) else ""
    digits = port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS
    return (name, port) if digits or not colon else ("", "")


def _numeric(host: str, port: int) -> Sequence[Address] | None:
    """The IP address that a host consists of; None for a name."""
    try:
        name = host.encode()  # as bytes: for text, Python would load its Unicode tables
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    return [(family, address) for family, _, _, _, address in found]

"""The proxy's connections: to a client, and on to the server."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from support.fault_proxy.http1 import (
    LINE_LIMIT,
    ProtocolError,
    encode_reply,
    encode_request,
    read_body,
    read_reply,
    read_request_head,
)
from support.fault_proxy.messages import Reply, header, replace_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fault_proxy.messages import Request
    from support.fault_proxy.record import Recorded

_CLOSE_S = 1.0
# Servers close idle connections after some seconds. One used more recently than this is not closed
# just as the next request is sent, which a proxy could not repeat unnoticed.
_REUSE_S = 1.0
_LINGER_NOT = struct.pack("ii", 1, 0)


class Drop(Exception):
    """Close the client's connection now.

    Attributes:
        reset: Whether to close it with a reset (RST) rather than in good order (FIN).
    """

    def __init__(self, *, reset: bool = False) -> None:
        """Make the signal."""
        super().__init__()
        self.reset = reset


class ServerGone(Exception):
    """The server could not be reached, or broke off."""


class Link:
    """A client's connection.

    Attributes:
        number: Its number, from 1.
        busy: Whether it has a request without an answer.
        frozen: Whether it must never answer again.
    """

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take over an accepted connection."""
        self.number = number
        self.busy = False
        self.frozen = False
        self._reader = reader
        self._writer = writer

    async def receive(self) -> Request | None:
        """Read the next request.

        Returns:
            The request, or None if the client closed the connection.

        Raises:
            Drop: The client closed it in the middle.
            ProtocolError: It is not a request.
        """
        with _client_may_leave():
            head = await read_request_head(self._reader)
            if head is None:
                return None
            self.busy = True
            expected = (header(head.headers, "expect") or "").lower()
            if expected == "100-continue" and not self.frozen:
                self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body, wire_body = await read_body(self._reader, head.headers)
            return replace(head, body=body, wire_body=wire_body)

    async def send(
        self,
        request: Recorded,
        reply: Reply,
        *,
        only: int | None = None,
        every: float | None = None,
    ) -> None:
        """Answer a request; hang instead if the connection is frozen.

        Args:
            request: The request.
            reply: The answer.
            only: How many bytes of the body to send, or None for all.
            every: Seconds to wait before each byte of the body, or None to send it at once.
        """
        if self.frozen:
            await self.hang()
        before, body, after = encode_reply(reply, request.method)
        request.status = reply.status
        request.answered = time.monotonic()
        rest = body + after if only is None else body[:only]
        self._writer.write(before if every is not None else before + rest)
        with _client_may_leave():
            await self._writer.drain()
            for at in range(0 if every is None else len(rest)):
                await asyncio.sleep(every or 0.0)
                self._writer.write(rest[at : at + 1])
                await self._writer.drain()

    async def refuse(self, why: str) -> None:
        """Reply 400 to something that is not a request.

        Args:
            why: What is wrong with it.
        """
        self._writer.write(b"".join(encode_reply(Reply(400, body=why.encode()), "GET")))
        with _client_may_leave():
            await self._writer.drain()

    async def hang(self) -> NoReturn:
        """Swallow everything, and send nothing, until the client gives up.

        Raises:
            Drop: The client closed the connection.
        """
        with _client_may_leave():
            while await self._reader.read(1 << 16):
                pass
        raise Drop

    async def close(self, *, reset: bool = False) -> None:
        """Close the connection.

        Args:
            reset: Whether to do so with a reset, which the client sees as an error at once.
        """
        if reset:
            connection = self._writer.get_extra_info("socket")
            with suppress(OSError):  # The client was quicker, with a reset of its own.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self._writer.transport.abort()
        await _close(self._writer)


class Upstream:
    """A connection to the server, kept between the requests of one client's connection."""

    def __init__(self, host: str, port: int, host_header: str | None) -> None:
        """Prepare a connection.

        Args:
            host: The server's address.
            port: The server's port.
            host_header: The Host header to send, or None for the client's own.
        """
        self._host = host
        self._port = port
        self._host_header = host_header
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def exchange(self, request: Request) -> Reply:
        """Send a request and read its reply.

        Args:
            request: The request.

        Returns:
            The server's reply.

        Raises:
            ServerGone: There is none.
        """
        try:
            reader, writer = await self._connect()
            writer.write(encode_request(request, self._host_header))
            # A server may refuse a request, and close, before it has read all of it.
            with suppress(ConnectionError):
                await writer.drain()
            reply, stays_open = await read_reply(reader, request.method)
        except (OSError, EOFError, ProtocolError) as error:
            await self.close()
            raise ServerGone(str(error)) from error
        self._used = time.monotonic()
        if not stays_open:
            await self.close()
        seen_by_client = header(request.headers, "host")
        if self._host_header is not None and seen_by_client is not None:
            return _mapped_back(reply, self._host_header, seen_by_client)
        return reply

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            await _close(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Give the open connection, or a new one."""
        if self._streams is not None:
            reader, _ = self._streams
            if reader.at_eof() or time.monotonic() - self._used > _REUSE_S:
                await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=LINE_LIMIT)
        return self._streams


@contextmanager
def _client_may_leave() -> Iterator[None]:
    """Treat a client's lost connection as its end, unlike other errors."""
    try:
        yield
    except (OSError, EOFError) as error:
        raise Drop from error


def _mapped_back(reply: Reply, server: str, proxy: str) -> Reply:
    """Put the proxy into the URLs that a server returns, or clients would bypass it."""
    if "json" in (header(reply.headers, "content-type") or ""):
        body = reply.body.replace(f"://{server}/".encode(), f"://{proxy}/".encode())
        reply = replace(reply, body=body)
    location = header(reply.headers, "location")
    if location is not None:
        location = location.replace(f"://{server}/", f"://{proxy}/")
        reply = replace(reply, headers=replace_header(reply.headers, "Location", location))
    return reply


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a stream and wait for that, but not for a peer that does not read."""
    writer.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        pass  # It is closed, as intended.

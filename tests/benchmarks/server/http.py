"""HTTP/1.1 on an asyncio protocol: a request in, a reply out, and no more than that."""

from __future__ import annotations

import asyncio
import traceback
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Request(NamedTuple):
    """A request, read whole."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """A reply; ``length`` is told instead of the body's, for HEAD."""

    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    length: int | None = None


class Protocol(asyncio.Protocol):
    """One connection.

    Args:
        answer: Answers a request.
        latency: Seconds that each reply waits.
    """

    transport: asyncio.Transport

    def __init__(self, answer: Callable[[Request], Reply], latency: float) -> None:
        self._answer = answer
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if "expect" in self._headers:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("ascii").partition("?")
        request = Request(
            self._parser.get_method().decode(),
            unquote(path),
            dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            self._headers,
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
        )
        try:
            reply = self._answer(request)
        except Exception:  # noqa: BLE001  # or the client waits forever
            traceback.print_exc()
            reply = Reply(500)
        if request.method == "HEAD" and reply.body:
            reply = reply._replace(body=b"", length=0)
        if self._latency:
            self._loop.call_later(self._latency, self._write, reply)
        else:
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        length = len(reply.body) if reply.length is None else reply.length
        head = "".join(
            [
                f"HTTP/1.1 {_REASONS[reply.status]}\r\n",
                *[f"{name}: {value}\r\n" for name, value in reply.headers.items()],
                "\r\n"
                if reply.status == HTTPStatus.NO_CONTENT
                else f"Content-Length: {length}\r\n\r\n",
            ]
        ).encode("latin-1")
        if len(reply.body) < 1 << 16:
            self.transport.write(head + reply.body)
        else:
            self.transport.writelines((head, reply.body))

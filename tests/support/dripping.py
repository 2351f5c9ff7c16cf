"""A server that sends its reply byte by byte."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOUND = b"HTTP/1.1 200 OK\r\nx-goog-generation: 1\r\nx-goog-meta-writeid: 1\r\n"
"""The head of a Cloud Storage object, without its length."""


@asynccontextmanager
async def dripping(head: bytes, size: int) -> AsyncIterator[str]:
    """A server that sends its reply byte by byte, some 20 a second."""
    over = False

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + f"Content-Length: {size}\r\n\r\n".encode())
        with suppress(ConnectionError):
            for _number in range(size):
                if over:
                    break
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over = True
        await asyncio.sleep(0.1)

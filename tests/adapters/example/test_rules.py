"""The example follows the rules on the page for authors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.example.dictionary import DictionaryBucket
from statebucket import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def answering(reply: bytes, closed: asyncio.Event) -> AsyncIterator[DictionaryBucket]:
    """A bucket whose server gives one answer, or none, and notes that the client has gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await reader.read()
        closed.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield DictionaryBucket(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (400, errors.RequestRejected, "none"),
        (401, errors.InvalidCredentials, "none"),
        (403, errors.AccessDenied, "none"),
        (429, errors.Throttled, "none"),
        (503, errors.Unavailable, "unknown"),
    ],
)
async def test_errors_are_sorted_by_what_the_caller_can_do(
    status: int, error: type[errors.StateBucketError], outcome: str
) -> None:
    reply = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    async with answering(reply, asyncio.Event()) as bucket:
        with pytest.raises(errors.StateBucketError) as raised:
            await bucket.delete("name")
    assert type(raised.value) is error
    assert raised.value.outcome == outcome


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b"nonsense\r\n\r\n"]
)
async def test_an_answer_that_is_cut_short_is_no_answer(reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        bucket = DictionaryBucket(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(errors.Unavailable) as raised:
            await bucket.delete("name")
    assert raised.value.outcome == "unknown"


async def test_a_call_that_is_cancelled_stops() -> None:
    closed = asyncio.Event()
    async with answering(b"", closed) as bucket:
        call = asyncio.create_task(bucket.delete("name"))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(closed.wait(), 60)

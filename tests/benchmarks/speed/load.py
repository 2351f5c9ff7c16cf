"""The speed of the server alone: requests of 1 KiB as pipelines of raw bytes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.server.process import Server

_CONNECTIONS = 4
_AT_ONCE = 16
_SECONDS = 0.7


def raw_rate(server: Server, cloud: str) -> float:
    """GETs of 1 KiB a second that the server answers."""
    server.seed(cloud, "raw/load{}", 1, "x" * 1024)
    path = {"azure": "/devstoreaccount1/bench/raw/load0"}.get(cloud, "/bench/raw/load0")
    return asyncio.run(_rate(server.port(cloud), path))


async def _rate(port: int, path: str) -> float:
    batch = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * _AT_ONCE
    until = time.perf_counter() + _SECONDS

    async def ask() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        size = 0
        while time.perf_counter() < until:
            writer.write(batch)
            if not size:
                head = await reader.readuntil(b"\r\n\r\n")
                size = len(head) + 1024
                await reader.readexactly(size * _AT_ONCE - len(head))
            else:
                await reader.readexactly(size * _AT_ONCE)
            done += _AT_ONCE
        writer.close()
        return done

    begun = time.perf_counter()
    done = sum(await asyncio.gather(*[ask() for _ in range(_CONNECTIONS)]))
    return done / (time.perf_counter() - begun)

"""A transport, and the requests that tests send through it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from adapters.http.peer import GET, PUT, Connection, Peer
from statebucket import errors
from statebucket_http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from statebucket_http.wire import Reply, Request

LOOPS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "asyncio": asyncio.run,
    "uvloop": uvloop.run,
}


def transport(deadline: float = 30, **options: Any) -> Transport:
    return Transport("S3", deadline, None, 8, **options)


async def send(sender: Transport, peer: Peer, request: Request = GET) -> Reply:
    return await sender.send(peer.endpoint, request, {"host": peer.endpoint.host})


def lost(sender: Transport, peer: Peer, request: Request = PUT) -> errors.Unavailable:
    """The error that a request ends with."""
    with pytest.raises(errors.Unavailable) as told:
        asyncio.run(send(sender, peer, request))
    assert f"127.0.0.1:{peer.port}" in str(told.value)
    return told.value


def hangs(connection: Connection) -> None:
    connection.request()
    connection.receive()

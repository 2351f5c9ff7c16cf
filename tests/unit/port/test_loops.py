"""Clients that belong to an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import pytest

from statebucket.port.loops import ClientPerLoop

if TYPE_CHECKING:
    from types import TracebackType


class Opening:
    """A client that takes a moment to open, and knows how many are open."""

    open = 0

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0.02)
        Opening.open += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Opening.open -= 1


@pytest.mark.asyncio
async def test_a_close_while_clients_are_being_opened_leaves_none_open() -> None:
    clients = ClientPerLoop(Opening)
    opening = [asyncio.create_task(clients.get()) for _ in range(3)]
    await asyncio.sleep(0.01)
    await clients.close()
    used = {id(client) for client in await asyncio.gather(*opening)}
    assert Opening.open <= 1  # a call that came after the close may have opened another
    assert len(used) <= 2
    await clients.close()
    assert Opening.open == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("moment", [0.0, 0.005])
async def test_a_close_that_is_cancelled_leaves_no_client_open(moment: float) -> None:
    clients = ClientPerLoop(Opening)
    opening = asyncio.create_task(clients.get())
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(clients.close())
    await asyncio.sleep(moment)
    closing.cancel()
    await opening
    await clients.close()
    assert Opening.open == 0


@pytest.mark.asyncio
async def test_a_call_that_is_cancelled_while_a_client_is_opened_leaves_none_open() -> None:
    clients = ClientPerLoop(Opening)
    for number in range(5):
        opening = asyncio.create_task(clients.get())
        await asyncio.sleep(0.006 * number)
        opening.cancel()
        await asyncio.wait([opening])
    await clients.close()
    assert Opening.open == 0

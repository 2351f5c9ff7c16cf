"""Values and clients that belong to one event loop.

A function runtime keeps module globals and calls `asyncio.run` for each invocation, so a store made
at import time is used in many loops, one after the other or in several threads. Objects bound to a
loop (clients, semaphores) are kept here by loop, and dropped once that loop is closed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from statebucket.port.loop_waiting import running_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value for each running event loop.

    Args:
        make: Makes the value, inside the loop.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        # Without a lock, which a fork could leave locked: each operation on it is atomic in the
        # interpreter, and a loop's entry is only touched by the loop's own thread.
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """The running loop's value, made on the first call."""
        loop = running_loop()
        try:
            return self._values[loop]
        except KeyError:
            for other in list(self._values):
                if other.is_closed():
                    self._values.pop(other, None)
            value = self._values[loop] = self._make()
            return value

    def pop(self) -> T | None:
        """Removes and returns the running loop's value, if there is one."""
        return self._values.pop(running_loop(), None)


class ClientPerLoop(Generic[T]):
    """One open client for each running event loop, closed with it.

    The client lives in an async generator: `asyncio.run` closes its loop's async generators when it
    ends, and the client with them. A bare ``loop.close()`` does not; call `close` before it.

    Args:
        connect: Returns a context manager that opens the client. It must not itself be an async
            generator, which `asyncio.run` would close at the same time.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._connect = connect
        self._slots: PerLoop[_Slot[T]] = PerLoop(_Slot)

    async def get(self) -> T:
        """The running loop's client, opened on the first call."""
        while True:
            slot = self._slots.get()
            if slot.client is not None:
                return slot.client
            async with slot.lock:
                # An earlier call may have opened it, or closed it before it was open.
                if slot.client is None and not slot.closed:
                    await self._open(slot)

    async def close(self) -> None:
        """Closes the running loop's client; the next `get` opens another."""
        slot = self._slots.pop()
        if slot is not None:
            slot.closed = True
            async with slot.lock:  # for a client that is being opened, until that is closed
                if slot.holder is not None:
                    await slot.holder.aclose()

    async def _open(self, slot: _Slot[T]) -> None:
        holder = self._hold()
        client = await anext(holder)
        if slot.closed:  # meanwhile, by a call that may have been cancelled since
            await holder.aclose()
        else:
            slot.client, slot.holder = client, holder

    async def _hold(self) -> AsyncGenerator[T]:
        async with self._connect() as client:
            yield client


class _Slot(Generic[T]):
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.closed = False
        self.client: T | None = None
        self.holder: AsyncGenerator[T] | None = None

"""Waiting in the running event loop of asyncio; see `statebucket.port.waiting`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class LoopWaiting:
    """See `statebucket.port.waiting.Waiting`."""

    def time(self) -> float:
        """See `Waiting.time`; the loop's, which may be a virtual one in tests."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """See `Waiting.sleep`."""
        await asyncio.sleep(seconds)

    def until(self, deadline: float) -> AbstractAsyncContextManager[object]:
        """See `Waiting.until`."""
        return asyncio.timeout_at(deadline)

    async def result(self, future: Future[T]) -> T:
        """See `Waiting.result`."""
        return await asyncio.wrap_future(future)

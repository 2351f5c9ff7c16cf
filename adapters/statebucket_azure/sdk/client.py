"""The SDK's clients: how they are made, kept and closed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from statebucket_azure.sdk.transport import SendOnce, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.storage.blob.aio import BlobClient, ContainerClient

    from statebucket_azure.sdk.target import Target

_LARGEST_PUT = 5000 * 2**20  # the most that the service accepts in one request
_KEPT_CLIENTS = 256  # BlobClients; each takes 32 kB of memory, and 0.1 ms to make


class Connection:
    """The clients of one event loop, an async context manager.

    Attributes:
        container: The container's client.
        blob: The client of a blob, by name; the most recently used ones are kept.
    """

    container: ContainerClient
    blob: Callable[[str], BlobClient]

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.container = self._target.client or await self._open(stack)
            self._stack = stack.pop_all()
        self.blob = lru_cache(_KEPT_CLIENTS)(self.container.get_blob_client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> ContainerClient:
        target = self._target
        transport = Transport(target.max_in_flight, target.idle)
        stack.push_async_callback(transport.close)
        credential = target.credential
        if target.make_credential is not None:
            tokens = Transport(target.max_in_flight, target.idle)
            stack.push_async_callback(tokens.close)
            made = target.make_credential(transport=tokens)
            credential = await stack.enter_async_context(made)
        return target.connect(
            credential,
            transport=transport,
            retry_policy=SendOnce(),
            permit_redirects=False,
            # Blocks staged by two writers of one blob would mix: the SDK gives them the same ids.
            max_single_put_size=_LARGEST_PUT,
        )

# ruff: noqa: ARG002  (one shape of calls for all)
"""The calls that are measured: each subject makes them as its own users would write them."""

from __future__ import annotations

from typing import Any, ClassVar

from benchmarks.speed.work import body_of

KEY = "a2V5" * 16
ACCOUNT = "devstoreaccount1"
WRITE_ID = "0123456789abcdef"
"""As long as the id that our store gives each write."""


class Subject:
    """One library on one service.

    Args:
        endpoint: The service's URL.
    """

    operations: ClassVar[set[str]] = {"save", "load", "set", "get", "clean", "list"}
    most = 32
    """The most calls at a time that it is asked for."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.raw = f"raw-{type(self).__name__}"  # where its own objects are

    async def open(self) -> None:
        """Makes the client."""

    async def close(self) -> None:
        """Closes it."""

    def value(self, operation: str, size: int) -> Any:
        """What is to be saved or set: bytes, for most."""
        return body_of(size)

    async def save(self, number: int, value: Any) -> None:
        raise NotImplementedError

    async def load(self, number: int) -> Any:
        raise NotImplementedError

    async def set(self, number: int, value: Any) -> None:
        await self.save(number, value)

    async def get(self, number: int) -> Any:
        return await self.load(number)

    async def clean(self, prefix: str) -> None:
        """Removes everything below a prefix."""
        raise NotImplementedError

    async def list(self, prefix: str) -> int:
        """Lists the names below a prefix."""
        raise NotImplementedError

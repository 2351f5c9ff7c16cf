"""What ``store.lease(…)`` returns: a context manager whose errors say how to enter it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statebucket.errors import UnsupportedOperation

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from statebucket.contract.lease import Lease

ENTER = (
    "store.lease(…) is a context manager: write `async with store.lease(…) as lease:` (`with` on "
    "the blocking store), and use lease inside the block"
)


class LeaseBlock:
    """The block in which a lease is held.

    Args:
        taking: Takes the lease and gives it up.
    """

    def __init__(self, taking: AbstractAsyncContextManager[Lease]) -> None:
        self._taking = taking

    async def __aenter__(self) -> Lease:
        return await self._taking.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._taking.__aexit__(kind, error, trace)

    if not TYPE_CHECKING:  # hidden from type checkers

        def __getattr__(self, name: str) -> object:
            raise AttributeError(f"no {name} yet: {ENTER}")

        def __await__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __enter__(self) -> object:
            raise UnsupportedOperation(ENTER)

        def __exit__(self, *error: object) -> None:
            """Never called: the block is never entered."""

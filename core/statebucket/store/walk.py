"""The pages of a listing, and what is on them.

These are iterators, not generators: one that is left early need not be closed. An event loop closes
an abandoned generator in a task of its own, which is left over where the loop ends right after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket.store.page_check import PageCheck

T = TypeVar("T")


class Walk(Generic[T]):
    """The pages of a listing: 1 request each.

    Args:
        send: Sends the request for a page, given the token of the page before.
        check: Checks the pages.
        kept: What to take of a page.

    Attributes:
        ended: Whether there are no more pages.
    """

    def __init__(
        self,
        send: Callable[[str | None], Awaitable[Any]],
        check: PageCheck,
        kept: Callable[[Any], T],
    ) -> None:
        self._send = send
        self._check = check
        self._kept = kept
        self._after: str | None = None
        self.ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self.ended:
            raise StopAsyncIteration
        self.ended = True  # if the request fails, too
        page = await self._send(self._after)
        self._check.taken(page)
        self._after = page.following
        self.ended = self._after is None
        return self._kept(page)


class Prefixes:
    """The prefixes of a listing, each once.

    Args:
        pages: Its pages.
        start_after: Only those behind this one.
    """

    def __init__(self, pages: Walk[list[str]], start_after: str | None) -> None:
        self._pages = pages
        self._start_after = start_after
        self._left: list[str] = []  # of the page, the first one last
        self._last: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            while self._left:
                found, last = self._left.pop(), self._last
                self._last = found
                # Not every service can begin there, and one may repeat a page's last prefix.
                if found != last and (self._start_after is None or found > self._start_after):
                    return found
            self._left = (await anext(self._pages))[::-1]

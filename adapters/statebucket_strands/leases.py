"""The lease on a session while invocations run: taken by the first, released after the last.

Strands calls hooks before and after an invocation. If a hook before it raises, the hooks after it
are not called, and calling stops at the first hook that raises. So an invocation's share of the
lease has a timer, which runs whenever the next hook may never be called. The task that keeps the
lease also gives it up when its event loop ends, as after a blocking call.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta

    from statebucket import Lease

_HELD: ContextVar[tuple[Hold, ...]] = ContextVar("statebucket_strands_held", default=())


class Hold:
    """A lease that is held while invocations share it.

    Attributes:
        owner: The session manager that took it.
        lease: The lease.
    """

    def __init__(
        self, owner: object, lease: Lease, given_up: AbstractAsyncContextManager[Lease]
    ) -> None:
        self.owner = owner
        self.lease = lease
        self._shares: set[Share] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(given_up))

    @property
    def live(self) -> bool:
        """Whether an invocation still shares it."""
        return not self._ended.done()

    def join(self, ttl: timedelta) -> Share:
        """Adds a share, for one more invocation."""
        share = Share(self, ttl)
        self._shares.add(share)
        return share

    def leave(self, share: Share) -> None:
        """Ends a share of it; the last one ends the hold."""
        self._shares.discard(share)
        if not self._shares and self.live:
            self._ended.set_result(None)

    async def end_expected(self) -> None:
        """Ends the shares whose next hook will not be called."""
        for share in [share for share in self._shares if share.expected]:
            await share.end()

    async def given_up(self) -> None:
        """Waits until the lease is given up, if that has begun."""
        if not self.live:
            await asyncio.wait({self._keeper})

    async def _keep(self, given_up: AbstractAsyncContextManager[Lease]) -> None:
        try:
            await self._ended
        finally:
            await given_up.__aexit__(None, None, None)


class Share:
    """An invocation's share of a hold.

    Attributes:
        hold: The hold.
    """

    def __init__(self, hold: Hold, ttl: timedelta) -> None:
        self.hold = hold
        self._seconds = ttl.total_seconds()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def expected(self) -> bool:
        """Whether the timer runs."""
        return self._timer is not None

    def expect(self) -> None:
        """Ends the share after the lease's TTL, unless `settle` or `end` is called before."""
        self.settle()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, self.hold.leave, self)

    def settle(self) -> None:
        """Stops the timer: the invocation is running."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def end(self) -> None:
        """Ends the share; the last one gives the lease up: 1 request."""
        self.settle()
        self.hold.leave(self)
        await self.hold.given_up()


def current(owner: object) -> Hold | None:
    """The lease of the invocation in which this code runs."""
    return next((hold for hold in _HELD.get() if hold.owner is owner and hold.live), None)


async def share(owner: object, taking: AbstractAsyncContextManager[Lease], ttl: timedelta) -> Share:
    """A share of the lease that is held here, or of a new one, for 3 requests.

    Raises:
        LeaseHeld: Another worker has it.
    """
    held = current(owner)
    if held is None:
        held = Hold(owner, await taking.__aenter__(), taking)
        _HELD.set((*(hold for hold in _HELD.get() if hold.live), held))
    return held.join(ttl)

"""Faults that hold a request or its reply until something has happened.

Unlike a delay they need no guess of how long that takes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.fault_proxy.kinds import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fault_proxy.link import Link
    from support.fault_proxy.messages import Reply
    from support.fault_proxy.record import Recorded

_LOOK_S = 0.005


@dataclass(frozen=True)
class HoldUntil(Fault):
    """Send the request to the server only once something has happened, client or no client.

    Attributes:
        happened: Looked at every few milliseconds, in the proxy's thread.
    """

    happened: Callable[[], object]

    async def before(self, link: Link, request: Recorded) -> Reply | None:  # noqa: ARG002
        """Wait."""
        await _until(self.happened)
        return None


@dataclass(frozen=True)
class HoldReplyUntil(Fault):
    """Let the server do what is asked at once, and give its reply once something has happened.

    Attributes:
        happened: Looked at every few milliseconds, in the proxy's thread.
    """

    happened: Callable[[], object]

    async def after(self, link: Link, request: Recorded, reply: Reply) -> Reply:  # noqa: ARG002
        """Wait."""
        await _until(self.happened)
        return reply


async def _until(happened: Callable[[], object]) -> None:
    while not happened():  # noqa: ASYNC110  (what happens is another thread's)
        await asyncio.sleep(_LOOK_S)

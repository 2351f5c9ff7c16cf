"""Leases: one worker at a time on an execution.

What a lease guarantees, and what it does not:

* A lease is an object, ``leases/{execution}``, that is only ever written under a condition. Of any
  number of contenders, one gets it; if that process dies, the lease runs out.
* It can be taken over `SKEW_MS` after it ran out by the contender's clock. While the clocks of all
  contenders differ by less than that, no two processes hold it at the same time by their own
  clocks.
* It avoids double work; it does not protect the snapshot by itself. A process can be paused at any
  moment, for longer than its lease lasts. So a save under a lease is conditional on the version of
  the snapshot that was there when the lease was taken, or that this process has loaded or saved
  since, through the store that gave the lease or a view of it: a holder that wakes up late cannot
  overwrite what its successor has saved, whatever the clocks say, unless it first loads that while
  its own clock says that its lease is still held.
* `Lease.fence` is max(the previous fence + 1, milliseconds since the epoch). It only grows, so that
  another system can use it to refuse a late holder. For that reason the object is kept after
  release, for a week or longer; after that the clock alone keeps the fence growing.
* It belongs to the process that took it: a fork of that process does not hold it. `delete_tenant`
  removes leases too, held or not, and their fences with them.
* Conditions hold within one bucket in one region. A replica may return an old lease.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from statebucket.contract.calls import Kind, declare

if TYPE_CHECKING:
    from types import TracebackType

SKEW_MS = 2_000
"""How far the clocks of two contenders may differ, in milliseconds."""

MAX_TTL_MS = 86_400_000
"""The longest TTL of a lease, in milliseconds: no one can take it over sooner if its holder
dies."""


class Lease(ABC):
    """A lease on one execution; made by ``store.lease``, held inside its ``async with``.

    Attributes:
        execution_id: The execution.
        tenant_id: Its tenant.
        fence: A number that only grows from holder to holder; 0 before the lease is held.
    """

    execution_id: str
    tenant_id: str
    fence: int

    @property
    @abstractmethod
    def held(self) -> bool:
        """Whether the lease is held, as far as this process and its clock can tell: 0 requests."""

    @abstractmethod
    @declare(Kind.PLAIN)
    def check(self) -> None:
        """Returns while the lease is held: 0 requests.

        Raises:
            LeaseLost: It ran out, or was taken over.
        """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Takes the lease: 3 requests.

        Raises:
            LeaseHeld: Another holder has it, and did not give it up within ``wait``.
            UnsupportedOperation: It was taken before; call ``store.lease(…)`` again.
        """

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives the lease up: 1 request. A lease that was lost is not an error here."""

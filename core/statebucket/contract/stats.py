"""What a store has done so far, in numbers."""

from __future__ import annotations

import msgspec


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What a store and its views have done since it was opened.

    Attributes:
        calls: Calls of the store's methods.
        requests: Requests that were sent to the service, retries included. A batch delete counts
            as one.
        retries: Requests that repeated a failed one.
        throttles: Requests that the service refused because of their rate.
        conflicts: Calls that lost a race: `VersionConflict` or `StaleSnapshot`.
        expired_reads: Objects that were read and had expired.
        bytes_sent: Bodies sent, retries included.
        bytes_received: Bodies received.
    """

    calls: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0
    conflicts: int = 0
    expired_reads: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0

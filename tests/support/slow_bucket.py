"""A bucket whose writes take as long as a test says, and which fails on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import statebucket_local
from statebucket import StateStore, open_store
from statebucket.port.bucket import Limits, OpenedBucket
from statebucket_local.memory import MemoryBucket

if TYPE_CHECKING:
    import pytest

    from statebucket.contract.versions import Version
    from statebucket.port.bucket import Location, Write

SNAPSHOTS = "/snapshots/"


class SlowBucket(MemoryBucket):
    """An adapter that counts and delays writes of snapshots.

    Attributes:
        seconds: How long one takes.
        failures: The errors of the next ones, in order.
        started: When each began, in the loop's time.
        written: The bodies, in the order in which they were stored.
        in_flight: How many are in flight.
        most_in_flight: The most that were ever in flight.
    """

    def __init__(self, seconds: float = 0.0, write_interval: float = 0.0) -> None:
        super().__init__()
        self.limits = Limits(write_interval=write_interval)
        self.seconds = seconds
        self.failures: list[BaseException] = []
        self.started: list[float] = []
        self.written: list[bytes] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def put(self, write: Write, condition: Version | None) -> Version:
        if SNAPSHOTS not in write.name:
            return await super().put(write, condition)
        self.started.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
            if self.failures:
                raise self.failures.pop(0)
            self.written.append(write.body)
            return await super().put(write, condition)
        finally:
            self.in_flight -= 1

    def store(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> StateStore:
        """Open a store on this bucket, as on any adapter's."""

        def adapter(_: Location) -> OpenedBucket:
            return OpenedBucket(self)

        monkeypatch.setattr(statebucket_local, "open_memory", adapter)
        return open_store("memory://", **options)

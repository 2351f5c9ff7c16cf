"""Cloud Storage accepts one write per second to an object, and replies 429 to more."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import pytest

from faults.clouds import write
from faults.server_marks import gcs_only
from statebucket import errors
from support.fault_proxy.proxy import Fault, gcs_error
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud
    from support.fault_proxy.link import Link
    from support.fault_proxy.messages import Reply
    from support.fault_proxy.record import Recorded

pytestmark = [pytest.mark.asyncio, gcs_only]

INTERVAL = 0.3  # a second in the real service


@dataclass(frozen=True)
class OneAtATime(Fault):
    """Refuses a write of an object that comes too soon after the one before.

    Attributes:
        interval: Seconds that must lie between two writes.
        last: When each object was last written.
    """

    interval: float = INTERVAL
    last: dict[bytes, float] = field(default_factory=lambda: defaultdict(lambda: -inf))

    async def before(self, link: Link, request: Recorded) -> Reply | None:
        """Refuse it, or let it through."""
        name = request.body.partition(b'"name":"')[2].partition(b'"')[0]
        now = time.monotonic()
        if now - self.last[name] < self.interval:
            refusal = gcs_error(
                429, "rateLimitExceeded", "The rate of object mutations is too high"
            )
            return await refusal.before(link, request)
        self.last[name] = now
        return None


async def test_more_writes_are_slow_or_told_to_be_too_many(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(OneAtATime(when=write))
        results = await asyncio.gather(
            *(store.with_deadline(4).set("k", str(number).encode()) for number in range(4)),
            return_exceptions=True,
        )
        failed = [result for result in results if isinstance(result, BaseException)]
        # A try that the deadline cut off says why those before it failed.
        reasons = [
            error.__cause__ if isinstance(error, errors.DeadlineExceeded) else error
            for error in failed
        ]
        assert all(type(error) is errors.Throttled for error in reasons)
        assert len(failed) < 4
        assert await store.get("k") in {b"0", b"1", b"2", b"3"}
        # Objects beside each other do not wait for each other. (A try of above that the deadline
        # cut off may still come.)
        await asyncio.gather(*(store.set(f"other{number}", b"v") for number in range(4)))
        others = [request for request in cloud.requests(write) if b"/other" in request.body]
        assert [request.status for request in others] == [200] * 4


async def test_a_deadline_too_short_for_it_writes_nothing(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(OneAtATime(interval=3600, when=write))
        await store.set("k", b"1")
        with pytest.raises((errors.Throttled, errors.DeadlineExceeded)):
            await store.with_deadline(0.15).set("k", b"2")
        assert await store.get("k") == b"1"


async def test_a_write_that_came_too_soon_is_not_sent_again_until_it_may_be_accepted(
    cloud: Cloud,
) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(OneAtATime(interval=1.0, when=write))
        for number in range(3):
            await store.set("k", str(number).encode())
        refused = [request for request in cloud.requests(write) if request.status == 429]
        assert len(refused) <= 4  # two for each that came within a second


async def test_a_lease_that_changes_hands_quickly_is_slow_but_lost_to_no_one(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(OneAtATime(when=write))
        acme, fences = store.tenant(ACME), list[int]()
        for _ in range(3):
            async with acme.lease(E1, ttl=30) as lease:
                fences.append(lease.fence)
        assert fences == sorted(set(fences))
        assert len(fences) == 3


async def test_a_writer_keeps_to_the_pace_by_itself(cloud: Cloud) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(OneAtATime(when=write))
        acme = store.tenant(ACME)
        async with acme.writer(E1) as writer:
            for number in range(1, 4):
                writer.save(snapshot(number))
                await writer.flush()  # or the last would be written only
        loaded = await acme.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 3
        refused = [request for request in cloud.requests(write) if request.status == 429]
        assert refused == []

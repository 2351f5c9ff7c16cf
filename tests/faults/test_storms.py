"""A service that refuses or fails, briefly or permanently: few requests, and an end in time."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from faults.server_marks import every_cloud, timed
from statebucket import errors
from statebucket.admin.opened import context_of
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.clouds import Cloud
    from statebucket import StateStore
    from support.fault_proxy.proxy import Recorded

pytestmark = [pytest.mark.asyncio, every_cloud]

DEADLINE = 1.0
MOST_TRIES = 10  # what core/README.md promises of one request
LONGEST_WAIT = 2.0

STORMS: dict[str, tuple[type[errors.StateBucketError], str]] = {
    "throttled": (errors.Throttled, "none"),
    "too many": (errors.Throttled, "none"),
    "unavailable": (errors.Unavailable, "unknown"),
    "failing": (errors.Unavailable, "unknown"),
}
CALLS: dict[str, Callable[[StateStore], Awaitable[object]]] = {
    "set": lambda store: store.set("k", b"v"),
    "save_snapshot": lambda store: store.save_snapshot(snapshot(1)),
    "get": lambda store: store.get("k"),
    "load_snapshot": lambda store: store.load_snapshot(E1),
    "exists": lambda store: store.exists("k"),
    "delete": lambda store: store.delete("k"),
    "list_snapshots": lambda store: store.list_snapshots(ACME),
}
READS = {"get", "load_snapshot", "exists", "list_snapshots"}


def gaps(requests: list[Recorded]) -> list[float]:
    """The seconds between an answer and the next request."""
    return [
        after.started - (before.answered or before.started) for before, after in pairwise(requests)
    ]


def waits(caplog: pytest.LogCaptureFixture) -> list[float]:
    """The seconds that the store said it waits before each further try."""
    return [float(wait) for wait in re.findall(r"next in ([\d.]+) s", caplog.text)]


@pytest.mark.parametrize("storm", STORMS)
async def test_a_storm_ends_in_a_typed_error_by_the_deadline(cloud: Cloud, storm: str) -> None:
    kind, outcome = STORMS[storm]
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        cloud.proxy.always(cloud.says(storm))
        seconds, error = await timed(store.with_deadline(DEADLINE).set("k", b"v"))
        assert isinstance(error, errors.StateBucketError)
        # A try that the deadline cut off, which a busy machine can bring about, leaves it open.
        cut_off = isinstance(error, errors.DeadlineExceeded)
        said = error.__cause__ if cut_off else error
        assert type(said) is kind or (cut_off and said is None)
        assert error.outcome == outcome or (cut_off and error.outcome == "unknown")
        assert seconds <= DEADLINE + 0.4
        assert cloud.proxy.count() <= MOST_TRIES
        cloud.proxy.heal()
        await store.set("k", b"v")


@pytest.mark.parametrize("storm", STORMS)
async def test_a_storm_that_is_given_up_is_told_as_the_service_does(
    cloud: Cloud, storm: str
) -> None:
    kind, outcome = STORMS[storm]
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        cloud.proxy.plan(*[cloud.says(storm)] * 3, cloud.says(storm, retry_after=600))
        with pytest.raises(kind) as caught:
            await store.with_deadline(60).set("k", b"v")
        assert type(caught.value) is kind
        assert caught.value.outcome == outcome
        assert cloud.proxy.count() == 4  # not given up before


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_ends_by_the_deadline(cloud: Cloud, call: str) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        cloud.proxy.always(cloud.says("throttled"))
        seconds, error = await timed(CALLS[call](store.with_deadline(0.3)))
        no_body = cloud.service == "s3" and call == "exists"  # to tell SlowDown by: a HEAD
        expected = errors.Unavailable if no_body else errors.Throttled
        assert isinstance(error, expected | errors.DeadlineExceeded)
        assert seconds <= 1
        assert cloud.proxy.count() <= MOST_TRIES
        assert call not in READS or error.outcome == "none"


@pytest.mark.parametrize("storm", STORMS)
async def test_a_short_storm_is_not_seen_by_the_caller(cloud: Cloud, storm: str) -> None:
    async with cloud.open() as store:
        cloud.proxy.always(cloud.says(storm), times=3)
        await store.set("k", b"v")
        assert cloud.proxy.count() == 4
        cloud.proxy.always(cloud.says(storm), times=3)
        assert await store.get("k") == b"v"


async def test_waits_are_random_and_grow(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "statebucket")
    longest = [min(LONGEST_WAIT, 0.05 * 2**number) for number in range(4)]
    shares: list[float] = []
    async with cloud.open() as store:
        # Cloud Storage wants a second between two writes of one object.
        shortest = context_of(store).objects.bucket.limits.write_interval / 2
        assert shortest == (0.5 if cloud.service == "gcs" else 0.0)
        for _ in range(3):
            cloud.proxy.clear()
            caplog.clear()
            cloud.proxy.always(cloud.says("throttled"), times=4)
            await store.set("k", b"v")
            said = waits(caplog)
            # What it says it waits it waits: how much longer is the machine's affair.
            seen = gaps(cloud.proxy.requests)
            assert all(gap >= wait - 0.01 for gap, wait in zip(seen, said, strict=True))
            parts = [wait - shortest for wait in said]
            shares += [part / most for part, most in zip(parts, longest, strict=True)]
    assert max(shares) <= 1.02  # rounded to milliseconds
    # Any part of the longest wait, so that of twelve hardly all are above, or below, this.
    assert min(shares) < 0.7
    assert max(shares) > 0.3


async def test_the_service_is_given_the_time_it_asks_for(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "statebucket")
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        caplog.clear()
        cloud.proxy.plan(cloud.says("throttled", retry_after=1))
        await store.set("k", b"v")
        (gap,) = gaps(cloud.proxy.requests)
        assert gap >= 1.0
        assert waits(caplog) == [1.0]  # and no more: what comes on top is the machine's affair


async def test_a_storm_without_waits_ends_after_ten_tries(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        monkeypatch.setattr(os, "urandom", bytes)  # no chance: of each longest wait nothing
        cloud.proxy.always(cloud.says("throttled", retry_after=0))
        with pytest.raises(errors.Throttled):
            await store.set("k", b"v")
        assert cloud.proxy.count() == MOST_TRIES


async def test_it_is_not_asked_again_if_it_wants_more_time_than_there_is(cloud: Cloud) -> None:
    async with cloud.open() as store:
        await store.exists("warm")
        cloud.proxy.clear()
        cloud.proxy.always(cloud.says("throttled", retry_after=30))
        seconds, error = await timed(store.with_deadline(25).set("k", b"v"))
        assert isinstance(error, errors.Throttled)
        assert error.retry_after == 30
        assert seconds < 20  # told at once
        assert cloud.proxy.count() == 1

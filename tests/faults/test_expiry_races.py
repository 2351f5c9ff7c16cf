"""A fresh write survives if it comes between seeing an expired object and acting on it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from faults.clouds import listing, look, of, read, removal
from faults.server_marks import with_production
from statebucket import Version, errors
from statebucket.sync import open_store
from support.fault_proxy.proxy import Callback
from support.places import ACME, E1, snapshot

if TYPE_CHECKING:
    from faults.clouds import Cloud

pytestmark = [pytest.mark.asyncio, with_production]

MINUTE = timedelta(minutes=1)
# So long that no request is given up, and sent again, while another process writes: it makes a
# client first, which takes its time on a busy machine.
DEADLINE = 60
KEY = "tenants/acme/keys/k"


def write_again(cloud: Cloud, body: bytes) -> None:
    """Set the key again, as another process does, with a TTL that has begun just now."""
    with open_store(cloud.url, clock=cloud.clock, **cloud.options) as store:
        store.tenant(ACME).set("k", body, MINUTE)


@pytest.mark.parametrize("body", [b"same", b"other"])
async def test_a_read_of_an_expired_object_removes_nothing(cloud: Cloud, body: bytes) -> None:
    async with cloud.open(deadline=DEADLINE) as store:
        acme = store.tenant(ACME)
        await acme.set("k", b"same", MINUTE)
        cloud.clock.advance(60)
        cloud.proxy.plan(Callback(lambda _: write_again(cloud, body), when=of(KEY, read)))
        assert await acme.get("k") is None  # what was read had expired
        cloud.proxy.plan(Callback(lambda _: write_again(cloud, body), when=of(KEY, look)))
        await acme.exists("k")
        assert cloud.requests(removal) == []
        assert await acme.get("k") == body


@pytest.mark.parametrize("body", [b"same", b"other"])
async def test_a_sweep_spares_what_was_written_again(cloud: Cloud, body: bytes) -> None:
    async with cloud.open(deadline=DEADLINE) as store:
        acme = store.tenant(ACME)
        await acme.set("k", b"same", MINUTE)
        cloud.clock.advance(600)
        sight = of(KEY, look) if cloud.service == "s3" else listing
        cloud.proxy.plan(Callback(lambda _: write_again(cloud, body), when=sight))
        report = await acme.sweep()
        assert (report.expired, report.removed, report.raced) == (1, 0, 1)
        assert await acme.get("k") == body


async def test_a_create_over_an_expired_object_spares_what_was_written_again(cloud: Cloud) -> None:
    async with cloud.open(deadline=DEADLINE) as store:
        acme = store.tenant(ACME)
        await acme.set("k", b"old", MINUTE)
        cloud.clock.advance(60)
        cloud.proxy.plan(Callback(lambda _: write_again(cloud, b"theirs"), when=of(KEY, look)))
        with pytest.raises(errors.VersionConflict, match="exists already"):
            await acme.set("k", b"mine", if_version=Version.ABSENT)
        assert await acme.get("k") == b"theirs"


@pytest.mark.parametrize(("ttl", "later"), [(MINUTE, 59), (2 * MINUTE, 119), (None, 10**6)])
async def test_a_rewrite_shortens_lengthens_and_removes_a_ttl(
    cloud: Cloud, ttl: timedelta | None, later: int
) -> None:
    async with cloud.open() as store:
        await store.save_snapshot(snapshot(1), ttl=MINUTE * 1.5)
        await store.save_snapshot(snapshot(2), ttl=ttl)
        cloud.clock.advance(later)
        loaded = await store.load_snapshot(E1)
        assert loaded is not None
        assert loaded.sequence_number == 2
        cloud.clock.advance(1)
        assert (await store.load_snapshot(E1) is None) == (ttl is not None)

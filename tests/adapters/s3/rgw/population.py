"""The contents of a bucket during removal: state of every kind, and foreign objects.

Each object is written down with the days after which, says the core, a rule removes it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statebucket.port.expiry import TAG, Expiry, outliving
from statebucket.store.layout import Layout
from support.places import snapshot

if TYPE_CHECKING:
    from statebucket import StateStore

PREFIX = "app/state"
LAYOUT = Layout(PREFIX)
TTLS = (
    timedelta(minutes=1),
    timedelta(days=1),
    timedelta(days=1, milliseconds=1),
    timedelta(days=2),
    timedelta(days=3),
    timedelta(days=5),
    timedelta(days=8),
    timedelta(days=9),
    timedelta(days=1024),
    timedelta(days=1025),
)
_TENANT = "acme"
# Names and tags that are no state's, whatever the one or the other looks like.
_FOREIGN = {
    f"{PREFIX}/tenants/{_TENANT}/keys/another-tag": "team=1",
    f"{PREFIX}/tenants/{_TENANT}/keys/no-class": f"{TAG}=3",
    f"{PREFIX}/tenants/{_TENANT}/keys/untagged": "",
    f"{PREFIX}/tenants-of-another/keys/k": f"{TAG}=1",
    f"{PREFIX}-of-another/tenants/{_TENANT}/keys/k": f"{TAG}=1",
    f"tenants/{_TENANT}/keys/k": f"{TAG}=1",
    "logs/today": f"{TAG}=1",
}


@dataclass
class Population:
    """What was written.

    Attributes:
        last: The longest class that is waited for, in days.
        days: For each name, the days after which it is removed; None never.
        written: For each name, a moment before its last write.
        owned: The execution's snapshot for each owner record.
    """

    last: int
    days: dict[str, int | None] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)

    def going(self) -> set[str]:
        """The names that are removed while someone waits."""
        return {name for name, days in self.days.items() if days is not None and days <= self.last}

    def staying(self) -> set[str]:
        """The names that are still there at the end."""
        return set(self.days) - self.going()

    def note(self, name: str, ttl: timedelta | None, written: float) -> None:
        """Write an object down that was stored with a TTL."""
        self.days[name] = None if ttl is None else Expiry.after(ttl, round(written * 1000)).days
        self.written[name] = written

    def note_owner(self, execution: str, ttl: timedelta | None, written: float) -> None:
        """Write the owner record of an execution down, whose snapshot has a TTL."""
        name, now_ms = LAYOUT.owner(execution, _TENANT), round(written * 1000)
        longer = None if ttl is None else outliving(Expiry.after(ttl, now_ms), now_ms)
        self.days[name] = None if longer is None else longer.days
        self.written[name] = written
        self.owned[name] = LAYOUT.snapshot(_TENANT, execution)


async def populate(store: StateStore, client: Any, bucket: str, *, last: int) -> Population:
    """Fill a bucket.

    Args:
        store: A store at `PREFIX` in the bucket.
        client: The service's own client.
        bucket: The bucket.
        last: The longest class that will be waited for, in days.
    """
    population = Population(last)
    acme = store.tenant(_TENANT)
    for number, ttl in enumerate((None, *TTLS)):
        for tenant, view in ((None, store), (_TENANT, acme)):
            for key in (f"k{number}", f"exec:e{number}:k"):
                written = time.time()
                await view.set(key, b"v", ttl)
                population.note(LAYOUT.key(tenant, key), ttl, written)
        written = time.time()
        await acme.save_snapshot(snapshot(1, f"e{number}"), ttl=ttl)
        population.note(LAYOUT.snapshot(_TENANT, f"e{number}"), ttl, written)
        population.note_owner(f"e{number}", ttl, written)
    await _rewrite(acme, population)
    for name, tags in _FOREIGN.items():
        client.put_object(Bucket=bucket, Key=name, Body=b"theirs", Tagging=tags)
        population.note(name, None, time.time())
    return population


async def _rewrite(acme: StateStore, population: Population) -> None:
    """Write again what had a TTL without one, and the other way round."""
    day = timedelta(days=1)
    for first, then in ((day, None), (None, day), (day, 2 * day), (3 * day, day)):
        await acme.set(f"{first} then {then}", b"v", first)
        written = time.time()
        await acme.set(f"{first} then {then}", b"v", then)
        population.note(LAYOUT.key(_TENANT, f"{first} then {then}"), then, written)
    for number, ttl in enumerate((day, None)):
        written = time.time()
        await acme.save_snapshot(snapshot(number, "kept"), ttl=ttl)
        population.note(LAYOUT.snapshot(_TENANT, "kept"), ttl, written)
        population.note_owner("kept", ttl, written)
    # A lease's object stays for a week after the lease, for its fence.
    ttl = timedelta(minutes=1)
    async with acme.lease("kept", ttl=ttl):
        written = time.time()
    population.note(LAYOUT.lease(_TENANT, "kept"), ttl + timedelta(days=7), written)

"""``x-amz-expiration``: which of our rules S3 finds for an object, and when it will apply.

LocalStack matches rules as S3 does, and checks them as S3 does when they are written.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest

from statebucket import open_store
from statebucket.lifecycle.rules import needed_rules, own_id
from statebucket.port.expiry import CLASSES, TAG, Expiry, outliving
from statebucket.port.lifecycle import ID, TERRAFORM_ID, Lifecycle
from statebucket.store.layout import Layout
from statebucket_s3 import lifecycle
from support.places import ACME, snapshot
from support.rules import scope
from support.targets.s3 import raw_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from statebucket import OffboardingReport, StateStore
    from support.servers import Server

LAYOUT = Layout("app/state")
AREAS = {"tenants": LAYOUT.tenants, "shared": LAYOUT.shared, "owners": LAYOUT.owners}
DAY = timedelta(days=1)
_SHOWN = re.compile(r'expiry-date="([^"]+)", rule-id="([^"]+)"')

# Some in the middle of a class, its two ends, and one above the largest.
TTLS = [
    *(timedelta(seconds=1), DAY, DAY + timedelta(milliseconds=1), 2 * DAY, 3 * DAY),
    *(number * DAY for number in (5, 8, 9, 17, 33, 65, 129, 257, 512, 513, 1024)),
]


class Removed(NamedTuple):
    """What ``x-amz-expiration`` says.

    Attributes:
        rule: The id of the rule that will remove the object.
        at: When.
    """

    rule: str
    at: datetime


class Bucket(NamedTuple):
    """A bucket with our rules.

    Attributes:
        client: The service's own client.
        name: Its name.
        url: The URL of a store in it.
        ids: How the ids of our rules begin.
    """

    client: Any
    name: str
    url: str
    ids: str

    def removed(self, name: str) -> Removed | None:
        """What S3 says of an object; None if no rule will remove it."""
        said = self.client.head_object(Bucket=self.name, Key=name).get("Expiration")
        if said is None:
            return None
        shown = _SHOWN.fullmatch(said)
        assert shown is not None, said
        return Removed(shown[2], parsedate_to_datetime(shown[1]))

    def put(self, name: str, tags: str) -> None:
        """Store an object past the store."""
        self.client.put_object(Bucket=self.name, Key=name, Body=b"v", Tagging=tags)

    def run(self, call: Callable[[StateStore], Awaitable[object]]) -> None:
        """Call a store."""

        async def run() -> None:
            async with open_store(self.url) as store:
                await call(store)

        asyncio.run(run())


@pytest.fixture(scope="module", params=["apply_lifecycle", "Terraform"])
def bucket(localstack: Server, request: pytest.FixtureRequest) -> Bucket:
    """A bucket with the rules that the store writes, or with those of our Terraform module."""
    client = raw_client(localstack)
    name = f"bucket-{uuid4().hex}"
    client.create_bucket(Bucket=name)
    url = f"s3://{name}/{LAYOUT.prefix}?region=us-east-1&endpoint_url={localstack.url}"
    by_terraform = request.param == "Terraform"
    start = TERRAFORM_ID if by_terraform else ID
    bucket = Bucket(client, name, url, own_id(LAYOUT.prefix, start=start))
    if by_terraform:
        # tests.terraform holds the module's rules to these.
        rules = needed_rules(scope(LAYOUT.prefix, lifecycle.REMOVAL), id_start=TERRAFORM_ID)
        client.put_bucket_lifecycle_configuration(
            Bucket=name, **lifecycle.write(rules, Lifecycle(rules=()))
        )
    else:
        bucket.run(lambda store: store.apply_lifecycle(dry_run=False))
    return bucket


def midnight_after(moment: datetime, days: int) -> datetime:
    """When S3 removes what a rule removes some days after its write: the next midnight."""
    after = moment + days * DAY
    return after.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


@pytest.mark.parametrize("area", AREAS)
def test_each_class_has_its_rule_in_each_area(bucket: Bucket, area: str) -> None:
    for days in CLASSES:
        name = f"{AREAS[area]}class-{days}"
        bucket.put(name, f"{TAG}={days}")
        written = bucket.client.head_object(Bucket=bucket.name, Key=name)["LastModified"]
        expected = Removed(f"{bucket.ids}ttl-{days}-{area}", midnight_after(written, days))
        assert bucket.removed(name) == expected


def test_what_a_store_writes_goes_by_the_class_of_its_ttl(bucket: Bucket) -> None:
    for number, ttl in enumerate(TTLS):
        before = datetime.now(UTC).replace(microsecond=0)
        expiry = Expiry.after(ttl, round(before.timestamp() * 1000))
        owner = outliving(expiry, expiry.at_ms)

        async def write(store: StateStore, number: int = number, ttl: timedelta = ttl) -> None:
            await store.set(f"k{number}", b"v", ttl)
            await store.tenant(ACME).set(f"exec:e{number}:k", b"v", ttl)
            await store.save_snapshot(snapshot(1, f"e{number}"), ttl=ttl)

        bucket.run(write)
        predicted = {
            LAYOUT.key(None, f"k{number}"): ("shared", expiry.days),
            LAYOUT.key(ACME, f"exec:e{number}:k"): ("tenants", expiry.days),
            LAYOUT.snapshot(ACME, f"e{number}"): ("tenants", expiry.days),
            LAYOUT.owner(f"e{number}", ACME): ("owners", None if owner is None else owner.days),
        }
        for name, (area, days) in predicted.items():
            removed = bucket.removed(name)
            if days is None:
                assert removed is None, name
                continue
            assert removed is not None, name
            assert removed.rule == f"{bucket.ids}ttl-{days}-{area}"
            assert removed.at > expiry.at  # never before it has expired for its readers
            assert removed.at > before + days * DAY


def test_a_tenant_that_is_off_boarded_goes_a_day_after_its_writes(localstack: Server) -> None:
    client = raw_client(localstack)
    name = f"bucket-{uuid4().hex}"
    client.create_bucket(Bucket=name)
    url = f"s3://{name}/{LAYOUT.prefix}?region=us-east-1&endpoint_url={localstack.url}"
    bucket = Bucket(client, name, url, own_id(LAYOUT.prefix))
    reports: list[OffboardingReport] = []

    async def write(store: StateStore) -> None:
        await store.apply_lifecycle(dry_run=False)
        await store.tenant("acme").set("k", b"v")
        reports.append(await store.delete_tenant("acme", by="lifecycle"))
        for tenant in ("acme", "acme-2"):
            view = store.tenant(tenant)
            await view.save_snapshot(view.snapshot("e1"))
            await view.set("exec:e1:k", b"v")

    bucket.run(write)
    (report,) = reports
    for object_name in (LAYOUT.snapshot("acme", "e1"), LAYOUT.key("acme", "exec:e1:k")):
        written = client.head_object(Bucket=name, Key=object_name)["LastModified"]
        assert bucket.removed(object_name) == Removed(report.rule, midnight_after(written, 1))
    first = bucket.removed(LAYOUT.key("acme", "k"))
    assert first is not None
    assert report.done_after is not None
    assert first.at <= report.done_after
    others = [LAYOUT.snapshot("acme-2", "e1"), LAYOUT.key("acme-2", "exec:e1:k")]
    others.append(LAYOUT.owner("e1", "acme"))
    assert [one for one in others if bucket.removed(one) is not None] == []


def test_nothing_else_goes(bucket: Bucket) -> None:
    # What loses its TTL is watched on Ceph's gateway: this server answers for a name what it has
    # answered before.
    async def write(store: StateStore) -> None:
        await store.set("forever", b"v")
        await store.set("too long", b"v", 1025 * DAY)
        await store.save_snapshot(snapshot(1, "forever"))

    bucket.run(write)
    foreign = {
        f"{LAYOUT.tenants}acme/keys/another-tag": "team=1",
        f"{LAYOUT.tenants}acme/keys/no-class": f"{TAG}=3",
        f"{LAYOUT.prefix}/tenants-of-another/k": f"{TAG}=1",
        "tenants/acme/keys/k": f"{TAG}=1",
        "logs/today": f"{TAG}=1",
    }
    for name, tags in foreign.items():
        bucket.put(name, tags)
    ours = [LAYOUT.key(None, key) for key in ("forever", "too long")]
    ours += [LAYOUT.snapshot(ACME, "forever"), LAYOUT.owner("forever", ACME)]
    assert [name for name in [*ours, *foreign] if bucket.removed(name) is not None] == []

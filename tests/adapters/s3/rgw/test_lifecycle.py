"""Removal by real lifecycle rules: what is removed, when, and what stays, as predicted.

A day takes some seconds on this gateway. The rules are those that `apply_lifecycle` writes, and
those that our Terraform module writes; all buckets are filled first and then watched together.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from adapters.s3.rgw import terraform as by_terraform
from adapters.s3.rgw.conftest import QUERY
from adapters.s3.rgw.population import LAYOUT, PREFIX, Population, populate
from adapters.s3.rgw.watch import Seen, Watch
from statebucket import open_store
from statebucket.port.lifecycle import TERRAFORM_ID
from support.missing import give_up
from support.servers.ceph import DAY_S
from support.targets.s3 import raw_client
from terraform.tool import need_aws_provider

if TYPE_CHECKING:
    from statebucket import OffboardingReport, StateStore
    from support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

BY_STORE, VERSIONED, OFFBOARDED = "store-state", "versioned-state", "offboarded-state"
LONGEST_S = 900.0
"""How long it may all take, on a machine at four times its load."""

OF_RULES = pytest.mark.parametrize("bucket", [BY_STORE, by_terraform.BUCKET])
REMOVING = pytest.mark.parametrize("bucket", [BY_STORE, by_terraform.BUCKET, OFFBOARDED])
UPLOAD = f"{LAYOUT.keys('acme')}upload"
FOREIGN_UPLOAD = "logs/upload"
REPLACED, DELETED = LAYOUT.key("acme", "replaced"), LAYOUT.key("acme", "deleted")
FOREIGN_REPLACED = "logs/replaced"


@dataclass(frozen=True)
class Removal:
    """What a bucket was filled with, and what became of it."""

    population: Population
    seen: Seen


@pytest.fixture(scope="module")
def client(rgw: Server) -> Any:
    """The service's own client."""
    return raw_client(rgw)


@pytest.fixture(scope="module")
def removals(
    rgw: Server, client: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Removal]:
    """Fills all buckets, and waits until everything has gone that is going to."""
    with Watch(client) as watch:
        found = {}
        client.create_bucket(Bucket=BY_STORE)
        population = asyncio.run(fill(rgw, client, BY_STORE, last=8, apply=True))
        found[BY_STORE] = Removal(population, watch.at(BY_STORE))
        client.create_bucket(Bucket=OFFBOARDED)
        population = asyncio.run(off_board(rgw, client))
        found[OFFBOARDED] = Removal(population, watch.at(OFFBOARDED))
        fill_versioned(rgw, client)
        if shutil.which("terraform") is not None:
            mirror = need_aws_provider(tmp_path_factory.mktemp("provider"))
            by_terraform.apply_rules(rgw, tmp_path_factory.mktemp("root"), mirror)
            population = asyncio.run(fill(rgw, client, by_terraform.BUCKET, last=4, apply=False))
            seen = watch.at(by_terraform.BUCKET)
            found[by_terraform.BUCKET] = Removal(population, seen)
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline and not over(client, found):
            time.sleep(1)
    return found


def over(client: Any, found: dict[str, Removal]) -> bool:
    """Whether all has gone that is going to."""
    return not versions(client, REPLACED, DELETED)[1:] and not any(
        removal.population.going() & removal.seen.names or UPLOAD in uploads(client, bucket)
        for bucket, removal in found.items()
    )


async def fill(rgw: Server, client: Any, bucket: str, *, last: int, apply: bool) -> Population:
    """Fill a bucket by a store, once it has its rules."""
    async with open_store(url(rgw, bucket)) as store:
        if apply:
            assert (await store.apply_lifecycle(dry_run=False)).applied
        assert (await store.check_lifecycle()).ok
        population = await populate(store, client, bucket, last=last)
        client.create_multipart_upload(Bucket=bucket, Key=UPLOAD)
        client.create_multipart_upload(Bucket=bucket, Key=FOREIGN_UPLOAD)
        return population


async def off_board(rgw: Server, client: Any) -> Population:
    """Fill a bucket with tenants, and have it remove one of them.

    It gets no other rules: the gateway takes long for each, and would be late in other buckets.
    """
    population = Population(last=1)
    async with open_store(url(rgw, OFFBOARDED)) as store:
        for tenant, days in (("acme", 1), ("acme-2", None), ("ac", None)):
            view = store.tenant(tenant)
            for number in range(3):
                written = time.time()
                await view.save_snapshot(view.snapshot(f"e{number}"))
                await view.set(f"exec:e{number}:k", b"v")
                layout = view_names(tenant, number)
                population.days |= dict.fromkeys(layout, days)
                population.days[LAYOUT.owner(f"e{number}", tenant)] = None
                population.written |= dict.fromkeys(layout, written)
        client.create_multipart_upload(Bucket=OFFBOARDED, Key=UPLOAD)
        client.create_multipart_upload(Bucket=OFFBOARDED, Key=FOREIGN_UPLOAD)
        assert (await store.delete_tenant("acme", by="lifecycle")).stage == "started"
    return population


def view_names(tenant: str, number: int) -> list[str]:
    """The names of a tenant's state of one execution, the owner record aside."""
    return [
        LAYOUT.snapshot(tenant, f"e{number}"),
        LAYOUT.key(tenant, f"exec:e{number}:k"),
    ]


def url(rgw: Server, bucket: str) -> str:
    return f"s3://{bucket}/{PREFIX}?region=us-east-1&endpoint_url={rgw.url}{QUERY}"


def fill_versioned(rgw: Server, client: Any) -> None:
    """Leave old versions and delete markers behind, in a bucket that keeps versions."""
    client.create_bucket(Bucket=VERSIONED)
    client.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})

    async def write(store: StateStore) -> None:
        await store.apply_lifecycle(dry_run=False)
        acme = store.tenant("acme")
        for key in ("replaced", "replaced", "deleted"):
            await acme.set(key, b"v")
        await acme.delete("deleted")

    async def run() -> None:
        async with open_store(url(rgw, VERSIONED)) as store:
            await write(store)

    asyncio.run(run())
    for _ in range(2):
        client.put_object(Bucket=VERSIONED, Key=FOREIGN_REPLACED, Body=b"theirs")


def versions(client: Any, *names: str) -> list[str]:
    """The versions and delete markers of some names."""
    found = client.list_object_versions(Bucket=VERSIONED)
    entries = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
    return [entry["VersionId"] for entry in entries if entry["Key"] in names]


def uploads(client: Any, bucket: str) -> list[str]:
    """The names of the unfinished uploads in a bucket."""
    found = client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    return [upload["Key"] for upload in found]


@pytest.fixture
def removal(removals: dict[str, Removal], bucket: str) -> Removal:
    """What became of a bucket."""
    if bucket not in removals:
        give_up("terraform is not installed: install Terraform 1.9 or later")
    return removals[bucket]


def test_terraform_wrote_the_rules(removals: dict[str, Removal], client: Any) -> None:
    if by_terraform.BUCKET not in removals:
        give_up("terraform is not installed: install Terraform 1.9 or later")
    for bucket, mine in ((BY_STORE, False), (by_terraform.BUCKET, True)):
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert len(rules) == 36
        assert all(rule["ID"].startswith(TERRAFORM_ID) == mine for rule in rules)


@OF_RULES
def test_there_is_something_of_every_kind(removal: Removal) -> None:
    days = set(removal.population.days.values())
    assert days == {None, 1, 2, 4, 8, 16, 32, 1024}
    assert removal.seen.looks[0] == set(removal.population.days)


@REMOVING
def test_what_a_rule_removes_goes(removal: Removal) -> None:
    assert removal.population.going() & removal.seen.names == set()


@REMOVING
def test_nothing_else_goes(removal: Removal) -> None:
    # As soon as this bucket has lost what it is to lose: the longer classes come due later, and may
    # do so while other buckets are waited for.
    population = removal.population
    done = next(look for look in removal.seen.looks if not population.going() & look)
    assert population.staying() - done == set()


@REMOVING
def test_nothing_goes_before_the_days_of_its_class(removal: Removal) -> None:
    population = removal.population
    early = {
        name: gone - population.written[name]
        for name, gone in removal.seen.gone.items()
        # The gateway counts in whole seconds, and so up to one less.
        if gone - population.written[name] < (population.days[name] or 0) * DAY_S - 1
    }
    assert early == {}


@OF_RULES
def test_no_snapshot_is_ever_without_its_owner_record(removal: Removal) -> None:
    owned = removal.population.owned
    assert len(owned) > 10
    assert all(
        owner in look
        for look in removal.seen.looks
        for owner, snapshot in owned.items()
        if snapshot in look
    )


@REMOVING
def test_unfinished_uploads_of_ours_are_aborted(
    removal: Removal,  # noqa: ARG001  (waits)
    client: Any,
    bucket: str,
) -> None:
    assert uploads(client, bucket) == [FOREIGN_UPLOAD]


def test_old_versions_and_markers_of_ours_are_removed(
    removals: dict[str, Removal],  # noqa: ARG001  (waits)
    client: Any,
) -> None:
    assert len(versions(client, REPLACED)) == 1
    assert versions(client, DELETED) == []
    assert len(versions(client, FOREIGN_REPLACED)) == 2


def test_a_tenant_that_a_rule_has_removed_is_finished_with_its_records_and_the_rule(
    rgw: Server,
    removals: dict[str, Removal],  # noqa: ARG001  (waits)
    client: Any,
) -> None:
    async def finish() -> OffboardingReport:
        async with open_store(url(rgw, OFFBOARDED)) as store:
            return await store.delete_tenant("acme", by="lifecycle")

    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=OFFBOARDED)["Rules"]
    report = asyncio.run(finish())
    assert (report.stage, report.owners, report.rule) == ("done", 3, rule["ID"])
    with pytest.raises(client.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        client.get_bucket_lifecycle_configuration(Bucket=OFFBOARDED)
    owners = client.list_objects_v2(Bucket=OFFBOARDED, Prefix=LAYOUT.owners)["Contents"]
    assert len(owners) == 6
    assert not any(entry["Key"].endswith("/acme") for entry in owners)

"""`delete_tenant(by="lifecycle")`, on servers that keep lifecycle rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import OffboardingReport, open_store
from statebucket.errors import (
    AccessDenied,
    DeleteIncomplete,
    InvalidArgument,
    UnsupportedOperation,
)
from statebucket.lifecycle.offboarding import offboarding_rule
from statebucket.port.lifecycle import TERRAFORM_ID, Lifecycle
from statebucket.sync import open_store as open_blocking
from statebucket.testing import Clock
from statebucket_gcs import lifecycle as gcs
from statebucket_s3 import lifecycle as s3
from support.fault_proxy.answers import s3_error
from support.fault_proxy.proxy import FaultProxy, on
from support.lifecycle_places import GCS, S3
from support.rules import NOTHING, scope
from support.targets.azure import AzureTarget, raw_container

if TYPE_CHECKING:
    from pathlib import Path

    from statebucket import StateStore
    from support.servers import Server

Raw = dict[str, Any]

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
DUE = datetime(2026, 11, 30, tzinfo=UTC)
PREFIX = "app/tenants/acme/"


@pytest.fixture(
    params=[
        *(f"{server}{engine}" for server in ("moto", "emulator") for engine in ("", "+http")),
        "ministack+http",
        "seaweedfs",
    ]
)
def place(request: pytest.FixtureRequest) -> S3 | GCS:
    """A bucket on each service, for each engine."""
    name, _, engine = request.param.partition("+")
    server = request.getfixturevalue(name)
    place = GCS(server) if name == "emulator" else S3(server)
    place.url += f"&engine={engine}" if engine else ""
    return place


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON.timestamp())


async def fill(store: StateStore) -> None:
    """Two tenants of which the id of one begins with that of the other, with one id in both."""
    for tenant in ("acme", "acme-2"):
        view = store.tenant(tenant)
        for execution in ("e1", f"{tenant}-e2"):
            await view.save_snapshot(view.snapshot(execution))
        await view.set("exec:e1:k", b"v")


async def names(store: StateStore, prefix: str) -> list[str]:
    page = await store.context.objects.bucket.list(prefix, after=None, limit=1000)  # type: ignore[attr-defined]
    return [info.name for info in page.objects]


async def carry_out(store: StateStore, prefix: str = PREFIX) -> None:
    """What the rule does, a day later."""
    gone = await names(store, prefix)
    await store.context.objects.bucket.delete_many(gone)  # type: ignore[attr-defined]


def ours(place: S3 | GCS) -> list[Raw]:
    """The rules of a bucket that reach one tenant only."""
    return [rule for rule in place.rules() if PREFIX in str(rule)]


@pytest.mark.asyncio
async def test_a_tenant_goes_by_a_rule_that_is_removed_in_the_end(
    place: S3 | GCS, clock: Clock
) -> None:
    async with open_store(place.url, clock=clock) as store:
        place.put([place.foreign])
        await store.apply_lifecycle(dry_run=False)
        before = place.rules()
        await fill(store)
        everything = await names(store, "app/")

        started = await store.delete_tenant("acme", by="lifecycle")
        assert (started.stage, started.done, started.done_after) == ("started", False, DUE)
        (rule,) = ours(place)
        assert started.rule in str(rule)
        assert [one for one in place.rules() if one != rule] == before
        assert await names(store, "app/") == everything  # it is the bucket that removes

        # Again, before all has gone: the same rule.
        clock.advance(timedelta(days=1))
        again = await store.delete_tenant("acme", by="lifecycle")
        assert (again.stage, again.owners, again.rule) == ("removing", 0, started.rule)
        # An id holds the day; where rules have none, what is there now counts.
        assert again.done_after == (DUE if isinstance(place, S3) else DUE + timedelta(days=1))
        assert ours(place) == [rule]
        assert "owners/e1/acme" in str(await names(store, "app/owners/"))

        await carry_out(store)
        done = await store.delete_tenant("acme", by="lifecycle")
        assert (done.stage, done.done, done.done_after, done.owners) == ("done", True, None, 2)
        assert done.module_input == ""
        assert place.rules() == before
        assert [n for n in everything if "acme-2" in n] == await names(store, "app/")
        assert await store.load_snapshot("e1") is not None  # one tenant is left that has it

        assert await store.delete_tenant("acme", by="lifecycle") == OffboardingReport(
            tenant_id="acme", stage="done"
        )
        assert place.rules() == before


@pytest.mark.asyncio
async def test_the_rule_is_known_as_ours_and_left_alone(place: S3 | GCS, clock: Clock) -> None:
    async with open_store(place.url, clock=clock) as store:
        await fill(store)
        await store.delete_tenant("acme", by="lifecycle")
        (rule,) = ours(place)
        # What TTLs need is written beside it, and nothing is to change then.
        plan = await store.apply_lifecycle(dry_run=False)
        assert plan.applied
        assert len(plan.kept) == 1
        assert ours(place) == [rule]
        report = await store.check_lifecycle()
        assert report.ok
        (note,) = report.findings
        assert note.kind == "note"
        assert "removes tenant 'acme' for delete_tenant" in note.message
        assert PREFIX in note.message
        assert ("due 2026-11-30 00:00 UTC" in note.message) == isinstance(place, S3)
        assert note.remedy is not None
        assert note.remedy.call == "delete_tenant('acme', by=\"lifecycle\")"
        assert note.remedy.command == "statebucket rm-tenant acme --by-lifecycle"
        assert not (await store.apply_lifecycle(dry_run=False)).applied
    # It is no business of another store in the bucket.
    async with open_store(place.url.replace("/app?", "/other?")) as other:
        await other.apply_lifecycle(dry_run=False)
        assert (await other.check_lifecycle()).findings == ()
        assert ours(place) == [rule]


@pytest.mark.parametrize("engine", ["sdk", "http"])
@pytest.mark.asyncio
async def test_a_bucket_that_had_no_rules_has_none_again(moto: Server, engine: str) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        async with open_store(f"{place.url.replace(moto.url, proxy.url)}&engine={engine}") as store:
            await fill(store)
            await store.delete_tenant("acme", by="lifecycle")
            assert len(place.rules()) == 1
            await carry_out(store)
            assert (await store.delete_tenant("acme", by="lifecycle")).done
        # AWS refuses a configuration without rules; this server does not.
        assert proxy.count("PUT", contains="lifecycle") == 1
        assert proxy.count("DELETE", contains="lifecycle") == 1
    with pytest.raises(place.client.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        place.rules()


@pytest.mark.asyncio
async def test_the_requests_of_each_run(moto: Server) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        async with open_store(place.url.replace(moto.url, proxy.url)) as store:
            await fill(store)

            async def requests() -> int:
                proxy.clear()
                await store.delete_tenant("acme", by="lifecycle")
                return proxy.count()

            assert await requests() == 4  # rules and a listing; rules again, and the rule
            assert await requests() == 2
            await carry_out(store)
            assert (
                await requests() == 7
            )  # and the records, a batch; rules again, without it, and a look
            assert await requests() == 3


@pytest.mark.asyncio
async def test_a_tenant_that_comes_back_gets_its_record_again(moto: Server, clock: Clock) -> None:
    async with open_store(S3(moto).url, clock=clock) as store:
        await fill(store)
        await store.delete_tenant("acme", by="lifecycle")
        await carry_out(store)
        assert (await store.delete_tenant("acme", by="lifecycle")).done
        await store.save_snapshot(store.tenant("acme").snapshot("acme-e2"))
        assert "app/owners/acme-e2/acme" in await names(store, "app/owners/")


@pytest.mark.asyncio
async def test_without_owner_records_none_are_looked_for(moto: Server) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        url = place.url.replace(moto.url, proxy.url)
        async with open_store(f"{url}&owner_index=false") as store:
            await store.tenant("acme").set("k", b"v")
            proxy.clear()
            assert (await store.delete_tenant("acme", by="lifecycle")).stage == "started"
            assert proxy.count() == 4
            await carry_out(store)
            assert (await store.delete_tenant("acme", by="lifecycle")).owners == 0
        assert proxy.count(contains="owners") == 0


# Where Terraform owns the rules.


@pytest.mark.asyncio
async def test_where_terraform_owns_the_rules_its_input_is_printed(place: S3 | GCS) -> None:
    async with open_store(place.url) as store:
        await store.apply_lifecycle(dry_run=False)
        place.own_by_terraform(place.rules())
        before = place.rules()
        await fill(store)
        with pytest.raises(UnsupportedOperation, match="Terraform owns") as refused:
            await store.delete_tenant("acme", by="lifecycle")
        assert 'offboarded_tenants = ["acme"]' in refused.value.message
        assert place.rules() == before
        async with open_store(place.url.replace("/app?", "/other?")) as other:
            await fill(other)
            with pytest.raises(UnsupportedOperation, match="extra_lifecycle_rules") as refused:
                await other.delete_tenant("acme", by="lifecycle")
        assert '"prefixes":["other/tenants/acme/"]' in refused.value.message

        # The module writes the rule.
        removal = s3.REMOVAL if isinstance(place, S3) else gcs.REMOVAL
        rule = offboarding_rule(scope("app", removal), PREFIX, None)
        if isinstance(place, S3):
            assert rule.id.startswith(TERRAFORM_ID)
            more = s3.write([rule], NOTHING)["LifecycleConfiguration"]["Rules"]
        else:
            more = gcs.write([rule], Lifecycle(rules=(), state="1"))[1]["lifecycle"]["rule"]
        place.own_by_terraform([*before, *more])
        before = place.rules()
        assert (await store.delete_tenant("acme", by="lifecycle")).stage == "removing"
        report = await store.check_lifecycle()
        assert report.ok
        assert "take it out of the Terraform module's input" in str(report)
        await carry_out(store)
        done = await store.delete_tenant("acme", by="lifecycle")
        assert (done.done, done.owners) == (True, 2)
        assert done.module_input == 'offboarded_tenants = ["acme"]'
        assert "take it out of the Terraform module's input" in str(done)
        assert place.rules() == before


@pytest.mark.asyncio
async def test_of_two_prefixes_in_a_bucket_of_terraforms_both_inputs_are_printed(
    moto: Server,
) -> None:
    place = S3(moto)
    async with (
        open_store(place.url) as store,
        open_store(place.url.replace("/app?", "/other?")) as other,
    ):
        await store.apply_lifecycle(dry_run=False)
        await other.apply_lifecycle(dry_run=False)
        place.own_by_terraform(place.rules())
        await fill(store)
        with pytest.raises(UnsupportedOperation, match="Terraform owns") as refused:
            await store.delete_tenant("acme", by="lifecycle")
    text = refused.value.message
    assert 'offboarded_tenants = ["acme"] (if its prefix is "app"; else extra_life' in text


# Where there is no such rule.


@pytest.mark.asyncio
async def test_what_has_no_rules_refuses(tmp_path: Path) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path}/state.db"):
        async with open_store(url) as store:
            await fill(store)
            with pytest.raises(UnsupportedOperation, match=r"no lifecycle rules: .* by requests"):
                await store.delete_tenant("acme", by="lifecycle")
            assert (await store.delete_tenant("acme", by="requests")).owners == 2


@pytest.mark.asyncio
async def test_a_view_a_part_and_another_way_are_refused(moto: Server) -> None:
    place = S3(moto)
    async with open_store(place.url) as store:
        await fill(store)
        with pytest.raises(UnsupportedOperation, match="the whole bucket's"):
            await store.tenant("acme").delete_tenant("acme", by="lifecycle")
        (part,) = await store.partitions(1, tenant="acme")
        with pytest.raises(InvalidArgument, match="partition"):
            await store.delete_tenant("acme", by="lifecycle", partition=part)  # type: ignore[call-overload]
        with pytest.raises(InvalidArgument, match="'requests' or 'lifecycle': 'rule'"):
            await store.delete_tenant("acme", by="rule")  # type: ignore[call-overload]


@pytest.mark.parametrize("engine", ["sdk", "http"])
@pytest.mark.asyncio
async def test_a_service_without_rules_says_how_else(moto: Server, engine: str) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.always(s3_error(501, "NotImplemented", when=on("GET", "lifecycle")))
        async with open_store(f"{place.url.replace(moto.url, proxy.url)}&engine={engine}") as store:
            await fill(store)
            with pytest.raises(UnsupportedOperation, match=r"has no lifecycle rules .*by requests"):
                await store.delete_tenant("acme", by="lifecycle")
            await carry_out(store)
            done = await store.delete_tenant("acme", by="lifecycle")
        assert (done.done, done.owners, done.module_input) == (True, 2, "")


@pytest.mark.parametrize("engine", ["sdk", "http"])
@pytest.mark.asyncio
async def test_on_azure_the_module_writes_the_rule(azurite: Server, engine: str) -> None:
    target = AzureTarget(azurite, raw_container(azurite), engine=engine)
    prefix = f"{target.prefix}tenants/acme/"
    async with target.open() as store:
        await fill(store)
        with pytest.raises(UnsupportedOperation, match="terraform/azure") as refused:
            await store.delete_tenant("acme", by="lifecycle")
        assert 'offboarded_tenants = ["acme"]' in refused.value.message
        await carry_out(store, prefix)
        done = await store.delete_tenant("acme", by="lifecycle")
        # Whether the rule is there cannot be seen from here.
        assert (done.done, done.owners, done.rule) == (True, 2, "")
        assert done.module_input == 'offboarded_tenants = ["acme"]'
        left = [name for name in target.raw_names() if name.startswith("owners/")]
        assert left == ["owners/acme-2-e2/acme-2", "owners/e1/acme-2"]
    target.raw.close()


def test_a_blocking_store_has_it_too(moto: Server) -> None:
    with open_blocking(S3(moto).url) as store:
        store.tenant("acme").set("k", b"v")
        assert store.delete_tenant("acme", by="lifecycle").stage == "started"
        assert store.delete_tenant("acme").keys == 1
        assert store.delete_tenant("acme", by="lifecycle").done


# What is cut short is finished by the next run.


@pytest.mark.parametrize("engine", ["sdk", "http"])
@pytest.mark.asyncio
async def test_while_a_record_is_left_the_rule_stays(moto: Server, engine: str) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        async with open_store(f"{place.url.replace(moto.url, proxy.url)}&engine={engine}") as store:
            await fill(store)
            await store.delete_tenant("acme", by="lifecycle")
            await carry_out(store)
            proxy.plan(s3_error(403, "AccessDenied", when=on("POST", "delete")))
            with pytest.raises(DeleteIncomplete):
                await store.delete_tenant("acme", by="lifecycle")
            assert len(ours(place)) == 1
            # The rule cannot be removed: the records have gone by then.
            proxy.plan(s3_error(403, "AccessDenied", when=on("DELETE", "lifecycle")))
            with pytest.raises(AccessDenied):
                await store.delete_tenant("acme", by="lifecycle")
            assert len(ours(place)) == 1
            assert [n for n in await names(store, "app/owners/") if n.endswith("/acme")] == []
            done = await store.delete_tenant("acme", by="lifecycle")
            assert (done.done, done.owners) == (True, 0)
            assert done.rule


@pytest.mark.asyncio
async def test_without_the_right_to_the_rules_nothing_is_done(moto: Server) -> None:
    place = S3(moto)
    with FaultProxy(moto.host, moto.port) as proxy:
        proxy.always(s3_error(403, "AccessDenied", when=on("PUT", "lifecycle")))
        async with open_store(place.url.replace(moto.url, proxy.url)) as store:
            await fill(store)
            before = await names(store, "app/")
            with pytest.raises(AccessDenied):
                await store.delete_tenant("acme", by="lifecycle")
            assert await names(store, "app/") == before

"""A tenant's temporary rule that someone has changed is neither overlooked nor replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from statebucket import open_store
from statebucket.errors import UnsupportedOperation
from statebucket.lifecycle.offboarding import offboarding_rule, tenant_of
from statebucket.port.lifecycle import TERRAFORM_ID
from statebucket_s3 import lifecycle as s3
from support.lifecycle_places import S3
from support.rules import ON_S3, on_s3, s3_rules, scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statebucket import StateStore
    from support.servers import Server

Raw = dict[str, Any]

DAY = datetime(2026, 11, 28, tzinfo=UTC).date()
PREFIX = "app/tenants/acme/"
SAME_PLACE = {
    "it is disabled": {"Status": "Disabled"},
    "it deletes after 30 days": {"Expiration": {"Days": 30}},
    "it deletes from 2030-01-01 on": {"Expiration": {"Date": "2030-01-01T00:00:00Z"}},
    "it has further conditions": {
        "Filter": {"And": {"Prefix": PREFIX, "Tags": [{"Key": "a", "Value": "b"}]}}
    },
}
ELSEWHERE = {
    "it is for 'app/tenants/acme-2/'": {"Filter": {"Prefix": "app/tenants/acme-2/"}},
    "it is for 'logs/'": {"Filter": {"Prefix": "logs/"}},
    "it is disabled, it is for 'logs/'": {"Status": "Disabled", "Filter": {"Prefix": "logs/"}},
}


@pytest.fixture(params=["sdk", "http"])
def place(request: pytest.FixtureRequest, moto: Server) -> S3:
    place = S3(moto)
    place.url += f"&engine={request.param}"
    return place


@pytest_asyncio.fixture
async def store(place: S3) -> AsyncIterator[StateStore]:
    """A store with two tenants, of which one has a rule, and the bucket another of its own."""
    async with open_store(place.url) as opened:
        for tenant in ("acme", "acme-2"):
            view = opened.tenant(tenant)
            await view.save_snapshot(view.snapshot("e1"))
        place.put([place.foreign])
        await opened.delete_tenant("acme", by="lifecycle")
        yield opened


def change(place: S3, changes: Raw) -> Raw:
    """Has someone change the tenant's rule, and returns it."""
    foreign, rule = place.rules()
    place.put([foreign, rule | changes])
    return rule | changes


@pytest.mark.asyncio
@pytest.mark.parametrize(("how", "changes"), [*SAME_PLACE.items(), *ELSEWHERE.items()])
async def test_while_something_is_left_it_is_refused_by_name(
    place: S3, store: StateStore, how: str, changes: Raw
) -> None:
    rule = change(place, changes)
    before = place.rules()
    for _ in range(2):  # on the same day, for which an id would be the same
        with pytest.raises(UnsupportedOperation, match="was changed since") as refused:
            await store.delete_tenant("acme", by="lifecycle")
        assert repr(rule["ID"]) in refused.value.message
        assert f": {how}. Nothing was done" in refused.value.message
    assert place.rules() == before
    # Without the rule it begins again.
    place.put([place.foreign])
    assert (await store.delete_tenant("acme", by="lifecycle")).stage == "started"


@pytest.mark.asyncio
@pytest.mark.parametrize("changes", SAME_PLACE.values(), ids=SAME_PLACE)
async def test_once_nothing_is_left_it_is_removed_as_well(
    place: S3, store: StateStore, changes: Raw
) -> None:
    rule = change(place, changes)
    await store.delete_tenant("acme")
    done = await store.delete_tenant("acme", by="lifecycle")
    assert (done.done, done.rule) == (True, rule["ID"])
    assert [one["ID"] for one in place.rules()] == [place.foreign["ID"]]


@pytest.mark.asyncio
@pytest.mark.parametrize("changes", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_one_that_is_of_use_elsewhere_stays_and_is_never_beside_a_done(
    place: S3, store: StateStore, changes: Raw
) -> None:
    change(place, changes)
    bucket = store.context.objects.bucket  # type: ignore[attr-defined]
    await bucket.delete(f"{PREFIX}snapshots/e1")
    before = place.rules()
    with pytest.raises(UnsupportedOperation, match="remove that rule"):
        await store.delete_tenant("acme", by="lifecycle")
    assert place.rules() == before
    assert await bucket.head("app/owners/e1/acme") is not None  # nothing was done
    place.put([place.foreign])
    done = await store.delete_tenant("acme", by="lifecycle")
    assert (done.done, done.owners) == (True, 1)


@pytest.mark.asyncio
async def test_beside_one_that_acts_it_goes_with_it_in_the_end(
    place: S3, store: StateStore
) -> None:
    rule = change(place, {"Status": "Disabled"})
    acting = rule | {"Status": "Enabled", "ID": rule["ID"].replace("-20", "-19", 1)}
    place.put([*place.rules(), acting])
    removing = await store.delete_tenant("acme", by="lifecycle")
    assert (removing.stage, removing.rule) == ("removing", acting["ID"])
    await store.delete_tenant("acme")
    assert (await store.delete_tenant("acme", by="lifecycle")).done
    assert [one["ID"] for one in place.rules()] == [place.foreign["ID"]]


# What the check says of it.


def ours(changes: Raw, prefix: str = "app/state/tenants/acme/") -> Raw:
    rule = offboarding_rule(ON_S3, prefix, DAY)
    (raw,) = s3.write([rule], s3.read({}))["LifecycleConfiguration"]["Rules"]
    made: Raw = raw | changes
    return made


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"Status": "Disabled"}, "it is disabled"),
        ({"Filter": {"Prefix": "logs/"}}, "it is for 'logs/'"),
        ({"Expiration": {"ExpiredObjectDeleteMarker": True}}, "it deletes no objects"),
    ],
)
def test_one_that_does_no_harm_is_reported_too(changes: Raw, how: str) -> None:
    rule = ours(changes)
    report = on_s3([*s3_rules(), rule])
    (finding,) = report.findings
    assert (finding.kind, finding.rule) == ("wrong", rule["ID"])
    assert finding.message.endswith(f"was changed since: {how}")
    assert not finding.fixable  # by apply_lifecycle, which leaves it alone


def test_one_at_another_tenants_prefix_removes_no_tenant_at_our_request() -> None:
    rule = ours({"Filter": {"Prefix": "app/state/tenants/zenith/"}})
    (finding,) = on_s3([*s3_rules(), rule]).findings
    assert finding.kind == "dangerous"
    for started in (DAY, None):  # ours, and Terraform's
        where = scope("app", s3.REMOVAL)
        made = offboarding_rule(where, PREFIX, started)
        assert made.id.startswith(TERRAFORM_ID) == (started is None)
        assert tenant_of(made, where) == "acme"

"""What the doctor concludes from Google's replies, played by a proxy."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from google.auth.credentials import Credentials

from statebucket import open_store
from statebucket.admin.doctor import Examination
from support.fault_proxy.proxy import Answer, FaultProxy, gcs_error, on
from support.targets.gcs_bucket import Around, with_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from statebucket.port.findings import Finding
    from support.servers import Server

    Examined = Callable[..., Awaitable[list[Finding]]]

pytestmark = pytest.mark.asyncio

JSON = (("Content-Type", "application/json; charset=UTF-8"),)
OBJECTS = [f"storage.objects.{right}" for right in ("create", "delete", "get", "list")]
# As a bucket of the Terraform module is described.
FIT: dict[str, Any] = {
    "location": "EUROPE-WEST1",
    "locationType": "region",
    "storageClass": "STANDARD",
    "versioning": {"enabled": False},
    "softDeletePolicy": {"retentionDurationSeconds": "0"},
    "iamConfiguration": {
        "bucketPolicyOnly": {"enabled": True, "lockedTime": "2027-01-01T00:00:00.000Z"},
        "uniformBucketLevelAccess": {"enabled": True, "lockedTime": "2027-01-01T00:00:00.000Z"},
        "publicAccessPrevention": "enforced",
    },
}
DESCRIBED = on("GET", "fields=location")
TESTED = on("GET", "/iam/testPermissions")


class Someone(Credentials):
    """Credentials of an account that tells its name, or does not."""

    def __init__(self, **told: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        vars(self).update(told)

    def refresh(self, _request: object) -> None:
        self.token = "token"


@pytest.fixture
def proxy(fake: Server) -> Iterator[FaultProxy]:
    with FaultProxy(fake.host, fake.port, rewrite_host=fake.netloc) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def around(fake: Server) -> AsyncIterator[Around]:
    around = Around(fake.url)
    yield around
    await around.close()


@pytest.fixture
def examined(proxy: FaultProxy, around: Around, engine: str) -> Examined:
    async def examine(prefix: str = "app", **told: str) -> list[Finding]:
        own = with_credentials(Someone(**told), proxy.url, engine)
        url = f"gs://{around.bucket}/{prefix}?engine={engine}"
        async with open_store(url, **own) as store:
            findings = [one async for one in Examination(store).findings()]
        if "client" in own:
            own["client"].close()
        return findings

    return examine


def says(proxy: FaultProxy, bucket: dict[str, Any], permissions: list[str]) -> None:
    """What the service says of the bucket and of the rights to it."""
    headers = (*JSON, ("Date", formatdate(usegmt=True)))
    proxy.always(Answer(200, headers, json.dumps(bucket).encode(), when=DESCRIBED))
    tested = {"kind": "storage#testIamPermissionsResponse", "permissions": permissions}
    proxy.always(Answer(200, JSON, json.dumps(tested).encode(), when=TESTED))


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [one for one in findings if one.check == check]


async def test_a_bucket_of_the_module_is_fit(proxy: FaultProxy, examined: Examined) -> None:
    says(proxy, FIT, OBJECTS)
    email = "function@project.iam.gserviceaccount.com"
    findings = await examined("", service_account_email=email)
    assert of(findings, "identity")[0].message == f"serviceAccount:{email}"
    for check in ("versions", "place", "public", "clock"):
        assert {one.status for one in of(findings, check)} == {"ok"}, check
    assert "EUROPE-WEST1 (region), STANDARD" in of(findings, "place")[0].message
    assert of(findings, "rights")[0].status == "ok"
    (asked,) = [one for one in proxy.requests if TESTED(one)]
    for right in ("storage.objects.create", "storage.buckets.delete"):
        assert f"permissions={right}" in asked.target


async def test_rights_that_it_should_not_have(proxy: FaultProxy, examined: Examined) -> None:
    says(proxy, FIT, [*OBJECTS, "storage.buckets.delete", "storage.buckets.setIamPolicy"])
    found = [one for one in of(await examined(), "rights") if one.status == "warning"]
    text = "\n".join(one.message for one in found)
    assert "storage.buckets.delete: it can delete the bucket" in text
    assert "storage.buckets.setIamPolicy: it can change who may do what" in text
    assert "in the whole bucket" in text  # although the store has only app/
    assert "storage.buckets.update" not in text
    assert all("runtime_members" in str(one.remedy) for one in found)


async def test_a_grant_below_prefixes_is_not_taken_for_a_missing_one(
    proxy: FaultProxy, examined: Examined
) -> None:
    says(proxy, FIT, ["storage.objects.list"])
    note = of(await examined(), "rights")[0]
    assert note.status == "note"
    assert "storage.objects.create, storage.objects.delete, storage.objects.get" in note.message
    assert str(note.remedy) == "statebucket doctor --write"


@pytest.mark.parametrize(
    ("change", "check", "status", "message", "remedy"),
    [
        ({"versioning": {"enabled": True}}, "versions", "note", "every save", "--no-versioning"),
        (
            {"softDeletePolicy": {"retentionDurationSeconds": "604800"}},
            *("versions", "note", "for 7 days, and bills it", "--clear-soft-delete"),
        ),
        (
            {"retentionPolicy": {"retentionPeriod": "86400", "isLocked": False}},
            *("retention", "fault", "younger than a day", "--clear-retention-period"),
        ),
        (
            {"retentionPolicy": {"retentionPeriod": "86400", "isLocked": True}},
            *("retention", "fault", "younger than a day", "use another bucket"),
        ),
        (
            {"hierarchicalNamespace": {"enabled": True}},
            *("place", "warning", "a folder for each execution stays", "use a bucket without it"),
        ),
        (
            {"defaultEventBasedHold": True},
            *("retention", "fault", "on hold", "--no-default-event-based-hold"),
        ),
        (
            {"storageClass": "NEARLINE"},
            *("place", "warning", "minimum of 30 days", "--default-storage-class=STANDARD"),
        ),
        (
            {"iamConfiguration": {"publicAccessPrevention": "enforced"}},
            *("public", "warning", "not uniform", "--uniform-bucket-level-access"),
        ),
        (
            {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}},
            *("public", "warning", "not prevent public access", "--public-access-prevention"),
        ),
    ],
)
async def test_a_setting_that_costs_or_hurts_is_found_with_what_fixes_it(
    proxy: FaultProxy,
    examined: Examined,
    *,
    change: dict[str, Any],
    check: str,
    status: str,
    message: str,
    remedy: str,
) -> None:
    says(proxy, FIT | change, OBJECTS)
    (found,) = [one for one in of(await examined(), check) if one.status != "ok"]
    assert found.status == status
    assert message in found.message
    assert remedy in str(found.remedy)


async def test_what_it_may_not_see_is_said_with_the_right_it_takes(
    proxy: FaultProxy, examined: Examined
) -> None:
    says(proxy, FIT, [])
    denied = "x does not have storage.buckets.get access to the Google Cloud Storage bucket."
    proxy.heal()
    proxy.always(gcs_error(403, "forbidden", denied, when=DESCRIBED))
    findings = await examined()
    (unseen,) = of(findings, "versions")
    assert (unseen.status, "reader_members" in str(unseen.remedy)) == ("unknown", True)
    assert of(findings, "clock")[0].status == "unknown"  # the proxy's answer has no date
    assert "answered 404" in of(findings, "rights")[0].message


@pytest.mark.parametrize(
    ("told", "status", "message"),
    [
        ({"account": "ann@example.com"}, "note", "user:ann@example.com"),
        ({"service_account_email": "default"}, "unknown", "does not say whose"),
        ({}, "unknown", "Someone does not say whose"),
    ],
)
async def test_identity(
    examined: Examined, told: dict[str, str], status: str, message: str
) -> None:
    (found,) = of(await examined(**told), "identity")
    assert found.status == status
    assert message in found.message


async def test_on_an_emulator_it_tells_what_that_knows(emulator: Server, engine: str) -> None:
    around = Around(emulator.url)
    url = f"gs://{around.bucket}/app?endpoint_url={emulator.url}&anonymous=true&engine={engine}"
    async with open_store(url) as store:
        findings = [one async for one in Examination(store).findings()]
    await around.close()
    assert of(findings, "identity")[0].message == "no credentials are sent"
    assert any("storage.buckets.delete" in one.message for one in of(findings, "rights"))
    assert {one.check for one in findings} >= {"versions", "place", "public", "clock"}


@pytest.mark.parametrize(
    ("bucket", "permissions"),
    [({"softDeletePolicy": {"retentionDurationSeconds": "soon"}}, 5), ({"versioning": 1}, [{}])],
)
async def test_an_answer_of_another_form_hides_no_other_finding(
    proxy: FaultProxy, examined: Examined, bucket: dict[str, Any], permissions: Any
) -> None:
    says(proxy, FIT | bucket, permissions)
    findings = await examined(service_account_email="f@p.iam")
    assert of(findings, "identity")[0].message == "serviceAccount:f@p.iam"
    assert of(findings, "rights")[0].status == "unknown"
    assert [one.status for one in of(findings, "versions")] == ["unknown"]
    assert of(findings, "clock")[0].status == "ok"

"""An examination completes, no matter what a service or adapter does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from statebucket import errors, open_store
from statebucket.admin.condition_trials import ConditionTrials
from statebucket.admin.doctor import Examination
from statebucket.port.bucket import Object
from statebucket.port.expiry import Expiry
from statebucket.port.remedies import Remedies, Remedy
from statebucket.testing import Clock
from statebucket_gcs.remedies import REMEDIES as GCS
from statebucket_local.memory import MemoryBucket
from statebucket_s3.remedies import REMEDIES as S3

if TYPE_CHECKING:
    from statebucket.port.findings import Finding
    from statebucket.store.store import ObjectStateStore

pytestmark = pytest.mark.asyncio

SECRET = "hunter2"


@pytest.fixture
def store() -> ObjectStateStore:
    return open_store("memory://")


def bucket_of(store: ObjectStateStore, remedies: Remedies | None = None) -> Any:
    """The store's bucket, as that of a cloud."""
    bucket: Any = store.context.objects.bucket

    async def nothing(_: str) -> tuple[Finding, ...]:
        return ()

    bucket.remedies, bucket.examine, bucket.requires_network = remedies or Remedies(), nothing, True
    return bucket


async def examined(store: ObjectStateStore, **options: Any) -> list[Finding]:
    return [one async for one in Examination(store, **options).findings()]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(SECRET), "builtins.ValueError"),
        (errors.RequestRejected("not this one"), "RequestRejected: not this one"),
        (TimeoutError(), "no answer in time"),
    ],
)
async def test_a_probe_that_fails_is_a_finding_and_the_others_follow(
    store: ObjectStateStore, error: Exception, said: str
) -> None:
    bucket = bucket_of(store)

    async def fail(_: str) -> None:
        raise error

    bucket.examine = fail
    findings = await examined(store, write=True)
    (identity,) = [one for one in findings if one.check == "identity"]
    assert (identity.status, identity.message) == ("unknown", f"could not be checked: {said}")
    assert {one.check for one in findings} == {
        *("reach", "identity", "rights", "conditions", "lifecycle", "latency")
    }
    assert SECRET not in str(findings)


@pytest.mark.parametrize("call", ["check", "get", "list", "put", "delete"])
async def test_no_call_of_a_broken_adapter_ends_an_examination(
    store: ObjectStateStore, call: str
) -> None:
    bucket = bucket_of(store)

    async def fail(*_: Any, **__: Any) -> None:
        raise KeyError(SECRET)

    setattr(bucket, call, fail)
    findings = await examined(store.with_deadline(1), write=True)
    assert findings
    assert any(one.status in {"fault", "unknown"} for one in findings)
    assert SECRET not in str(findings)
    if call == "check":
        assert [(one.check, one.status) for one in findings] == [("reach", "fault")]
    else:
        assert findings[-1].check == "latency"


@pytest.mark.parametrize("call", ["put", "delete", "list", "head"])
async def test_a_service_that_is_busy_for_a_moment_is_no_finding(
    store: ObjectStateStore, call: str
) -> None:
    bucket, busy = bucket_of(store), 2
    through = getattr(bucket, call)

    async def sometimes(*args: Any, **options: Any) -> Any:
        nonlocal busy
        if busy:
            busy -= 1
            raise errors.Throttled("another process holds the lock")
        return await through(*args, **options)

    trials = ConditionTrials(bucket, "app/doctor-", Expiry(2**41, 1), 10)
    setattr(bucket, call, sometimes)
    (finding,) = await trials.findings()
    assert (finding.check, finding.status, busy) == ("conditions", "ok", 0)


async def test_a_service_that_stays_busy_leaves_the_trials_open(store: ObjectStateStore) -> None:
    bucket = bucket_of(store)

    async def busy(*_: Any, **__: Any) -> Any:
        raise errors.Throttled("slow down", retry_after=30)

    trials = ConditionTrials(bucket, "app/doctor-", Expiry(2**41, 1), 10)
    bucket.put = busy
    findings = await trials.findings()
    assert {one.status for one in findings} == {"unknown"}
    assert all("could not be tried: Throttled" in one.message for one in findings)


async def test_no_object_is_written_faster_than_the_service_allows(
    store: ObjectStateStore,
) -> None:
    bucket = bucket_of(store)
    bucket.limits = msgspec.structs.replace(bucket.limits, write_interval=0.2)
    through, last, refused = bucket.put, dict[str, float](), list[str]()

    async def paced(write: Any, condition: Any) -> Any:
        now = time.monotonic()
        if now - last.get(write.name, -1) < 0.2:
            refused.append(write.name)
            raise errors.Throttled("429 rateLimitExceeded")
        last[write.name] = now
        return await through(write, condition)

    bucket.put = paced
    findings = await examined(store, write=True)
    assert refused == []
    (latency,) = [one for one in findings if one.check == "latency"]
    assert latency.status == "ok"
    assert "save" in latency.message
    assert bucket._objects == {}


def denies_what_does_not_exist(bucket: Any) -> None:
    get = bucket.get

    async def some(name: str) -> Any:
        found = await get(name)
        if found is None:
            raise errors.AccessDenied("no objects.list on it")
        return found

    bucket.get = some


@pytest.mark.parametrize("write", [True, False])
async def test_where_a_missing_name_is_denied_the_remedy_is_not_the_grant_that_is_there(
    store: ObjectStateStore, *, write: bool
) -> None:
    denies_what_does_not_exist(bucket_of(store, GCS))
    faults = [one for one in await examined(store, write=write) if one.check == "rights"]
    faults = [one for one in faults if one.status == "fault"]
    assert len(faults) == 3  # tenants, shared, owners
    for one in faults:
        assert "each first load raises AccessDenied" in one.message
        assert one.remedy == GCS.absent
        assert "runtime_members" not in str(one.remedy)


async def test_where_what_exists_is_denied_too_the_rights_are_missing(
    store: ObjectStateStore,
) -> None:
    bucket = bucket_of(store, GCS)

    async def denied(_: str) -> None:
        raise errors.AccessDenied("no")

    bucket.get = denied
    faults = [one for one in await examined(store, write=True) if one.status == "fault"]
    assert [one.remedy for one in faults if one.check == "rights"] == [GCS.rights] * 3


@pytest.mark.parametrize("call", ["put", "get", "delete"])
async def test_a_missing_right_is_not_reported_as_a_broken_condition(
    store: ObjectStateStore, call: str
) -> None:
    bucket = bucket_of(store, GCS)

    async def denied(*_: Any) -> None:
        raise errors.AccessDenied("no")

    setattr(bucket, call, denied)
    findings = await examined(store, write=True)
    assert {one.check for one in findings if one.status == "fault"} == {"rights"}
    untried = [one for one in findings if one.check in {"conditions", "latency"}]
    assert [one.status for one in untried] == ["unknown", "unknown"]
    assert all("access below tenants/ is denied" in one.message for one in untried)


async def test_the_conditions_are_tried_where_only_a_missing_name_is_denied(
    store: ObjectStateStore,
) -> None:
    bucket = bucket_of(store, S3)
    denies_what_does_not_exist(bucket)
    head = bucket.head

    async def some(name: str) -> Any:
        found = await head(name)
        if found is None:
            raise errors.AccessDenied("403")
        return found

    bucket.head = some
    findings = await examined(store, write=True)
    rights = [one for one in findings if one.check == "rights" and one.status == "fault"]
    assert [one.remedy for one in rights] == [S3.absent] * 3
    assert {one.status for one in findings if one.check in {"conditions", "latency"}} == {"ok"}


async def test_the_remedy_of_a_tenants_view_is_the_tenants(store: ObjectStateStore) -> None:
    denies_what_does_not_exist(bucket_of(store, GCS))
    faults = [one for one in await examined(store.tenant("a"), write=True) if one.status == "fault"]
    assert {str(one.remedy).rpartition(": ")[2] for one in faults if one.check == "rights"} == {
        "strict_tenant_list = false  # terraform/gcp"
    }


async def test_one_unreadable_time_does_not_hide_that_expired_objects_accumulate() -> None:
    clock = Clock()
    store = open_store("memory://", clock=clock)
    for key in ("a", "b", "c"):
        await store.tenant("acme").set(key, b"v", ttl=1)
    clock.advance(120)
    objects = bucket_of(store)._objects
    name = min(objects)  # the first of the listing
    info = msgspec.structs.replace(objects[name].info, metadata={"expiresat": "soon"})
    objects[name] = Object(info, objects[name].body)
    (finding,) = [one for one in await examined(store) if one.check == "sweep"]
    assert "2 of the first 3 objects have expired" in finding.message


@pytest.mark.usefixtures("_scripted")
async def test_a_listing_that_the_rights_include_is_a_note_but_not_for_a_tenant() -> None:
    remedies = Remedies(
        listing=Remedy(advice="narrow it"), tenant_listing=Remedy(advice="narrow the tenants'")
    )
    bucket = MemoryBucket()
    store = open_store("scripted://host/app", bucket=bucket)
    bucket_of(store, remedies)
    seen = []
    for one in (store, store.tenant("a")):
        lists = [found for found in await examined(one) if "it can list" in found.message]
        seen += [(found.status, found.remedy) for found in lists]
    assert seen == [("note", remedies.listing), ("warning", remedies.tenant_listing)]

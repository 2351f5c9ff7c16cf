"""Spans and metrics as an exporter receives them."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from statebucket import ExecutionId, ExecutionSnapshot, ExecutionState, TenantId, Version, errors

if TYPE_CHECKING:
    from statebucket.store.store import ObjectStateStore
    from statebucket.testing import Clock
    from unit.telemetry.conftest import Told

pytestmark = pytest.mark.asyncio


class Customer(msgspec.Struct):
    tenant_id: str


def snapshot(number: int = 0) -> ExecutionSnapshot:
    return ExecutionSnapshot(
        execution_id=ExecutionId("e1"),
        tenant_id=TenantId("acme"),
        state=ExecutionState.RUNNING,
        sequence_number=number,
    )


async def test_a_call_is_one_span_however_many_requests(
    store: ObjectStateStore, told: Told
) -> None:
    await store.save_snapshot(snapshot())
    (span,) = told.spans()
    assert span.name == "save_snapshot"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "db.system.name": "memory",
        "db.operation.name": "save_snapshot",
        "statebucket.tenant.id": "acme",
        "statebucket.object.name_hash": hashlib.sha256(b"owners/e1/acme").hexdigest()[:16],
        "statebucket.requests": 2,
        "statebucket.retries": 0,
        "statebucket.bytes_sent": store.stats().bytes_sent,
        "statebucket.bytes_received": 0,
    }


async def test_requests_and_retries_are_told_as_stats_has_them(
    store: ObjectStateStore, flaky: Any, told: Told
) -> None:
    flaky.failures = [errors.Throttled("slow"), errors.Unavailable("gone")]
    await store.set("k", b"v")
    (span,) = told.spans()
    assert span.attributes is not None
    assert span.attributes["statebucket.requests"] == store.stats().requests == 3
    assert span.attributes["statebucket.retries"] == store.stats().retries == 2
    assert [point.value for point in told.points("statebucket.client.retries")] == [2]
    assert [point.value for point in told.points("statebucket.client.throttles")] == [1]


async def test_no_name_of_an_object_leaves_the_process(
    store: ObjectStateStore, flaky: Any, told: Told
) -> None:
    flaky.failures = [errors.AccessDenied("no right to secret-key")]
    with pytest.raises(errors.AccessDenied):
        await store.set("secret-key", b"secret-value")
    (span,) = told.spans()
    assert "secret" not in span.to_json()


async def test_an_error_is_told_by_its_class(
    store: ObjectStateStore, flaky: Any, told: Told
) -> None:
    flaky.failures = [errors.AccessDenied("no")]
    with pytest.raises(errors.AccessDenied):
        await store.get("k")
    (span,) = told.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "AccessDenied"
    (point,) = told.points("db.client.operation.duration")
    assert point.attributes["error.type"] == "AccessDenied"


async def test_a_conflict_is_told_by_its_public_class(store: ObjectStateStore, told: Told) -> None:
    await store.set("k", b"1")
    with pytest.raises(errors.VersionConflict):
        await store.set("k", b"2", if_version=Version.ABSENT)
    assert (told.spans()[-1].attributes or {})["error.type"] == "VersionConflict"


async def test_an_error_that_is_not_ours_is_told_by_its_own_class(
    store: ObjectStateStore, flaky: Any, told: Told
) -> None:
    flaky.failures = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await store.get("k")
    assert (told.spans()[-1].attributes or {})["error.type"] == "ZeroDivisionError"


async def test_the_tenant_is_told_when_it_is_given_by_keyword(
    store: ObjectStateStore, told: Told
) -> None:
    await store.save_snapshot(snapshot=snapshot())
    [_ async for _ in store.iter_snapshots(live=True, tenant_id="acme")]
    tenants = [(span.attributes or {})["statebucket.tenant.id"] for span in told.spans()]
    assert tenants == ["acme", "acme"]


async def test_a_lease_that_is_not_entered_says_so(store: ObjectStateStore, told: Told) -> None:
    assert told is not None
    acme = store.tenant("acme")
    block: Any = acme.lease("e1", ttl=5)
    with pytest.raises(AttributeError, match=r"async with store\.lease"):
        _ = block.fence
    with pytest.raises(errors.InvalidArgument, match=r"async with store\.lease"):
        await acme.save_snapshot(acme.snapshot("e1"), lease=block)
    with pytest.raises(errors.UnsupportedOperation, match=r"async with store\.lease"), block:
        pass
    with pytest.raises(errors.UnsupportedOperation, match=r"async with store\.lease"):
        await block


async def test_conflicts_and_expired_reads_are_metrics(
    store: ObjectStateStore, clock: Clock, told: Told
) -> None:
    await store.set("k", b"1", timedelta(seconds=5))
    with pytest.raises(errors.VersionConflict):
        await store.set("k", b"2", if_version=Version.ABSENT)
    clock.advance(6)
    assert await store.get("k") is None
    assert [point.value for point in told.points("statebucket.client.conflicts")] == [1]
    (point,) = told.points("statebucket.client.expired_reads")
    assert point.value == 1
    assert dict(point.attributes) == {"db.system.name": "memory", "db.operation.name": "get"}


async def test_latency_is_a_histogram_in_seconds_without_tenants(
    store: ObjectStateStore, told: Told
) -> None:
    await store.tenant("acme").get("k")
    await store.tenant("globex").get("k")
    (point,) = told.points("db.client.operation.duration")
    assert point.count == 2
    assert 0 < point.sum < 1
    assert "acme" not in str(dict(point.attributes))


async def test_the_tenant_is_learnt_from_what_was_loaded(
    store: ObjectStateStore, told: Told
) -> None:
    await store.save_snapshot(snapshot())
    await store.load_snapshot("e1")
    assert (told.spans()[-1].attributes or {})["statebucket.tenant.id"] == "acme"


async def test_a_field_of_the_callers_own_type_is_not_taken_for_the_tenant(
    store: ObjectStateStore, told: Told
) -> None:
    acme = store.tenant("acme")
    await acme.set_json("k", {"tenant_id": "someone"})
    await acme.get_json("k", Customer)
    await acme.get_json_stored("k", Customer)
    tenants = [(span.attributes or {})["statebucket.tenant.id"] for span in told.spans()]
    assert tenants == ["acme"] * 3


async def test_a_clean_up_is_one_span_over_all_its_tasks(
    store: ObjectStateStore, told: Told
) -> None:
    acme = store.tenant("acme")
    for number in range(5):
        await acme.set(f"exec:e1:{number}", b"")
    before = store.stats().requests
    await acme.delete_execution_state("e1")
    span = told.spans()[-1]
    assert span.name == "delete_execution_state"
    assert (span.attributes or {})["statebucket.requests"] == store.stats().requests - before > 1


async def test_a_span_inside_the_call_is_its_child_and_one_between_items_is_not(
    store: ObjectStateStore, told: Told
) -> None:
    await store.set("a", b"")
    await store.set("b", b"")
    told.exporter.clear()
    with told.tracer.start_as_current_span("caller") as caller:
        between = [trace.get_current_span() async for _ in store.iter_keys()]
        assert between == [caller, caller]
    listing = next(span for span in told.spans() if span.name == "iter_keys")
    assert listing.parent is not None
    assert listing.parent.span_id == caller.get_span_context().span_id


async def test_an_iterator_that_is_given_up_ends_its_span(
    store: ObjectStateStore, told: Told
) -> None:
    await store.set("a", b"")
    keys = store.iter_keys()
    await anext(keys)
    await keys.aclose()  # type: ignore[attr-defined]
    assert [span.name for span in told.spans()] == ["set", "iter_keys"]


async def test_calls_beside_each_other_do_not_mix(store: ObjectStateStore, told: Told) -> None:
    sizes = [1, 20, 300]
    await asyncio.gather(*(store.set(f"k{size}", bytes(size)) for size in sizes))
    sent = {(span.attributes or {})["statebucket.bytes_sent"] for span in told.spans()}
    assert sent == set(sizes)


async def test_taking_a_lease_is_a_span_and_holding_it_is_not(
    store: ObjectStateStore, told: Told
) -> None:
    async with store.tenant("acme").lease("e1", ttl=timedelta(seconds=5)):
        (span,) = told.spans()
    assert span.name == "lease"
    assert (span.attributes or {})["statebucket.requests"] == 3

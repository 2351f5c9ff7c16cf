"""Clean-ups that cannot remove everything, and listings that do not end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statebucket import StateStore, errors
from statebucket.port.bucket import Deletion, Limits, Page, PrefixPage
from statebucket.testing import Clock
from statebucket.testing.contract.base import ACME, E1, snapshot
from support.foreign_objects import FOREIGN, place_beside
from support.scripted_bucket import (
    ScriptedBucket,
    answer,
    fail,
    hang,
    opened,
    slowly,
    take,
    through,
)
from support.virtual_time import now, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


pytestmark = pytest.mark.usefixtures("_scripted")

KEYS = "p/tenants/acme/executions/e1/"


class Stubborn(ScriptedBucket):
    """A bucket that answers batch deletes with errors for some objects.

    Args:
        refuses: Gives the error for an object, or None to remove it.
    """

    def __init__(
        self,
        refuses: Callable[[str], errors.StateBucketError | None],
        limits: Limits | None = None,
    ) -> None:
        super().__init__(limits=limits)
        self.refuses = refuses
        self.batches: list[list[str]] = []

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        self.batches.append(sorted(name.rpartition("/")[2] for name in names))
        refused = {name: error for name in names if (error := self.refuses(name))}
        gone = await super().delete_many([name for name in names if name not in refused])
        return [*gone, *(Deletion(name, error=error) for name, error in refused.items())]


async def filled(store: StateStore) -> None:
    await store.save_snapshot(snapshot())
    for n in range(4):
        await store.tenant(ACME).set(f"exec:e1:k{n}", b"v")


def test_objects_that_failed_for_a_moment_are_tried_again_and_only_they() -> None:
    tries: dict[str, int] = {}

    def refuses(name: str) -> errors.StateBucketError | None:
        tries[name] = tries.get(name, 0) + 1
        busy = {"k1": 1, "k3": 2}.get(name.rpartition("/")[2], 0)
        return errors.Throttled("busy") if tries[name] <= busy else None

    bucket = Stubborn(refuses)

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await filled(store)
        report = await store.delete_execution_state(E1)
        assert (report.snapshots, report.keys, report.owners) == (1, 4, 1)

    run(work())
    assert bucket.batches == [["e1", "k0", "k1", "k2", "k3"], ["k1", "k3"], ["k3"]]
    assert bucket.inner._objects == {}


def test_objects_that_cannot_be_removed_are_named_and_the_owner_record_is_kept() -> None:
    denied: set[str] = {KEYS + "k1", KEYS + "k2"}
    bucket = Stubborn(
        lambda name: errors.AccessDenied("locked", object_name=name) if name in denied else None
    )

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        error = caught.value
        assert set(error.failures) == denied
        assert {type(failure) for failure in error.failures.values()} == {errors.AccessDenied}
        assert (error.report.snapshots, error.report.keys, error.report.owners) == (1, 2, 0)
        assert error.outcome == "unknown"
        assert "2 objects are still there" in str(error)
        assert KEYS + "k" in str(error)
        assert sorted(bucket.inner._objects) == ["p/owners/e1/acme", KEYS + "k1", KEYS + "k2"]
        assert len(bucket.batches) == 1
        # By the record, running it again finds the tenant, and goes on where it stopped.
        denied.clear()
        report = await opened(bucket).delete_execution_state(E1)
        assert (report.snapshots, report.keys, report.owners) == (0, 2, 1)
        assert bucket.inner._objects == {}

    run(work())


def test_an_object_that_is_refused_keeps_no_other_from_another_try() -> None:
    busy = iter([errors.Throttled("busy")])

    def refuses(name: str) -> errors.StateBucketError | None:
        if name == KEYS + "k0":
            return errors.AccessDenied("locked")
        return next(busy, None) if name == KEYS + "k1" else None

    bucket = Stubborn(refuses)

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await filled(store)
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        assert list(caught.value.failures) == [KEYS + "k0"]

    run(work())
    assert bucket.batches[1:] == [["k1"]]


def test_a_key_of_which_a_batchs_answer_says_nothing_may_still_be_there() -> None:
    async def work() -> None:
        with pytest.raises(errors.DeleteIncomplete, match=r"may still be there: .* no result") as e:
            await opened(ScriptedBucket(answer([]))).delete_many(["a"])
        assert e.value.failures["a"].outcome == e.value.outcome == "unknown"

    run(work())


@pytest.mark.parametrize(("length", "lists"), [(1021, 1), (1022, 0), (1024, 0)])
def test_below_an_execution_whose_id_leaves_a_key_no_room_nothing_is_listed(
    length: int, lists: int
) -> None:
    bucket = ScriptedBucket()
    execution = "e" * (length - len("p/tenants/acme/snapshots/"))

    async def work() -> None:
        store = opened(bucket, owner_index=False).tenant(ACME)
        await store.save_snapshot(store.snapshot(execution))
        assert (await store.delete_execution_state(execution)).snapshots == 1

    run(work())
    assert bucket.operations == ["put", *["list"] * lists, "delete_many"]


def test_objects_that_stay_busy_are_named_within_the_deadline() -> None:
    bucket = Stubborn(lambda name: errors.Throttled("busy") if name.endswith("k2") else None)

    async def work() -> None:
        store = opened(bucket, deadline=2)
        await filled(store)
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        assert now() <= 2
        assert set(caught.value.failures) == {KEYS + "k2"}
        assert isinstance(caught.value.failures[KEYS + "k2"], errors.Throttled)
        assert caught.value.report.keys == 3
        assert bucket.batches[1:] == [["k2"]] * (len(bucket.batches) - 1)
        assert len(bucket.batches) >= 3

    run(work())


def test_a_batch_that_fails_whole_names_all_its_objects() -> None:
    bucket = ScriptedBucket(limits=Limits(delete_batch=3))

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await filled(store)
        # The listing goes through; of the two batches the one that comes first fails.
        bucket.script.extend([lambda send: send(), fail(errors.AccessDenied)])
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        failures = caught.value.failures
        assert len(failures) == 3
        assert set(failures) | {"p/owners/e1/acme"} == set(bucket.inner._objects)
        assert caught.value.report.keys + (caught.value.report.snapshots or 0) == 2

    run(work())


def test_where_each_object_takes_a_request_each_has_the_deadline() -> None:
    bucket = ScriptedBucket(limits=Limits(delete_requests=True))

    async def work() -> None:
        store = opened(bucket, deadline=1).tenant(ACME)
        await store.save_snapshot(snapshot())
        for n in range(100):
            await store.set(f"exec:e1:k{n:02}", b"v")
        bucket.requests.clear()
        bucket.script.extend([through, hang])  # the listing, and the first delete
        bucket.always = take(0.5)
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        (failure,) = caught.value.failures.values()
        assert isinstance(failure, errors.DeadlineExceeded)
        assert failure.outcome == "unknown"
        assert (caught.value.report.snapshots, caught.value.report.keys) == (0, 100)
        assert bucket.most_running == 16
        assert 101 * 0.5 / 16 <= now() <= 101 * 0.5 / 16 + 1
        deletes = [request.about for request in bucket.requests[1:]]
        assert all(len(names) == 1 for names in deletes)
        assert len(deletes) == 101

    run(work())


class WithoutBatches(ScriptedBucket):
    """A bucket whose service turns out to refuse batches, after the first object of each."""

    async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
        if len(names) == 1:
            return await super().delete_many(names)
        refused = errors.AccessDenied("no batches")
        if self.limits.delete_requests:  # this batch was waiting meanwhile
            return [Deletion(name, error=refused) for name in names]
        first = await super().delete_many(names[:1])
        self.limits = Limits(delete_batch=100, delete_requests=True)
        return [*first, *(Deletion(name, error=refused) for name in names[1:])]


def test_what_a_refused_batch_left_is_removed_one_by_one() -> None:
    bucket = WithoutBatches(limits=Limits(delete_batch=100))

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await store.save_snapshot(snapshot())
        for n in range(399):
            await store.set(f"exec:e1:k{n:03}", b"v")
        bucket.requests.clear()
        bucket.always = take(0.1)
        report = await store.delete_execution_state(E1)
        assert (report.snapshots, report.keys, report.owners) == (1, 399, 1)
        assert not bucket.inner._objects
        deletes = [one.about for one in bucket.requests if one.operation == "delete_many"]
        assert (len(deletes), max(map(len, deletes))) == (400, 1)
        assert bucket.most_running == 16

    run(work())


def test_batches_that_wait_while_one_is_refused_are_removed_one_by_one() -> None:
    bucket = WithoutBatches(limits=Limits(delete_batch=100))

    async def work() -> None:
        store = opened(bucket, deadline=2, max_in_flight=3).tenant(ACME)
        for n in range(999):
            await store.set(f"exec:e1:k{n:03}", b"v")
        bucket.always = take(0.05)  # a batch of 100 would take 5 s
        assert (await store.delete_execution_state(E1)).keys == 999
        assert bucket.most_running == 3

    run(work())


def test_what_a_refused_batch_left_may_be_refused_too() -> None:
    bucket = WithoutBatches(limits=Limits(delete_batch=100))

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await filled(store)
        bucket.script.extend([through, through, fail(errors.AccessDenied)])
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        (failure,) = caught.value.failures.values()
        assert type(failure) is errors.AccessDenied

    run(work())


def test_no_more_deletes_wait_than_may_be_in_flight() -> None:
    bucket = ScriptedBucket(limits=Limits(delete_requests=True))

    async def work() -> None:
        store = opened(bucket, deadline=1, max_in_flight=2).tenant(ACME)
        await filled(store)
        bucket.always = take(0.8)
        assert (await store.delete_execution_state(E1)).keys == 4

    run(work())


def test_a_tenant_of_which_something_is_left_is_told_and_finished_later() -> None:
    denied = {"p/tenants/acme/keys/locked"}
    bucket = Stubborn(lambda name: errors.AccessDenied("locked") if name in denied else None)

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        await store.tenant(ACME).set("locked", b"v")
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_tenant(ACME)
        assert set(caught.value.failures) == denied
        assert caught.value.report.owners == 1
        assert [tenant async for tenant in store.iter_tenants()] == [ACME]
        denied.clear()
        assert (await store.delete_tenant(ACME)).keys == 1
        assert bucket.inner._objects == {}

    run(work())


def test_an_owner_record_that_cannot_be_removed_is_named() -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket).tenant(ACME)
        await filled(store)
        through = [lambda send: send()] * 2  # the listing and the batch
        bucket.script.extend([*through, fail(errors.AccessDenied)])
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_execution_state(E1)
        assert set(caught.value.failures) == {"p/owners/e1/acme"}
        assert caught.value.report.keys == 4

    run(work())


CALLS: dict[str, Callable[[StateStore], Any]] = {
    "list_snapshots": lambda store: store.list_snapshots(ACME),
    "iter_snapshots": lambda store: _all(store.iter_snapshots(ACME)),
    "iter_keys": lambda store: _all(store.iter_keys()),
    "iter_tenants": lambda store: _all(store.iter_tenants()),
    "delete_execution_state": lambda store: store.tenant(ACME).delete_execution_state(E1),
    "delete_tenant": lambda store: store.delete_tenant(ACME),
}


async def _all(items: Any) -> list[Any]:
    return [item async for item in items]


@pytest.mark.parametrize("call", CALLS)
def test_a_listing_that_does_not_move_on_is_an_error_and_no_endless_loop(call: str) -> None:
    stuck: Any = PrefixPage([], "again") if call == "iter_tenants" else Page([], "again")
    bucket = ScriptedBucket(always=answer(stuck))

    async def work() -> None:
        with pytest.raises(errors.Unavailable, match="same page token twice"):
            await CALLS[call](opened(bucket))
        assert now() <= 20

    run(work())
    assert len(bucket.requests) <= 11


@pytest.mark.parametrize("call", ["list_snapshots", "iter_tenants", "delete_tenant"])
def test_an_empty_page_with_a_token_is_not_the_last(call: str) -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        prefix = "p/tenants/"
        empty: Any = PrefixPage([], prefix)
        if call != "iter_tenants":
            empty = Page([], f"{prefix}acme/snapshots/")
        bucket.script.append(answer(empty))
        result = await CALLS[call](store)
        if call == "delete_tenant":
            assert bucket.inner._objects == {}
        else:
            assert result == [E1 if call == "list_snapshots" else ACME]

    run(work())


class Circling(ScriptedBucket):
    """A bucket whose pages lead to each other."""

    async def list(
        self, prefix: str, *, after: str | None, limit: int, start_after: str | None = None
    ) -> Page:
        await super().list(prefix, after=None, limit=limit, start_after=start_after)
        return Page([], "b" if after == "a" else "a")


def test_a_listing_that_goes_in_circles_ends() -> None:
    bucket = Circling()

    async def work() -> None:
        with pytest.raises(errors.Unavailable, match="same page token twice"):
            await _all(opened(bucket).iter_keys())

    run(work())
    assert len(bucket.requests) <= 13


def test_a_clean_up_whose_listing_fails_on_its_way_says_what_it_removed() -> None:
    bucket = ScriptedBucket(limits=Limits(delete_batch=2))

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        await store.set("exec:e1:k", b"v")
        bucket.refuse("list", after=2, kind=errors.AccessDenied)
        with pytest.raises(errors.DeleteIncomplete, match="not everything was listed") as caught:
            await store.delete_execution_state(E1)
        assert set(caught.value.failures) == {"p/shared/executions/e1/"}
        assert caught.value.report.keys + (caught.value.report.snapshots or 0) == 4
        assert caught.value.outcome == "unknown"
        assert "p/owners/e1/acme" in bucket.inner._objects
        bucket.broken.clear()
        assert (await store.delete_execution_state(E1)).owners == 1
        assert bucket.inner._objects == {}

    run(work())


@pytest.mark.parametrize("call", ["delete_execution_state", "delete_tenant"])
def test_a_clean_up_that_may_not_list_is_told_that_alone(call: str) -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        before = dict(bucket.inner._objects)
        bucket.refuse("list", "list_prefixes", after=0, kind=errors.AccessDenied)
        with pytest.raises(errors.AccessDenied) as caught:
            await CALLS[call](store)
        assert caught.value.outcome == "none"
        assert bucket.inner._objects == before

    run(work())


def test_a_tenants_objects_stay_while_an_owner_record_could_not_be_reached() -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket, deadline=2)
        await filled(store)
        bucket.refuse("delete", after=0, kind=errors.Unavailable)
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await store.delete_tenant(ACME)
        assert set(caught.value.failures) == {"p/owners/e1/acme"}
        bucket.broken.clear()
        assert (await store.delete_tenant(ACME)).owners == 1
        assert bucket.inner._objects == {}

    run(work())


@pytest.mark.parametrize("call", ["delete_execution_state", "delete_tenant"])
def test_what_no_store_wrote_stays_and_is_counted(call: str) -> None:
    bucket = ScriptedBucket()

    async def work() -> None:
        store = opened(bucket)
        await filled(store)
        some = bucket.inner._objects["p/tenants/acme/snapshots/e1"]
        place_beside(bucket, some)
        report = await CALLS[call](store)
        assert report.keys == 4
        below = [name for name in FOREIGN if call == "delete_tenant" or "/executions/" in name]
        assert report.foreign == len(below)
        assert sorted(bucket.inner._objects) == sorted(FOREIGN)

    run(work())


def test_what_a_batchs_answer_says_of_other_objects_is_not_acted_on() -> None:
    class Confused(ScriptedBucket):
        """A bucket whose answers to batches speak of another object, too."""

        sent: list[str]

        async def delete_many(self, names: Sequence[str]) -> Sequence[Deletion]:
            self.sent += names
            results = await super().delete_many(names)
            busy = errors.Throttled("busy")
            return [*results, Deletion("p/tenants/other/keys/k", error=busy)]

    bucket = Confused()
    bucket.sent = []

    async def work() -> None:
        store = opened(bucket)
        await store.tenant("other").set("k", b"v")
        await filled(store)
        assert (await store.tenant(ACME).delete_execution_state(E1)).keys == 4
        assert "p/tenants/other/keys/k" not in bucket.sent
        assert await store.tenant("other").get("k") == b"v"

    run(work())


@pytest.mark.parametrize(
    ("keys", "kind", "outcome", "said"),
    [
        (["a"], errors.AccessDenied, "none", "the key 'a' is still there: no"),
        (["a", "b"], errors.AccessDenied, "none", "2 keys are still there, among them 'a': no"),
        (["a"], errors.Unavailable, "unknown", "the key 'a' may still be there: no"),
        (
            ["a", "b"],
            errors.Unavailable,
            "unknown",
            "2 keys may still be there, among them 'a': no",
        ),
    ],
)
def test_what_is_left_is_said_as_far_as_it_is_known(
    keys: list[str], kind: type[errors.StateBucketError], outcome: errors.Outcome, said: str
) -> None:
    async def work() -> str:
        bucket = Stubborn(lambda _: kind("no", outcome=outcome))
        with pytest.raises(errors.DeleteIncomplete) as caught:
            await opened(bucket).with_deadline(0.2).delete_many(keys)
        return str(caught.value)

    assert run(work()) == f"delete_many: {said}"


def test_of_many_refused_objects_some_errors_are_kept_and_all_are_counted() -> None:
    bucket = Stubborn(lambda _: errors.AccessDenied("no"))

    async def work() -> None:
        store = opened(bucket)
        view = store.tenant(ACME)
        for n in range(250):
            await view.set(f"k{n}", b"v")
        with pytest.raises(errors.DeleteIncomplete, match="250 objects are still there") as caught:
            await store.delete_tenant(ACME)
        assert (len(caught.value.failures), caught.value.failed) == (100, 250)
        keys = [f"k{n}" for n in range(250)]
        with pytest.raises(errors.DeleteIncomplete) as caught:  # the caller named each of them
            await view.delete_many(keys)
        assert set(caught.value.failures) == set(keys)

    run(work())


@pytest.mark.parametrize("one_by_one", [False, True])
def test_what_two_removals_at_once_remove_counts_once(one_by_one: bool) -> None:  # noqa: FBT001
    bucket = ScriptedBucket(limits=Limits(delete_requests=one_by_one))

    async def work() -> None:
        clock = Clock()
        acme = opened(bucket, clock=clock).tenant(ACME)
        for n in range(50):
            await acme.set(f"k{n}", b"v", 60)
            await acme.save_snapshot(acme.snapshot(f"e{n}"))
        page = await bucket.list("p/tenants/", after=None, limit=1000)
        bucket.always = slowly
        clock.advance(3600)  # what has expired counts, too
        stores = [opened(bucket, clock=clock) for _ in range(2)]
        first, second = await asyncio.gather(*[one.delete_tenant(ACME) for one in stores])
        total = first + second
        assert (total.keys, total.snapshots, total.owners) == (50, 50, 50)
        assert total.bytes == sum(info.size for info in page.objects)

    run(work())
